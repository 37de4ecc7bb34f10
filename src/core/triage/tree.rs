//! The decision tree: from a symptom to class and severity in at most nine answers.

use crate::core::incident::{Class, Severity};

/// A question that is answered with yes or no.
#[derive(Debug, PartialEq, Eq)]
pub struct Question {
    /// The name in `--answer NAME=yes`.
    pub name: &'static str,
    /// The question.
    pub text: &'static str,
    /// Where the answer is found.
    pub look: &'static str,
}

/// Where a walk ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// An incident.
    Incident {
        /// Class.
        class: Class,
        /// Severity.
        severity: Severity,
        /// Why this class and this severity.
        why: &'static str,
    },
    /// None.
    NotAnIncident {
        /// Why not.
        why: &'static str,
    },
}

/// A place in the tree.
#[derive(Debug, PartialEq, Eq)]
pub enum Node {
    /// Ask, and go on by the answer.
    Ask {
        /// What to ask.
        question: &'static Question,
        /// Where yes leads.
        yes: &'static Node,
        /// Where no leads.
        no: &'static Node,
    },
    /// The answer.
    End(End),
}

const fn ask(question: &'static Question, yes: &'static Node, no: &'static Node) -> Node {
    Node::Ask { question, yes, no }
}

const fn incident(class: Class, severity: Severity, why: &'static str) -> Node {
    Node::End(End::Incident { class, severity, why })
}

/// The questions, in the order they are asked.
const LEAK: Question = Question {
    name: "leak",
    text: "Is personal data or a secret where it must not be: in an answer, a trace, a log?",
    look: "signal leak_ratio, alert LLMDataLeak, a report of a person",
};
const BY_DESIGN: Question = Question {
    name: "by_design",
    text: "Is the difference wanted, and within what users were promised?",
    look: "the change that explains it, and the service level objective",
};
const EMPTY: Question = Question {
    name: "empty",
    text: "Do more searches than usual find nothing or fail?",
    look: "signal empty_retrieval_ratio",
};
const EMPTY_MOST: Question = Question {
    name: "empty_most",
    text: "Do more than half of the searches?",
    look: "signal empty_retrieval_ratio above 0.5",
};
const FAILING: Question = Question {
    name: "failing",
    text: "Do more requests or tool executions than usual fail or time out?",
    look: "signals error_ratio and tool_success_ratio",
};
const FAILING_MOST: Question = Question {
    name: "failing_most",
    text: "Do more than half of the requests fail?",
    look: "signal error_ratio above 0.5",
};
const DEARER: Question = Question {
    name: "dearer",
    text: "Do requests use at least twice the tokens, the money or the retries of before?",
    look: "signals tokens_per_request, cost_per_request and retries_per_request",
};
const WORSE: Question = Question {
    name: "worse",
    text: "Are more answers than usual bad: wrong, ungrounded, refused, blocked, off the brand's tone?",
    look: "signals quality, evaluation_pass_ratio, evaluation_score, refusal_ratio, block_ratio, bad_feedback_ratio",
};
const WORSE_MANY: Question = Question {
    name: "worse_many",
    text: "Is at least every fifth answer wrong where it was not before, so that people act on it?",
    look: "signal quality or evaluation_pass_ratio at least 0.2 below its baseline, or below 0.5",
};
const SLOW: Question = Question {
    name: "slow",
    text: "Are answers slower than usual?",
    look: "signals latency_p95 and time_to_first_token_p95",
};
const SLOW_FELT: Question = Question {
    name: "slow_felt",
    text: "Is p95 latency beyond five seconds, or whatever else users were promised?",
    look: "signal latency_p95 against the limit of LLMLatencyHigh",
};

/// The tree.
pub static TREE: Node = ask(
    &LEAK,
    &incident(
        Class::DataIncident,
        Severity::Sev1,
        "one leak is an incident, however rare, and its copies spread while it is looked at",
    ),
    &ask(
        &BY_DESIGN,
        &Node::End(End::NotAnIncident {
            why: "wanted, and within the objective: note it, and change the rule that spoke",
        }),
        &ask(
            &EMPTY,
            &ask(
                &EMPTY_MOST,
                &incident(Class::RetrievalOutage, Severity::Sev1, "the index is down for everybody"),
                &incident(
                    Class::RetrievalOutage,
                    Severity::Sev2,
                    "a part of the index is gone or out of reach; the rest still answers",
                ),
            ),
            &ask(&FAILING, &FAILURES, &ask(&WORSE, &QUALITY, &ask(&DEARER, &COST, &LATENCY))),
        ),
    ),
);

static FAILURES: Node = ask(
    &FAILING_MOST,
    &incident(Class::PerformanceDegradation, Severity::Sev1, "the feature is down"),
    &incident(
        Class::PerformanceDegradation,
        Severity::Sev2,
        "a provider or a tool fails for a part of the requests, and models make up what a failing tool withholds",
    ),
);

