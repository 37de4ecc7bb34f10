//! What can be told, and its attributes.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::super::client::pair;
use super::time;
use crate::core::declared::Subject;
use crate::core::time::UnixNanos;
use crate::toolkit::report::Said;
use crate::toolkit::whole;

/// Bytes of a file of tool definitions.
const DEFINITIONS_BYTES_MAX: u64 = 1 << 20;

/// What is told.
#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum What {
    /// The judge of a metric, and how it is configured
    Judge(Judge),
    /// An index, its version and its freshness
    Index(Index),
    /// A prompt, its version and its components
    Prompt(Prompt),
    /// A tool, its version and its contract
    Tool(Tool),
    /// What a user said of an answer
    Feedback(Feedback),
}

/// Arguments of `record judge`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Judge {
    /// The metric it scores (gen_ai.evaluation.name)
    metric: String,
    /// The evaluator's name
    #[arg(long)]
    name: Option<String>,
    /// The evaluator's id
    #[arg(long)]
    id: Option<String>,
    /// llm_judge, deterministic, human, ...
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// The judge model
    #[arg(long)]
    model: Option<String>,
    /// The evaluator's version
    #[arg(long)]
    version: Option<String>,
    /// Version of the judge's prompt
    #[arg(long)]
    prompt_version: Option<String>,
    /// Digest of its whole configuration; counts where no prompt version is told
    #[arg(long)]
    config_hash: Option<String>,
    /// Version of the rubric
    #[arg(long)]
    rubric_version: Option<String>,
    /// Version of the reference data
    #[arg(long)]
    dataset_version: Option<String>,
    /// Scores from here on pass
    #[arg(long)]
    threshold: Option<f64>,
    /// When it was last calibrated against human labels, RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time)]
    calibrated_at: Option<UnixNanos>,
    /// active, paused or disabled
    #[arg(long)]
    state: Option<String>,
    /// The release that it signed off, so configured
    #[arg(long, value_name = "RELEASE")]
    signs_off: Option<String>,
}

/// Arguments of `record index`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Index {
    /// Its id, as retrieval spans have it (gen_ai.data_source.id)
    id: String,
    /// Its version or snapshot id
    #[arg(long)]
    version: Option<String>,
    /// When it last took over its source: RFC 3339, or now
    #[arg(long, value_name = "TIME", conflicts_with = "lag")]
    updated_at: Option<String>,
    /// Age of its data against its source, seconds
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    lag: Option<f64>,
    /// Whether a reindex is running
    #[arg(long, value_name = "true|false")]
    reindexing: Option<bool>,
    /// Changes of its source that it has not taken over: how many
    #[arg(long, value_name = "N", conflicts_with = "pending")]
    pending_changes: Option<u32>,
    /// A document whose change it has not taken over; may be repeated
    #[arg(long, value_name = "DOCUMENT")]
    pending: Vec<String>,
    /// The embedding model it was built with
    #[arg(long, value_name = "MODEL")]
    embedding_model: Option<String>,
}

/// Arguments of `record prompt`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Prompt {
    /// Its name (gen_ai.prompt.name)
    name: String,
    /// Its version
    #[arg(long)]
    version: Option<String>,
    /// A component it is made of; may be repeated
    #[arg(long = "component", value_name = "NAME=VERSION", value_parser = pair)]
    components: Vec<(String, String)>,
}

/// Arguments of `record tool`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Tool {
    /// Its name (gen_ai.tool.name); without it every tool of the definitions
    #[arg(required_unless_present = "definitions")]
    name: Option<String>,
    /// Its version
    #[arg(long)]
    version: Option<String>,
    /// A JSON file with its definition, or a list of definitions, in any SDK's form
    #[arg(long, value_name = "FILE")]
    definitions: Option<PathBuf>,
}

/// Arguments of `record feedback`.
#[derive(Clone, Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("answer").required(true).multiple(true).args(["trace_id", "response_id"])))]
#[command(group(clap::ArgGroup::new("verdict").required(true).args(["up", "down", "score"])))]
pub(super) struct Feedback {
    /// The trace it is about, 32 hex digits
    #[arg(long, value_name = "HEX", value_parser = hex::<16>)]
    trace_id: Option<Id>,
    /// The span it is about, 16 hex digits
    #[arg(long, value_name = "HEX", value_parser = hex::<8>, requires = "trace_id")]
    span_id: Option<Id>,
    /// The answer it is about, by the provider's response id
    #[arg(long, value_name = "ID")]
    response_id: Option<String>,
    /// The user liked it
    #[arg(long)]
    up: bool,
    /// The user did not
    #[arg(long)]
    down: bool,
    /// A score: 0 to 1, or stars
    #[arg(long, allow_negative_numbers = true)]
    score: Option<f64>,
    /// What the user wrote
    #[arg(long)]
    comment: Option<String>,
}

/// Bytes of an id.
#[derive(Clone, Debug)]
pub(super) struct Id(Vec<u8>);

impl What {
    pub(super) fn event_name(&self) -> &'static str {
        match self {
            Self::Judge(_) => Subject::Judge.event_name(),
            Self::Index(_) => Subject::Index.event_name(),
            Self::Prompt(_) => Subject::Prompt.event_name(),
            Self::Tool(_) => Subject::Tool.event_name(),
            Self::Feedback(_) => "gen_ai.evaluation.result",
        }
    }

    /// Trace id and span id; empty for none.
    pub(super) fn ids(&self) -> (Vec<u8>, Vec<u8>) {
        let bytes = |id: &Option<Id>| id.as_ref().map(|it| it.0.clone()).unwrap_or_default();
        match self {
            Self::Feedback(it) => (bytes(&it.trace_id), bytes(&it.span_id)),
            _ => (Vec::new(), Vec::new()),
        }
    }

    pub(super) fn attributes(&self, now: UnixNanos) -> anyhow::Result<Vec<(&'static str, Said)>> {
        let said = match self {
            Self::Judge(it) => it.attributes(),
            Self::Index(it) => it.attributes(now)?,
            Self::Prompt(it) => it.attributes(),
            Self::Tool(it) => it.attributes()?,
            Self::Feedback(it) => it.attributes(),
        };
        Ok(said.into_iter().flatten().collect())
    }
}

