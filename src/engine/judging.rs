//! Closed requests on their way to the judges that the configuration names: chosen, and handed out with the effects. Only the
//! live engine chooses: a backtest and a drill ask nobody.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::engine::Engine;
use super::feature::redacted;
use crate::config;
use crate::core::detect;
use crate::core::diagnosis::{self, Limits, Mode, Terms};
use crate::core::facts::Facts;
use crate::core::redact::Redactor;
use crate::core::request::{Request, Sampled};
use crate::core::sampling::Sampler;
use crate::core::time::UnixNanos;
use crate::metrics::Metric;

/// A request that a judge is to be asked about. One that is dropped before it was asked about is counted.
#[derive(Debug)]
pub struct Chosen {
    /// The judge's name.
    pub judge: Arc<str>,
    /// Why this request.
    pub sampled_by: Sampled,
    request: Arc<Request>,
    redactor: Option<Arc<Redactor>>,
    is_finished: bool,
}

impl Chosen {
    /// The request, redacted as samples of frames are.
    #[must_use]
    pub fn request(&self) -> Request {
        redacted(&self.request, self.redactor.as_deref()).0
    }

    /// Something came of it.
    pub fn finish(mut self) {
        self.is_finished = true;
    }

    fn refuse(self, reason: &'static str) {
        Metric::JudgeDropped.add(&[("judge", &self.judge), ("reason", reason)], 1);
        self.finish();
    }
}

impl Drop for Chosen {
    fn drop(&mut self) {
        if !self.is_finished {
            Metric::JudgeDropped.add(&[("judge", &self.judge), ("reason", "stopping")], 1);
        }
    }
}

/// Where each judge's requests wait: no judge waits for another.
#[derive(Clone, Debug, Default)]
pub struct Queues(Vec<(Arc<str>, mpsc::Sender<Chosen>)>);

impl Queues {
    /// Another judge's queue.
    pub fn add(&mut self, judge: &str) -> mpsc::Receiver<Chosen> {
        let (sender, receiver) = mpsc::channel(config::JUDGE_QUEUE_MAX);
        self.0.push((judge.into(), sender));
        receiver
    }

    /// Puts it into its judge's queue, or drops and counts it. What was not chosen at random leaves half of the places to what
    /// was.
    pub(super) fn put(&self, chosen: Chosen) {
        let Some((_, queue)) = self.0.iter().find(|(judge, _)| *judge == chosen.judge) else { return };
        if chosen.sampled_by != Sampled::Uniform && queue.capacity() <= queue.max_capacity() / 2 {
            return chosen.refuse("queue_full");
        }
        match queue.try_send(chosen) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(chosen)) => chosen.refuse("queue_full"),
            Err(mpsc::error::TrySendError::Closed(chosen)) => drop(chosen),
        }
    }
}

/// One judge, as the engine knows it.
#[derive(Debug)]
pub(super) struct Judging {
    name: Arc<str>,
    features: Vec<String>,
    sampler: Sampler,
}

impl Engine {
    /// Chooses requests for these judges from now on; whoever drives the engine takes them by [`Engine::take_chosen`].
    #[must_use]
    pub fn with_judges(mut self, judges: &[config::Judge], now: UnixNanos) -> Self {
        let judging = |it: &config::Judge| Judging {
            name: it.name.as_str().into(),
            features: it.features.clone(),
            sampler: Sampler::new(it.sample, now),
        };
        self.judging = judges.iter().map(judging).collect();
        self
    }

    /// What was chosen since the last call.
    pub fn take_chosen(&mut self) -> Vec<Chosen> {
        std::mem::take(&mut self.chosen)
    }

    /// Chooses `request` for the judges that are to see it.
    pub(super) fn choose(&mut self, request: &Arc<Request>, facts: &Facts, now: UnixNanos) {
        let rules = &self.config.rules;
        let limits = || Limits::of(rules.iter().map(|it| &**it), &request.feature);
        let is_unhealthy =
            || diagnosis::of(request, &Terms { limits: limits(), ..Terms::default() }).mode != Mode::Healthy;
        let applicable = |it: &&mut Judging| detect::is_among(&it.features, &request.feature);
        for judging in self.judging.iter_mut().filter(applicable) {
            let dropped = |reason| Metric::JudgeDropped.add(&[("judge", &judging.name), ("reason", reason)], 1);
            match judging.sampler.choose(request, || facts.is_troubled() || is_unhealthy(), now) {
                Ok(None) => {}
                Ok(Some(_)) if request.response.as_deref().is_none_or(|it| it.trim().is_empty()) => {
                    dropped("no_answer")
                }
                Ok(Some(sampled_by)) => {
                    let (request, redactor) = (request.clone(), self.redactor.clone());
                    let judge = judging.name.clone();
                    self.chosen.push(Chosen { judge, sampled_by, request, redactor, is_finished: false });
                }
                Err(reason) => dropped(reason.as_str()),
            }
        }
    }
}