static QUALITY: Node = ask(
    &WORSE_MANY,
    &incident(
        Class::QualityDegradation,
        Severity::Sev1,
        "people act on wrong answers that look right: more harm than being off",
    ),
    &incident(Class::QualityDegradation, Severity::Sev2, "answers are worse, and still mostly of use"),
);

static COST: Node = incident(
    Class::CostSpike,
    Severity::Sev2,
    "the bill grows by the hour, and what loops keeps a struggling provider down",
);

static LATENCY: Node = ask(
    &SLOW,
    &ask(
        &SLOW_FELT,
        &incident(Class::PerformanceDegradation, Severity::Sev2, "people give up waiting"),
        &incident(
            Class::PerformanceDegradation,
            Severity::Sev3,
            "slower, and within the limit: a regression to look at before it is felt",
        ),
    ),
    &Node::End(End::NotAnIncident { why: "nothing is worse than usual: watch, and look for what made somebody ask" }),
);

/// A walk through the tree: the questions with the answers they got, and where it ended or stands.
#[derive(Debug, PartialEq, Eq)]
pub struct Walk {
    /// Questions answered, in order.
    pub path: Vec<(&'static Question, bool)>,
    /// The end, or the question that nobody answered.
    pub end: Result<End, &'static Question>,
}

/// Walks as far as `answer` knows.
pub fn walk(mut answer: impl FnMut(&'static Question) -> Option<bool>) -> Walk {
    let (mut node, mut path) = (&TREE, Vec::new());
    loop {
        match node {
            Node::End(end) => return Walk { path, end: Ok(*end) },
            Node::Ask { question, yes, no } => {
                let Some(is_yes) = answer(question) else { return Walk { path, end: Err(question) } };
                path.push((*question, is_yes));
                node = if is_yes { yes } else { no };
            }
        }
    }
}

/// Every question, in the order they are asked.
#[must_use]
pub fn questions() -> Vec<&'static Question> {
    fn below(node: &'static Node, found: &mut Vec<&'static Question>) {
        if let Node::Ask { question, yes, no } = node {
            found.push(question);
            below(yes, found);
            below(no, found);
        }
    }
    let mut found = Vec::new();
    below(&TREE, &mut found);
    found
}

impl End {
    /// One line: class and severity, or that it is none.
    #[must_use]
    pub fn title(&self) -> String {
        match self {
            Self::Incident { class, severity, .. } => format!("{} {}", class.as_str(), severity.as_str()),
            Self::NotAnIncident { .. } => "not an incident".to_owned(),
        }
    }

    /// Why.
    #[must_use]
    pub fn why(&self) -> &'static str {
        match self {
            Self::Incident { why, .. } | Self::NotAnIncident { why } => why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(node: &'static Node, path: Vec<(&'static str, bool)>, found: &mut Vec<(Vec<(&'static str, bool)>, End)>) {
        match node {
            Node::End(end) => found.push((path, *end)),
            Node::Ask { question, yes, no } => {
                for (is_yes, next) in [(true, yes), (false, no)] {
                    let mut path = path.clone();
                    path.push((question.name, is_yes));
                    ends(next, path, found);
                }
            }
        }
    }

    /// Proves that every end is reached by exactly its answers, that no question is asked twice, and that all classes and
    /// all severities are reached.
    #[test]
    fn every_end_is_reached() {
        let mut found = Vec::new();
        ends(&TREE, Vec::new(), &mut found);
        for (path, end) in &found {
            let walked = walk(|question| path.iter().find(|(name, _)| *name == question.name).map(|(_, yes)| *yes));
            assert_eq!(walked.end, Ok(*end));
            assert!(walked.path.len() <= 9, "{path:?}");
            let names: std::collections::BTreeSet<_> = path.iter().map(|(name, _)| name).collect();
            assert_eq!(names.len(), path.len(), "{path:?}");
        }
        let reached = |class, severity| {
            found.iter().any(
                |(_, end)| matches!(end, End::Incident { class: c, severity: s, .. } if (*c, *s) == (class, severity)),
            )
        };
        assert!(Class::ALL.into_iter().all(|class| Severity::ALL.into_iter().any(|severity| reached(class, severity))));
        assert!(Severity::ALL.into_iter().all(|severity| Class::ALL.into_iter().any(|class| reached(class, severity))));
    }

    /// Proves that a walk stops at what nobody answered, and says so.
    #[test]
    fn an_open_question_is_told() {
        let walked = walk(|question| (question.name == "leak").then_some(false));
        assert_eq!(walked.end, Err(&BY_DESIGN));
        assert_eq!(walked.path, [(&LEAK, false)]);
    }
}
