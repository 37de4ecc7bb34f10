//! Completing requests and verdicts from what is declared for their feature, then from what is declared for every
//! feature.

use super::state::{agree, fill_judge, keep};
use super::{ALL_FEATURES, Declared, EVERY_FEATURE, State, Subject, Thing};
use crate::core::request::{Evaluation, Judge, Prompt, Request, Retrieval, ToolSchema};
use crate::core::time::UnixNanos;

impl Declared {
    /// Fills what the request's own telemetry lacks from what held when it began.
    pub fn complete(&self, request: &mut Request) {
        if self.features.is_empty() {
            return;
        }
        let scope = self.scope(&request.feature, request.started_at);
        request.retrievals.iter_mut().for_each(|it| scope.complete_retrieval(it));
        request.evaluations.iter_mut().for_each(|it| scope.complete_evaluation(it));
        scope.expect_prompt(&mut request.prompt);
        scope.complete_prompt(&mut request.prompt);
        for tool in request.tools.iter_mut().filter(|it| it.version.is_none()) {
            tool.version = scope.named(Subject::Tool, &tool.name).and_then(|state| state.version);
        }
        if request.tools_offered.is_empty() && !request.calls.is_empty() {
            let called: Vec<&str> = request.tools.iter().map(|it| &*it.name).collect();
            request.tools_offered = scope.tools_offered(&called);
        }
    }

    /// The same for verdicts on a request that is not here; `at` is when they came.
    pub fn complete_evaluations(&self, feature: &str, at: UnixNanos, evaluations: &mut [Evaluation]) {
        let scope = self.scope(feature, at);
        evaluations.iter_mut().for_each(|it| scope.complete_evaluation(it));
    }

    /// The judges at work for a feature, as evaluations without a verdict, in order of metric: the judge's
    /// configuration is known even of requests that nobody judged, or not yet.
    #[must_use]
    pub fn judges(&self, feature: &str, at: UnixNanos) -> Vec<Evaluation> {
        let scope = self.scope(feature, at);
        let things = scope.own.iter().chain(scope.all).filter(|it| it.subject == Subject::Judge);
        let mut metrics: Vec<&str> = things.map(|it| &*it.name).collect();
        metrics.sort_unstable();
        metrics.dedup();
        let states = metrics.into_iter().filter_map(|metric| Some((metric, scope.named(Subject::Judge, metric)?)));
        states.filter(|(_, state)| state.is_at_work()).map(|(metric, state)| standing(metric, state.judge)).collect()
    }

    pub(super) fn scope(&self, feature: &str, at: UnixNanos) -> Scope<'_> {
        let things = |feature| self.features.get(feature).map_or(&[][..], Vec::as_slice);
        Scope { own: things(feature), all: things(EVERY_FEATURE), at }
    }

    /// Where what is declared for a feature is found: for the whole service, with every feature.
    pub(super) fn scopes(&self, feature: &str, at: UnixNanos) -> Vec<Scope<'_>> {
        match feature {
            ALL_FEATURES => self.features.values().map(|own| Scope { own, all: &[], at }).collect(),
            _ => vec![self.scope(feature, at)],
        }
    }
}

/// What is declared for one feature at one time.
pub(super) struct Scope<'d> {
    pub(super) own: &'d [Thing],
    pub(super) all: &'d [Thing],
    at: UnixNanos,
}

impl<'d> Scope<'d> {
    /// What holds of the thing of this name.
    pub(super) fn named(&self, subject: Subject, name: &str) -> Option<State> {
        let find = |things: &'d [Thing]| things.iter().find(|it| it.is(subject, name)).map(|it| it.state(self.at));
        match (find(self.own), find(self.all)) {
            (Some(mut own), Some(all)) => {
                own.fill(&all);
                Some(own)
            }
            (own, all) => own.or(all),
        }
    }

