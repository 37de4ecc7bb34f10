//! What every class and pattern of an incident looks like, where it comes from, and what to ask about it: the one table
//! behind the documentation, the runbook pages and what `triage` prints.

use crate::core::detect::Rule;
use crate::core::incident::{Class, Pattern};
use crate::core::rules;
use crate::core::signal::Signal;

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One of the five classes.
    Class(Class),
    /// A diagnostic pattern beside the class.
    Pattern(Pattern),
    /// A kind of incident that has no class yet, by the name of its page.
    Addendum(&'static str),
}

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Play {
    /// What it is about.
    pub subject: Subject,
    /// What it is, in one or two sentences.
    pub meaning: &'static str,
    /// What users notice.
    pub impact: &'static str,
    /// How it shows, at least three ways.
    pub symptoms: &'static [&'static str],
    /// Where it comes from, most likely first.
    pub causes: &'static [&'static str],
    /// The signals that reveal it.
    pub signals: &'static [Signal],
    /// The question that the postmortem must answer.
    pub question: &'static str,
    /// What to check, in order.
    pub checklist: &'static [&'static str],
    /// What stops the bleeding.
    pub mitigation: &'static [&'static str],
}

impl Subject {
    /// The name: of a class, of a pattern, or of a page.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Class(class) => class.as_str(),
            Self::Pattern(pattern) => pattern.as_str(),
            Self::Addendum(name) => name,
        }
    }
}

impl Play {
    /// The entry of a class.
    #[must_use]
    pub fn of(class: Class) -> Option<&'static Self> {
        PLAYBOOK.iter().find(|play| play.subject == Subject::Class(class))
    }

    /// The entry of a pattern.
    #[must_use]
    pub fn of_pattern(pattern: Pattern) -> Option<&'static Self> {
        PLAYBOOK.iter().find(|play| play.subject == Subject::Pattern(pattern))
    }

    /// The built-in alerts that detect it: those of its class, or those that watch one of its signals.
    #[must_use]
    pub fn alerts(&self) -> Vec<String> {
        let ours = |rule: &Rule| match self.subject {
            Subject::Class(class) => rule.class == class,
            Subject::Pattern(_) | Subject::Addendum(_) => self.signals.contains(&rule.signal),
        };
        rules::built_in().iter().filter(|rule| ours(rule)).map(|rule| rule.name.to_string()).collect()
    }
}

