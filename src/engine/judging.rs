//! Closed requests on their way to the judges that the configuration names: chosen, redacted, and handed out with the
//! effects. Only the live engine chooses: a backtest and a drill ask nobody.

use std::sync::Arc;

use super::engine::Engine;
use super::feature::redacted;
use crate::config;
use crate::core::detect;
use crate::core::diagnosis::{self, Limits, Mode, Terms};
use crate::core::facts::Facts;
use crate::core::request::{Request, Sampled};
use crate::core::sampling::Sampler;
use crate::core::time::UnixNanos;
use crate::metrics::Metric;

/// A request that a judge is to be asked about.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The judge's name.
    pub judge: Arc<str>,
    /// Why this request.
    pub sampled_by: Sampled,
    /// The request, redacted as samples of frames are.
    pub request: Arc<Request>,
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
    pub(super) fn choose(&mut self, request: &Request, facts: &Facts, now: UnixNanos) {
        let rules = &self.config.rules;
        let limits = || Limits::of(rules.iter().map(|it| &**it), &request.feature);
        let is_unhealthy =
            || diagnosis::of(request, &Terms { limits: limits(), ..Terms::default() }).mode != Mode::Healthy;
        let mut clean: Option<Arc<Request>> = None;
        let applicable = |it: &&mut Judging| detect::is_among(&it.features, &request.feature);
        for judging in self.judging.iter_mut().filter(applicable) {
            let dropped = |reason| Metric::JudgeDropped.add(&[("judge", &judging.name), ("reason", reason)], 1);
            if request.response.as_deref().is_none_or(|it| it.trim().is_empty()) {
                dropped("no_answer");
                continue;
            }
            match judging.sampler.choose(request, || facts.is_troubled() || is_unhealthy(), now) {
                Ok(None) => {}
                Ok(Some(sampled_by)) => {
                    let redactor = self.redactor.as_deref();
                    let request = clean.get_or_insert_with(|| Arc::new(redacted(request, redactor).0)).clone();
                    self.chosen.push(Chosen { judge: judging.name.clone(), sampled_by, request });
                }
                Err(reason) => dropped(reason.as_str()),
            }
        }
    }
}
