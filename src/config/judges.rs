//! The list `judges`: models that are asked what they think of production's answers. Empty unless somebody writes it, and
//! then nothing is sent anywhere.

use std::path::PathBuf;
use std::time::Duration;

use super::error::Problems;
use super::fields::{Draft, Field, Table};
use super::rules::items;
use super::slot::Slot;
use super::yaml::Node;
use super::{Golden, JUDGES_MAX, Judge};

/// A judge being written.
#[derive(Clone, Debug, Default)]
pub(super) struct JudgeDraft {
    pub(super) judge: Judge,
    pub(super) api_key_file: Option<PathBuf>,
    pub(super) golden_path: Option<PathBuf>,
    golden_every: Duration,
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// The fields of one judge.
pub(super) const JUDGE_FIELDS: &[Field<JudgeDraft>] = &[
    Field {
        path: "name",
        meaning: "Name of the judge and of its metric (gen_ai.evaluation.name).",
        slot: |one| Slot::Text(&mut one.judge.name),
    },
    Field {
        path: "endpoint",
        meaning: "Base URL of an API like OpenAI's, as https://api.openai.com/v1; /chat/completions is added.",
        slot: |one| Slot::Url(&mut one.judge.endpoint),
    },
    Field { path: "model", meaning: "The model that judges.", slot: |one| Slot::Text(&mut one.judge.model) },
    Field {
        path: "api_key",
        meaning: "Key of the endpoint, as ${env:OPENAI_API_KEY}.",
        slot: |one| Slot::Secret(&mut one.judge.api_key),
    },
    Field {
        path: "api_key_file",
        meaning: "File that holds the key, read at start; instead of api_key.",
        slot: |one| Slot::MaybePath(&mut one.api_key_file),
    },
    Field {
        path: "insecure",
        meaning: "Whether the key may go over plain http to another machine.",
        slot: |one| Slot::Flag(&mut one.judge.insecure),
    },
    Field {
        path: "rubric",
        meaning: "What makes a good answer, in words for the model.",
        slot: |one| Slot::Prose(&mut one.judge.rubric),
    },
    Field {
        path: "version",
        meaning: "Version of this configuration as people call it; its digest is recorded beside it in any case.",
        slot: |one| Slot::MaybeText(&mut one.judge.version),
    },
    Field {
        path: "threshold",
        meaning: "Scores from here on pass.",
        slot: |one| Slot::Share(&mut one.judge.threshold),
    },
    Field {
        path: "temperature",
        meaning: "Sampling temperature; null leaves it to the model, for models that take none.",
        slot: |one| Slot::Number(&mut one.judge.temperature),
    },
    Field {
        path: "features",
        meaning: "Features it judges, as globs with * and ?; empty for all.",
        slot: |one| Slot::Texts(&mut one.judge.features),
    },
    Field {
        path: "sample.share",
        meaning: "Share of all requests that are judged, by lot: the only ones that count in rates.",
        slot: |one| Slot::Share(&mut one.judge.sample.share),
    },
    Field {
        path: "sample.failing",
        meaning: "Share of those that went wrong that are judged.",
        slot: |one| Slot::Share(&mut one.judge.sample.failing),
    },
    Field {
        path: "sample.per_value",
        meaning: "Requests an hour that are judged of each prompt version, served model and index version, at least.",
        slot: |one| Slot::Count(&mut one.judge.sample.per_value, 0..=1000),
    },
    Field {
        path: "max_per_minute",
        meaning: "Requests a minute that are judged, at most, in the long run; a quarter of it at once.",
        slot: |one| Slot::Count(&mut one.judge.sample.per_minute, 1..=10_000),
    },
    Field {
        path: "timeout",
        meaning: "Bound of one attempt.",
        slot: |one| Slot::Time(&mut one.judge.timeout, SECOND / 10..=300 * SECOND),
    },
    Field {
        path: "golden.path",
        meaning: "JSON lines of answers with human labels that the judge is scored on, at start and then every golden.every.",
        slot: |one| Slot::MaybePath(&mut one.golden_path),
    },
    Field {
        path: "golden.every",
        meaning: "How often the golden set is scored again.",
        slot: |one| Slot::Time(&mut one.golden_every, SECOND..=30 * DAY),
    },
];

/// Reads the list into the draft.
pub(super) fn read(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    let items = items(node, "judges", problems);
    if items.len() > JUDGES_MAX {
        let found = format!("{} judges", items.len());
        problems.error(Some(node.at), "judges", found, format!("at most {JUDGES_MAX}"));
    }
    for (index, item) in items.iter().take(JUDGES_MAX).enumerate() {
        let prefix = format!("judges[{index}]");
        let mut written = JudgeDraft::of(&Judge::default());
        Table { fields: JUDGE_FIELDS, lists: &[], prefix: &prefix }.read(item, "", &mut written, problems);
        problems.wrote(&prefix, item.at);
        draft.judges.push(written);
    }
}

impl JudgeDraft {
    /// The draft of a compiled judge.
    pub(super) fn of(judge: &Judge) -> Self {
        let golden = judge.golden.as_ref();
        Self {
            api_key_file: None,
            golden_path: golden.map(|it| it.path.clone()),
            golden_every: golden.map_or(DAY, |it| it.every),
            judge: judge.clone(),
        }
    }

    /// The golden set as it is asked for, without what is in it.
    pub(super) fn golden(&self) -> Option<(PathBuf, Duration)> {
        Some((self.golden_path.clone()?, self.golden_every))
    }
}

impl Default for Judge {
    fn default() -> Self {
        Self {
            name: String::new(),
            endpoint: String::new(),
            model: String::new(),
            api_key: None,
            insecure: false,
            rubric: String::new(),
            version: None,
            // The middle of the scale the model is told.
            threshold: 0.5,
            // The same answer to the same question, as far as the model can.
            temperature: Some(0.0),
            features: Vec::new(),
            sample: crate::core::sampling::Settings::default(),
            // Longer than a verdict of one sentence takes.
            timeout: Duration::from_secs(30),
            golden: None,
        }
    }
}

impl PartialEq for Golden {
    /// The set by its digest.
    fn eq(&self, other: &Self) -> bool {
        (&self.path, self.every, &self.set.sha256) == (&other.path, other.every, &other.set.sha256)
    }
}
