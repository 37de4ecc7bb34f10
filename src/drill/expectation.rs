//! What a drill must find, and a team's own word on it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::Scenario;
use crate::config::parse_duration;
use crate::core::incident::{Class, Pattern};
use crate::core::variable::Variable;

/// Stands for no variable and for no breaker.
const NONE: &str = "none";

/// What must be found.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Class of the incident.
    pub class: Class,
    /// Patterns that its frame must name, perhaps among others.
    pub patterns: Cow<'static, [Pattern]>,
    /// The variable to blame; `None` when none may be blamed.
    pub variable: Option<Variable>,
    /// What the value to blame has in it; any value has the empty text.
    pub value: Cow<'static, str>,
    /// From the injection to the alert at most.
    pub within: Duration,
    /// Class of the breaker that must open; `None` when the scenario's may stay closed.
    pub breaker: Option<Class>,
}

/// A team's own expectations, by scenario: what it says replaces what the scenario says.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Overrides(BTreeMap<String, Override>);

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct Override {
    class: Option<String>,
    patterns: Option<Vec<String>>,
    variable: Option<String>,
    value: Option<String>,
    within: Option<String>,
    breaker: Option<String>,
}

impl Expectation {
    /// What a row of the table expects: the breaker of the class opens.
    pub(super) const fn new(
        class: Class,
        patterns: &'static [Pattern],
        to_blame: Option<(Variable, &'static str)>,
        minutes: u64,
    ) -> Self {
        let (variable, value) = match to_blame {
            Some((variable, value)) => (Some(variable), value),
            None => (None, ""),
        };
        Self {
            class,
            patterns: Cow::Borrowed(patterns),
            variable,
            value: Cow::Borrowed(value),
            within: Duration::from_secs(minutes * 60),
            breaker: Some(class),
        }
    }

    fn overridden(mut self, by: &Override) -> Result<Self, String> {
        if let Some(name) = &by.class {
            let class = named("class", name, Class::parse(name), Class::ALL.map(Class::as_str))?;
            (self.class, self.breaker) = (class, self.breaker.map(|_| class));
        }
        if let Some(names) = &by.patterns {
            let pattern =
                |name: &String| named("pattern", name, Pattern::parse(name), Pattern::ALL.map(Pattern::as_str));
            self.patterns = names.iter().map(pattern).collect::<Result<Vec<_>, _>>()?.into();
        }
        if let Some(name) = &by.variable {
            let found = Variable::ALL.into_iter().find(|it| it.as_str() == name);
            self.variable = or_none("variable", name, found, Variable::ALL.map(Variable::as_str))?;
            self.value = Cow::Borrowed("");
        }
        if let Some(value) = &by.value {
            self.value = value.clone().into();
        }
        if let Some(text) = &by.within {
            self.within = parse_duration(text).ok_or_else(|| format!("within: {text} is no duration, such as 2m"))?;
        }
        if let Some(name) = &by.breaker {
            self.breaker = or_none("breaker", name, Class::parse(name), Class::ALL.map(Class::as_str))?;
        }
        Ok(self)
    }
}

impl Overrides {
    /// Reads the document, YAML or JSON, and holds it against the scenarios.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parsed: Self = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        for (name, by) in &parsed.0 {
            let scenario = Scenario::parse(name).ok_or_else(|| format!("no scenario {name} (drill --list)"))?;
            scenario.expects.clone().overridden(by).map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(parsed)
    }

    /// What is expected of a scenario.
    #[must_use]
    pub fn of(&self, scenario: &Scenario) -> Expectation {
        let own = scenario.expects.clone();
        let by = self.0.get(scenario.name);
        by.and_then(|by| own.clone().overridden(by).ok()).unwrap_or(own)
    }
}

fn named<T, const N: usize>(what: &str, name: &str, found: Option<T>, all: [&str; N]) -> Result<T, String> {
    found.ok_or_else(|| format!("no {what} {name}; there are {}", all.join(", ")))
}

fn or_none<T, const N: usize>(what: &str, name: &str, found: Option<T>, all: [&str; N]) -> Result<Option<T>, String> {
    if name == NONE { Ok(None) } else { named(what, name, found, all).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that a team's word replaces what it says and nothing else, and that a mistake is named.
    #[test]
    fn a_team_has_its_own_expectations() {
        let scenario = Scenario::parse("judge-drift").unwrap();
        let own = Overrides::parse("judge-drift: {within: 90s, variable: none, breaker: none}").unwrap();
        let expected = Expectation {
            within: Duration::from_secs(90),
            variable: None,
            value: "".into(),
            breaker: None,
            ..scenario.expects.clone()
        };
        assert_eq!(own.of(scenario), expected);
        let other = Scenario::parse("cost-spike").unwrap();
        assert_eq!(own.of(other), other.expects);
        for (text, reason) in [
            ("fire: {}", "no scenario fire"),
            ("cost-spike: {class: FIRE}", "no class FIRE; there are RETRIEVAL_OUTAGE"),
            ("cost-spike: {within: soon}", "soon is no duration"),
            ("cost-spike: {patterns: [odd]}", "no pattern odd"),
            ("cost-spike: {delay: 1m}", "delay"),
        ] {
            let error = Overrides::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
