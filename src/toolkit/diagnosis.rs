//! What the requests of a recording are held against: the rules' limits, the prompt that should be in service, and what
//! is usual for each feature.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::core::detect::Rule;
use crate::core::diagnosis::{self, Diagnosis, Gathering, Limits, Reference, Terms};
use crate::core::request::Request;

/// Features whose usual requests are known, at about 100 KiB each; the requests of others are judged by themselves.
pub const FEATURES_MAX: usize = 256;

/// What is usual for each feature, in the making.
#[derive(Debug, Default)]
pub struct Usual {
    features: BTreeMap<Box<str>, Gathering>,
}

/// Everything requests are held against.
#[derive(Debug)]
pub struct Standards {
    rules: Vec<Arc<Rule>>,
    prompt: Option<Box<str>>,
    /// `None` when every request is judged by itself.
    usual: Option<BTreeMap<Box<str>, Reference>>,
    unknown: Reference,
}

impl Usual {
    /// Takes in the next request, in order of time.
    pub fn add(&mut self, request: &Request) {
        if let Some(gathering) = self.features.get_mut(&request.feature) {
            gathering.add(request);
        } else if self.features.len() < FEATURES_MAX {
            self.features.entry(request.feature.clone()).or_default().add(request);
        }
    }

    fn references(&self) -> BTreeMap<Box<str>, Reference> {
        self.features.iter().map(|(feature, it)| (feature.clone(), it.reference())).collect()
    }
}

impl Standards {
    /// The limits of `rules`, a prompt version that is expected of every request, and what is usual.
    #[must_use]
    pub fn new(rules: &[Arc<Rule>], prompt: Option<&str>, usual: Option<&Usual>) -> Self {
        let usual = usual.map(Usual::references);
        Self { rules: rules.to_vec(), prompt: prompt.map(Into::into), usual, unknown: Reference::default() }
    }

    /// What is wrong with a request.
    #[must_use]
    pub fn diagnose(&self, request: &Request) -> Diagnosis {
        let reference = self.usual.as_ref().map(|it| it.get(&request.feature).unwrap_or(&self.unknown));
        let limits = Limits::of(self.rules.iter().map(|it| &**it), &request.feature);
        diagnosis::of(request, &Terms { limits, reference, prompt: self.prompt.as_deref() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::diagnosis::{Mode, REQUESTS_MIN};
    use crate::core::request::ModelCall;
    use crate::core::request::tests::request;

    fn asked(feature: &str) -> Request {
        Request { feature: feature.into(), calls: vec![ModelCall::default()], ..request() }
    }

    /// Proves that each feature is compared with its own requests, that features beyond the limit and those of another
    /// recording are judged by themselves and say so, and that limits are those of the feature.
    #[test]
    fn each_feature_has_its_own_standards() {
        let mut usual = Usual::default();
        for n in 0..=FEATURES_MAX {
            (0..REQUESTS_MIN).for_each(|_| usual.add(&asked(&format!("feature-{n}"))));
        }
        let mut own = crate::core::rules::built_in().into_iter().find(|it| &*it.name == "LLMLatencyHigh").unwrap();
        (own.features, own.limit.fixed) = (vec!["feature-7".into()], Some(0.5));
        let standards = Standards::new(&[Arc::new(own)], None, Some(&usual));
        let compared = |feature: &str| standards.diagnose(&asked(feature)).requests;
        let last = format!("feature-{FEATURES_MAX}");
        assert_eq!(["feature-0", &last, "another"].map(compared), [Some(REQUESTS_MIN), Some(0), Some(0)]);
        let alone = Standards::new(&standards.rules, None, None);
        assert_eq!(alone.diagnose(&asked("feature-7")).mode, Mode::SlowResponse);
        assert_eq!(alone.diagnose(&asked("feature-8")).mode, Mode::Healthy);
        assert_eq!(alone.diagnose(&asked("feature-7")).requests, None);
    }
}