/// An attribute, when there is something to say.
type Maybe = Option<(&'static str, Said)>;

impl Judge {
    fn attributes(&self) -> Vec<Maybe> {
        vec![
            text("gen_ai.evaluation.name", Some(&self.metric)),
            text("gen_ai.evaluation.evaluator.name", self.name.as_ref()),
            text("gen_ai.evaluation.evaluator.id", self.id.as_ref()),
            text("gen_ai.evaluation.evaluator.type", self.kind.as_ref()),
            text("gen_ai.evaluation.evaluator.model", self.model.as_ref()),
            text("gen_ai.evaluation.evaluator.version", self.version.as_ref()),
            text("gen_ai.evaluation.evaluator.prompt.version", self.prompt_version.as_ref()),
            text("gen_ai.evaluation.evaluator.config.hash", self.config_hash.as_ref()),
            text("gen_ai.evaluation.rubric.version", self.rubric_version.as_ref()),
            text("gen_ai.evaluation.dataset.version", self.dataset_version.as_ref()),
            number("gen_ai.evaluation.threshold", self.threshold),
            self.calibrated_at.map(|at| ("gen_ai.evaluation.evaluator.calibrated_at", Said::Text(at.to_string()))),
            text("gen_ai.evaluation.state", self.state.as_ref()),
            text("freezeframe.release", self.signs_off.as_ref()),
        ]
    }
}

impl Index {
    fn attributes(&self, now: UnixNanos) -> anyhow::Result<Vec<Maybe>> {
        let updated_at = match self.updated_at.as_deref() {
            Some("now") => Some(now.to_string()),
            Some(text) => Some(time(text).map_err(anyhow::Error::msg).context("--updated-at")?.to_string()),
            None => None,
        };
        ensure!(self.lag.is_none_or(|lag| lag >= 0.0), "--lag: a lag is not negative");
        Ok(vec![
            text("gen_ai.data_source.id", Some(&self.id)),
            text("gen_ai.data_source.version", self.version.as_ref()),
            text("gen_ai.data_source.updated_at", updated_at.as_ref()),
            number("gen_ai.retrieval.freshness.lag", self.lag),
            self.reindexing.map(|flag| ("gen_ai.data_source.reindexing", Said::Flag(flag))),
            number("gen_ai.data_source.pending_changes", self.pending_changes.map(f64::from)).or_else(|| {
                let documents = (!self.pending.is_empty()).then(|| json!(self.pending).to_string());
                text("gen_ai.data_source.pending_changes", documents.as_ref())
            }),
            text("gen_ai.retrieval.embedding.model", self.embedding_model.as_ref()),
        ])
    }
}

impl Prompt {
    fn attributes(&self) -> Vec<Maybe> {
        let components: Vec<_> =
            self.components.iter().map(|(name, version)| json!({ "name": name, "version": version })).collect();
        let components = (!components.is_empty()).then(|| json!(components).to_string());
        vec![
            text("gen_ai.prompt.name", Some(&self.name)),
            text("gen_ai.prompt.version", self.version.as_ref()),
            text("gen_ai.prompt.components", components.as_ref()),
        ]
    }
}

impl Tool {
    fn attributes(&self) -> anyhow::Result<Vec<Maybe>> {
        let definitions = self.definitions.as_ref().map(|path| {
            let text = whole::text(path, DEFINITIONS_BYTES_MAX)?;
            let json: serde_json::Value =
                serde_json::from_str(&text).with_context(|| format!("{}: not JSON", path.display()))?;
            anyhow::Ok(json.to_string())
        });
        Ok(vec![
            text("gen_ai.tool.name", self.name.as_ref()),
            text("gen_ai.tool.version", self.version.as_ref()),
            text("gen_ai.tool.definitions", definitions.transpose()?.as_ref()),
        ])
    }
}

impl Feedback {
    fn attributes(&self) -> Vec<Maybe> {
        let thumb = [(self.up, 1.0, "thumbs_up"), (self.down, 0.0, "thumbs_down")].into_iter().find(|(set, ..)| *set);
        let label = thumb.map(|(_, _, label)| label.to_owned());
        vec![
            text("gen_ai.evaluation.name", Some(&"user_feedback".to_owned())),
            text("gen_ai.evaluation.evaluator.type", Some(&"human".to_owned())),
            number("gen_ai.evaluation.score.value", self.score.or(thumb.map(|(_, score, _)| score))),
            text("gen_ai.evaluation.score.label", label.as_ref()),
            text("gen_ai.evaluation.explanation", self.comment.as_ref()),
            text("gen_ai.response.id", self.response_id.as_ref()),
        ]
    }
}

fn text(key: &'static str, value: Option<&String>) -> Maybe {
    value.map(|text| (key, Said::Text(text.clone())))
}

fn number(key: &'static str, value: Option<f64>) -> Maybe {
    value.map(|number| (key, Said::Number(number)))
}

/// An id of `N` bytes, not all zero.
fn hex<const N: usize>(text: &str) -> Result<Id, String> {
    let digits = text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    let bytes: Option<Vec<u8>> = digits.collect();
    bytes
        .filter(|it| text.len() == 2 * N && it.iter().any(|byte| *byte != 0))
        .map(Id)
        .ok_or(format!("expected {} hex digits", 2 * N))
}