/// Every entry: the classes in their order, the patterns, the addenda.
pub const PLAYBOOK: [Play; 13] = [
    Play {
        subject: Subject::Class(Class::RetrievalOutage),
        meaning: "Searches find nothing or fail, so answers are made without the documents they should rest on.",
        impact: "Users hear that nothing is known, or read answers that are made up.",
        symptoms: &[
            "searches return no documents, or documents that all score zero",
            "answers apologise, or are fluent and rest on nothing",
            "the retrieval stage fails, times out, or is suspiciously fast",
            "tokens a request fall, since no context is put in",
        ],
        causes: &[
            "the store is down, or its network or credentials are",
            "a new version of the index is empty, partial, or of another embedding model",
            "a filter (tenant, language, permission) excludes everything",
            "the source of the index was not read for days",
        ],
        signals: &[Signal::EmptyRetrievalRatio, Signal::RetrievalScoreP50, Signal::RetrievalTime],
        question: "Which version of the index was serving, how far behind its source was it, and which queries found \
                   nothing?",
        checklist: &[
            "run a question whose document is known straight against the store",
            "compare index version, document count and embedding model with the last good window in the frame",
            "look for a reindex in flight and for filters that were added",
            "compare what failing and healthy samples have in common: tenant, language, collection",
        ],
        mitigation: &[
            "serve the previous version of the index, or the backup one",
            "open the breaker: cached answers, else say honestly that the knowledge base is unavailable",
            "stop the reindex that is under way",
        ],
    },
    Play {
        subject: Subject::Class(Class::QualityDegradation),
        meaning: "More answers than usual are bad (wrong, ungrounded, refused, blocked, off tone) while requests succeed.",
        impact: "Users act on wrong answers, or stop trusting the feature.",
        symptoms: &[
            "evaluations, feedback or reviews turn worse while latency and errors are as ever",
            "answers contradict the documents that were found",
            "the tone, the language or the format of answers changed",
            "more requests are refused or blocked, or repeated by the same user",
        ],
        causes: &[
            "a prompt revision, or one of the components it is composed of",
            "another model version, or a route that sends requests elsewhere",
            "worse documents: an index that is stale, or embedded anew",
            "a tool that fails or answers in another shape",
            "another mix of questions",
        ],
        signals: &[
            Signal::Quality,
            Signal::EvaluationPassRatio,
            Signal::EvaluationScore,
            Signal::RefusalRatio,
            Signal::BlockRatio,
            Signal::BadFeedbackRatio,
        ],
        question: "Which of the six variables moved, and how often does what moved fail beside what did not?",
        checklist: &[
            "read verdict and suspects of the frame before any dashboard",
            "compare prompt, model, index and tools of a failing sample with those of a healthy one",
            "check that the judge itself did not change (pattern judge_induced_false_negative)",
            "replay one failing sample with only the suspect put back",
        ],
        mitigation: &[
            "roll back the variable that the frame names, and only that",
            "open the breaker: the last good prompt and model, else templates and a person",
            "say so where users are told things, when answers were wrong",
        ],
    },
    Play {
        subject: Subject::Class(Class::PerformanceDegradation),
        meaning: "Requests fail or take longer: the model, a tool, the retrieval, or what is between them.",
        impact: "Users wait, give up, or see errors; models make up what a failing tool withholds.",
        symptoms: &[
            "p95 latency or time to first token rises",
            "requests end in provider errors: 429, 5xx, timeouts",
            "a tool times out for some of its arguments",
            "streams stop in the middle",
        ],
        causes: &[
            "the provider is slow, throttles or fails",
            "a tool or the system behind it is slow or down",
            "retries multiply the load on what is struggling",
            "contexts or answers grew",
            "another model or region serves",
        ],
        signals: &[
            Signal::LatencyP95,
            Signal::TimeToFirstTokenP95,
            Signal::ErrorRatio,
            Signal::ToolSuccessRatio,
            Signal::ModelTime,
            Signal::RetrievalTime,
            Signal::ToolTime,
        ],
        question: "Which stage took the added seconds or failed, and was it ours or the provider's?",
        checklist: &[
            "compare the seconds of model calls, retrieval and tools with the baseline: the hypotheses do it",
            "look at errors by provider and model, and at the provider's status page",
            "split failing tool calls by their arguments: one table, one tenant, one region",
            "compare tokens and retries a request",
        ],
        mitigation: &[
            "route to the faster model or the second provider",
            "switch off the tool that fails, and tell the model so",
            "stop automatic retries, fail fast, shorten the context",
        ],
    },
    Play {
        subject: Subject::Class(Class::CostSpike),
        meaning: "A request uses far more tokens, calls or money than it did.",
        impact: "Nobody notices but the bill and the quota, until the quota is gone.",
        symptoms: &[
            "tokens a request or cost a request jump, with the traffic as ever",
            "the same tool or model call repeats within a trace",
            "provider quotas run out earlier in the day",
        ],
        causes: &[
            "a retry loop in a client, a gateway or a tool's middleware",
            "an agent that never finds its stop",
            "a context that grows with every turn, or documents that got longer",
            "requests that go to a dearer model",
        ],
        signals: &[Signal::CostPerRequest, Signal::TokensPerRequest, Signal::RetriesPerRequest],
        question: "What multiplied: calls a request, tokens a call, or the price of a token?",
        checklist: &[
            "divide the rise into calls a request, tokens a call and price a token",
            "open one dear trace and look for what repeats",
            "compare prompt revision, model route and tool path with the baseline",
            "look at who sends the dearest requests",
        ],
        mitigation: &[
            "cap rounds of tools and output tokens",
            "switch off automatic retries",
            "route to the cheaper model, limit the rate of the dearest users",
        ],
    },
    Play {
        subject: Subject::Class(Class::DataIncident),
        meaning: "Personal data or a secret is where it must not be: in an answer, a trace, a log, an index.",
        impact: "Somebody's data was shown or stored without right; there are deadlines for telling them.",
        symptoms: &[
            "an answer holds a secret or personal data that the user had not typed",
            "a stored trace, dataset or evaluation holds raw personal data",
            "a user reports having seen another user's content",
        ],
        causes: &[
            "content is captured without redaction, or by a rule that misses this kind",
            "a document with personal data got into an index that everybody searches",
            "a tool returns more fields, or another tenant's rows",
            "the prompt carries examples from real users",
            "a prompt injection",
        ],
        signals: &[Signal::LeakRatio],
        question: "Whose data, where did it go, since when, and who must be told until when?",
        checklist: &[
            "stop the spread first: capture, export, caches",
            "find every copy: traces, logs, datasets, frames, postmortems",
            "list whose data it is, and tell the privacy officer: the clock of the law runs from now",
            "erase copies (`freezeframe evidence erase` for frames) once counsel has agreed",
        ],
        mitigation: &[
            "open the breaker: withhold answers of the kind, quarantine stored traces",
            "rotate every secret that was seen",
            "take the document or the tool out",
        ],
    },
    Play {
        subject: Subject::Pattern(Pattern::SilentQualityRegression),
        meaning: "A meaningful share of users gets worse answers while no error fires and no objective is breached.",
        impact: "Hours or days of bad answers before anybody says so.",
        symptoms: &[
            "quality falls with latency, errors and cost as ever",
            "complaints, tickets or retries by users rise first",
            "no deployment is near the onset",
        ],
        causes: &["a prompt or a component edited at run time", "a provider's model update", "a drifting index"],
        signals: &[Signal::Quality, Signal::BadFeedbackRatio, Signal::EvaluationScore],
        question: "What user signal first detected this, and what was the lag from onset to detection?",
        checklist: &[
            "take the onset from the frame and compare it with the first complaint",
            "list every value first seen around the onset",
            "ask which evaluation would have caught it, and add it",
        ],
        mitigation: &["roll back what moved at the onset", "sample and score more of the traffic until it is over"],
    },
    Play {
        subject: Subject::Pattern(Pattern::JudgeInducedFalseNegative),
        meaning: "The evaluation passed what it should have failed: the fault is the judge's, not the model's.",
        impact: "A regression ships with a green light, and dashboards stay green.",
        symptoms: &[
            "scores are steady or better while users complain more",
            "scores jump on the day the judge, its prompt or its rubric changed",
            "judge and model are of one family, or of one version",
        ],
        causes: &[
            "a judge prompt that does not penalise this failure",
            "a judge model that shares the bias of what it judges",
            "a rubric or dataset that is out of date",
        ],
        signals: &[Signal::EvaluationPassRatio, Signal::EvaluationScore, Signal::BadFeedbackRatio],
        question: "Did the eval that signed off this release run a current judge config, and when was the judge last \
                   calibrated against human labels?",
        checklist: &[
            "compare the judge's configuration in the frame with the one that signed off the release",
            "score a fixed golden set again with both",
            "have people label twenty failing samples",
        ],
        mitigation: &["put the judge of the sign-off back", "do not roll back the model before the judge is cleared"],
    },
    Play {
        subject: Subject::Pattern(Pattern::RetrievalStaleness),
        meaning: "The index shows a world that has drifted from its source, and answers are true to the index.",
        impact: "Confident answers from yesterday: prices, policies, people that have changed.",
        symptoms: &[
            "freshness lag grows",
            "answers about what changed lately are wrong, the others right",
            "a reindex failed or is half done",
        ],
        causes: &["the ingestion stopped", "a reindex is in flight", "another snapshot was restored"],
        signals: &[Signal::EmptyRetrievalRatio, Signal::RetrievalScoreP50],
        question: "What was the freshness lag during the incident, what source mutations were not yet reflected, and \
                   which queries landed on the stale segment?",
        checklist: &[
            "read freshness lag, index version and reindex in flight in the frame",
            "list what changed at the source since the index was built",
            "split failing samples by collection or segment",
        ],
        mitigation: &["run the ingestion", "pin the last whole index", "say in answers from when the knowledge is"],
    },
    Play {
        subject: Subject::Pattern(Pattern::ToolSchemaDrift),
        meaning: "A tool's contract changed: arguments, result shape, permissions or limits.",
        impact: "The planner calls tools wrongly, or reads their answers wrongly, between two requests.",
        symptoms: &["calls of one tool fail to validate", "tool success falls for one path", "the tool path changed"],
        causes: &[
            "the provider of the tool released",
            "a field became nullable, required, or an enum lost a value",
            "a rate limit was tightened",
        ],
        signals: &[Signal::ToolSuccessRatio],
        question: "Which tool contract changed, from what to what, and which composition of tools does it break?",
        checklist: &[
            "read the schema diff and the composition paths in the frame",
            "call the tool by hand with the arguments of a failing sample",
            "ask the tool's owner for the change log",
        ],
        mitigation: &["pin the tool's version", "switch the tool off", "adapt description and parser"],
    },
    Play {
        subject: Subject::Pattern(Pattern::TrafficMixShift),
        meaning: "The questions changed, not the system: harder or longer ones are a larger share than before.",
        impact: "Averages fall while every kind of request is served as well as ever.",
        symptoms: &[
            "aggregate quality or latency is worse, every class by itself is flat",
            "one class or region grew",
            "a campaign or an outage elsewhere began",
        ],
        causes: &["a campaign", "a new integration or tenant", "users who work around another failure"],
        signals: &[Signal::Quality, Signal::LatencyP95, Signal::TokensPerRequest],
        question: "Which class of request moved, and is each class by itself as good as before?",
        checklist: &[
            "compare the request classes of both windows in the frame",
            "read quality and latency class by class",
            "ask who launched something",
        ],
        mitigation: &["route the new kind of request to what can do it", "do not roll anything back"],
    },
    Play {
        subject: Subject::Pattern(Pattern::PromptInjection),
        meaning: "Text from a user, a document or a tool acts as an instruction.",
        impact: "The model does what somebody else wants: gives data away, calls tools, insults.",
        symptoms: &[
            "answers repeat or discuss the system prompt",
            "tools are called that nothing in the question asks for",
            "blocks and refusals rise with one document or one user",
        ],
        causes: &[
            "a document in the index with instructions in it",
            "a user who tries",
            "a tool that returns text of strangers",
        ],
        signals: &[Signal::LeakRatio, Signal::BlockRatio, Signal::RefusalRatio],
        question: "Whose text was obeyed, by which way did it come in, and what could it reach?",
        checklist: &[
            "find the instruction in the failing samples: user text, document, tool result",
            "list the tools and data within reach of the model at that point",
            "search index and traces for the same text",
        ],
        mitigation: &[
            "take the document or the user out",
            "take tools with side effects away from the model",
            "treat what it reached as a data incident",
        ],
    },
    Play {
        subject: Subject::Pattern(Pattern::UpstreamProvider),
        meaning: "The provider of the model fails, throttles, slows down or serves another build.",
        impact: "Whatever the feature does, through no change of its own.",
        symptoms: &[
            "429 and 5xx by one provider",
            "latency of model calls rises with the tokens as ever",
            "the system fingerprint changes under one model name",
        ],
        causes: &["an incident of the provider", "a quota that is used up", "a silent model update"],
        signals: &[Signal::ErrorRatio, Signal::ModelTime, Signal::RetriesPerRequest],
        question: "Which upstream provider factor was at work, and did the contract or the fallback cover it?",
        checklist: &[
            "split errors, latency and fingerprints by provider and model",
            "read the provider's status page, and keep a copy of it",
            "check quotas and the retry policy",
        ],
        mitigation: &["route to the second provider", "pin a dated model version", "lower the rate of retries"],
    },
    Play {
        subject: Subject::Addendum("multi_turn_contamination"),
        meaning: "What was said, or answered wrongly, earlier in a session bends the later answers of that session.",
        impact: "A session that went wrong once stays wrong; others are fine, so averages hide it.",
        symptoms: &[
            "failures cluster by session, and within it by turn",
            "a failing request succeeds when it is replayed alone",
            "context tokens grow with the turns",
        ],
        causes: &[
            "a summary of the history that keeps an error",
            "memory shared between users or sessions",
            "an injected instruction that stays in the history",
        ],
        signals: &[Signal::Quality, Signal::TokensPerRequest],
        question: "At which turn did the session go wrong, and what carried the fault to the next turn?",
        checklist: &[
            "group failing samples by session and turn",
            "replay the failing turn without its history, then with it",
            "check that no memory is shared between sessions",
        ],
        mitigation: &["end the sessions concerned", "shorten or rebuild the history", "switch the memory off"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that the table is whole: every class and every pattern of the contract once, and nothing thin.
    #[test]
    fn every_class_and_pattern_has_its_entry() {
        let names: Vec<_> = PLAYBOOK.iter().map(|play| play.subject.name()).collect();
        let patterns = Pattern::ALL.map(Pattern::as_str);
        let wanted: Vec<_> =
            Class::ALL.into_iter().map(Class::as_str).chain(patterns).chain(["multi_turn_contamination"]).collect();
        assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>(), wanted.iter().collect());
        assert_eq!(names.len(), wanted.len());
        for play in &PLAYBOOK {
            assert!(
                play.symptoms.len() >= 3 && play.causes.len() >= 3 && play.checklist.len() >= 3,
                "{:?}",
                play.subject
            );
            assert!(play.question.ends_with('?') && play.mitigation.len() >= 2, "{:?}", play.subject);
            assert!(!play.alerts().is_empty(), "{:?} is detected by nothing", play.subject);
        }
    }

    /// Proves that each alert belongs to the entry of its class.
    #[test]
    fn every_alert_has_an_entry() {
        for rule in rules::built_in() {
            let play = Play::of(rule.class).unwrap();
            assert!(play.alerts().contains(&rule.name.to_string()));
            assert!(play.signals.contains(&rule.signal) || rule.signal == Signal::RetrievalScoreP50, "{}", rule.name);
        }
    }
}