    /// The only thing there is: of the feature, else of every feature.
    fn only(&self, subject: Subject) -> Option<(&'d str, State)> {
        let of = |things: &'d [Thing]| things.iter().filter(move |it| it.subject == subject);
        let mut candidates = of(if of(self.own).next().is_some() { self.own } else { self.all });
        let (one, None) = (candidates.next()?, candidates.next()) else { return None };
        Some((&one.name, self.named(subject, &one.name)?))
    }

    fn complete_retrieval(&self, retrieval: &mut Retrieval) {
        let found = match &retrieval.index {
            Some(index) => self.named(Subject::Index, index).map(|state| (None, state)),
            None => self.only(Subject::Index).map(|(name, state)| (Some(name), state)),
        };
        let Some((name, state)) = found.filter(|(_, it)| agree(&retrieval.index_version, &it.version)) else { return };
        retrieval.index = retrieval.index.take().or_else(|| name.map(Into::into));
        keep(&mut retrieval.index_version, &state.version);
        keep(&mut retrieval.embedding_model, &state.embedding_model);
        keep(&mut retrieval.reindexing, &state.reindexing);
        keep(&mut retrieval.freshness_lag, &state.updated_at.map(|updated_at| self.at.since(updated_at)));
    }

    /// A declared threshold also says which scores pass.
    fn complete_evaluation(&self, evaluation: &mut Evaluation) {
        let own = &evaluation.judge;
        let fits = |state: &State| agree(&own.name, &state.judge.name) && agree(&own.version, &state.judge.version);
        let by_metric = self.named(Subject::Judge, &evaluation.metric).filter(fits);
        let by_name = || self.named(Subject::Judge, own.name.as_deref()?).filter(fits);
        let Some(state) = by_metric.or_else(by_name) else { return };
        fill_judge(&mut evaluation.judge, &state.judge);
        let passes = || Some(evaluation.score? >= evaluation.judge.threshold?);
        evaluation.passed = evaluation.passed.or_else(passes);
    }

    fn complete_prompt(&self, prompt: &mut Prompt) {
        let found = match (&prompt.name, &prompt.version) {
            (Some(name), _) => self.named(Subject::Prompt, name).map(|state| (None, state)),
            (None, None) => self.only(Subject::Prompt).map(|(name, state)| (Some(name), state)),
            (None, Some(_)) => None,
        };
        let Some((name, state)) = found.filter(|(_, it)| agree(&prompt.version, &it.version)) else { return };
        prompt.name = prompt.name.take().or_else(|| name.map(Into::into));
        keep(&mut prompt.version, &state.version);
        if prompt.components.is_empty() {
            prompt.components = state.components;
        }
    }

    /// The version declared to be in service, where the request was rendered from another. A prompt without a name is
    /// held against the only one declared for this very feature.
    fn expect_prompt(&self, prompt: &mut Prompt) {
        let Some(version) = &prompt.version else { return };
        let only = || {
            let mut own = self.own.iter().filter(|it| it.subject == Subject::Prompt);
            own.next().filter(|_| own.next().is_none()).map(|it| it.state(self.at))
        };
        let found = prompt.name.as_ref().map_or_else(only, |name| self.named(Subject::Prompt, name));
        if let Some(declared) = found.and_then(|state| state.version).filter(|declared| declared != version) {
            prompt.expected = Some(declared);
        }
    }

    /// The contracts declared for the feature. Those declared for every feature count where one of them was `called`:
    /// not every feature offers tools.
    fn tools_offered(&self, called: &[&str]) -> Vec<ToolSchema> {
        let tools = |things: &'d [Thing]| things.iter().filter(|it| it.subject == Subject::Tool).map(|it| &*it.name);
        let shared = tools(self.all).any(|name| called.contains(&name));
        let shared = tools(if shared { self.all } else { &[] });
        let mut names: Vec<&str> = tools(self.own).chain(shared).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().filter_map(|name| self.named(Subject::Tool, name)?.schema).collect()
    }
}

fn standing(metric: &str, judge: Judge) -> Evaluation {
    Evaluation { metric: metric.into(), score: None, label: None, passed: None, judge, error: None, sampled_by: None }
}
