//! Reading a declaration from its log record: which of the four it is about by the event's name, what it says by the
//! same attributes that spans use.

use super::{Pending, State};
use crate::core::dialect::{Field, Normaliser, Scalar};
use crate::core::message::{Json, cut, of_value};
use crate::core::request::ToolSchema;
use crate::core::said::{self, components, short, word};
use crate::core::schema;
use crate::core::span::LlmSpan;
use crate::core::time::UnixNanos;
use crate::otlp::{LogRecord, Resource};

/// Tools of one declaration.
const TOOLS_MAX: usize = 64;
/// Documents of one declaration that are told as changed.
const PENDING_MAX: usize = 64;
/// Bytes kept of a tool's contract; its digest is of all of it.
const SCHEMA_BYTES_MAX: usize = 16 << 10;

/// What is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A judge, by the metric it scores, else by its own name.
    Judge,
    /// The judge that signed off a release, which is the version, by the same name.
    SignOff,
    /// An index, by its id.
    Index,
    /// A prompt, by its name.
    Prompt,
    /// A tool, by its name.
    Tool,
}

/// One report of a thing's state: evidence of who said what, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// The record's own time.
    pub at: UnixNanos,
    /// `service.name` of whoever reported it.
    pub source: Option<Box<str>>,
    /// What was said.
    pub state: State,
}

impl Subject {
    /// Those that have an event of their own: a judge's tells of a sign-off, too.
    pub const ALL: [Self; 4] = [Self::Judge, Self::Index, Self::Prompt, Self::Tool];

    /// The name of the events that declare it.
    #[must_use]
    pub fn event_name(self) -> &'static str {
        match self {
            Self::Judge | Self::SignOff => "gen_ai.evaluation.evaluator.state",
            Self::Index => "gen_ai.data_source.state",
            Self::Prompt => "gen_ai.prompt.state",
            Self::Tool => "gen_ai.tool.state",
        }
    }

    /// What a record declares, if it does.
    #[must_use]
    pub fn of(record: &LogRecord<'_>) -> Option<Self> {
        let attribute = |key| match record.attributes().get(key).and_then(Scalar::of) {
            Some(Scalar::Text(name)) => Some(name.as_bytes()),
            _ => None,
        };
        let name = match record.event_name {
            b"" => attribute("event.name").or_else(|| attribute("event_name"))?,
            name => name,
        };
        Self::ALL.into_iter().find(|it| it.event_name().as_bytes() == name)
    }
}

impl Declaration {
    /// Bytes of its texts.
    pub(super) fn bytes(&self) -> usize {
        self.source.as_ref().map_or(0, |it| it.len()) + self.state.bytes()
    }
}

/// The release that a judge signed off.
const RELEASE: &str = "freezeframe.release";

/// Declarations by what they are about, and its name.
type Told = Vec<(Subject, Box<str>, Declaration)>;

/// Whether a record is of a drill, whose versions hold for no request.
pub(super) fn is_drill(normaliser: &Normaliser, resource: &Resource<'_>, record: &LogRecord<'_>) -> bool {
    let mark = |said: &LlmSpan<'_>| word(said, Field::Drill).is_some_and(|mark| said::is_drill(&mark));
    mark(&normaliser.attributes(record.attributes())) || mark(&normaliser.attributes(resource.attributes))
}

/// The feature a record is about, `None` for every feature, and what it says by name: several things only of tools.
/// Empty when nothing is named.
pub(super) fn read(
    normaliser: &Normaliser,
    now: UnixNanos,
    subject: Subject,
    resource: &Resource<'_>,
    record: &LogRecord<'_>,
) -> (Option<Box<str>>, Told) {
    let said = normaliser.attributes(record.attributes());
    let origin = normaliser.attributes(resource.attributes);
    let own = record.attributes().get("freezeframe.feature").and_then(Scalar::of).map(Scalar::text);
    let feature = own.map(|it| short(&it)).or_else(|| said.feature.or(origin.feature).map(|(_, name)| short(name)));
    let at = [record.time_unix_nano, record.observed_time_unix_nano].into_iter().find(|at| *at > 0);
    let at = at.map_or(now, |at| UnixNanos(at).min(now));
    let states = match subject {
        Subject::Judge | Subject::SignOff => judge(&said, record).into_iter().collect(),
        Subject::Index => index(&said, at).into_iter().collect(),
        Subject::Prompt => prompt(&said).into_iter().collect(),
        Subject::Tool => tools(&said),
    };
    let source = word(&origin, Field::Service).or_else(|| word(&said, Field::Service));
    let declared = |subject, name, state| (subject, name, Declaration { at, source: source.clone(), state });
    let release = record.attributes().get(RELEASE).and_then(Scalar::of).map(|it| short(&it.text()));
    let signed_off =
        states.first().filter(|_| subject == Subject::Judge).zip(release).map(|((name, state), release)| {
            declared(Subject::SignOff, name.clone(), State { version: Some(release), activity: None, ..state.clone() })
        });
    (feature, states.into_iter().map(|(name, state)| declared(subject, name, state)).chain(signed_off).collect())
}

fn judge(said: &LlmSpan<'_>, record: &LogRecord<'_>) -> Option<(Box<str>, State)> {
    let judge = said::judge(said);
    let activity = record.attributes().get("gen_ai.evaluation.state").and_then(Scalar::of);
    let name = word(said, Field::EvaluationName).or_else(|| judge.name.clone())?;
    let activity = activity.map(|it| short(&it.text().to_ascii_lowercase()));
    Some((name, State { judge, activity, ..State::default() }))
}

/// A lag is told as the time the index last took over its source, so that it grows until the next declaration.
fn index(said: &LlmSpan<'_>, at: UnixNanos) -> Option<(Box<str>, State)> {
    let lag = said.get(Field::FreshnessLag).and_then(|it| it.duration(1.0));
    let state = State {
        version: word(said, Field::IndexVersion),
        updated_at: lag.map(|lag| at.minus(lag)).or_else(|| said.get(Field::IndexUpdatedAt)?.time()),
        reindexing: said.get(Field::Reindexing).and_then(Scalar::bool),
        pending: pending(said),
        embedding_model: word(said, Field::EmbeddingModel),
        ..State::default()
    };
    Some((word(said, Field::Index)?, state))
}

/// A number of changes, or a list of the documents they change.
fn pending(said: &LlmSpan<'_>) -> Option<Pending> {
    if let Some(changes) = said.get(Field::PendingChanges).and_then(Scalar::u64) {
        return Some(Pending { changes, documents: Vec::new() });
    }
    let json = of_value(said.fields.value(Field::PendingChanges))?;
    let documents = Json::new(&json).all_items()?;
    let changes = documents.len() as u64;
    let documents = documents.into_iter().take(PENDING_MAX).map(|it| short(&it.text_or_raw())).collect();
    Some(Pending { changes, documents })
}

fn prompt(said: &LlmSpan<'_>) -> Option<(Box<str>, State)> {
    let name = word(said, Field::PromptName)?;
    Some((name, State { version: word(said, Field::PromptVersion), components: components(said), ..State::default() }))
}

/// The tool that is named, with its contract; without a name every tool that is defined.
fn tools(said: &LlmSpan<'_>) -> Vec<(Box<str>, State)> {
    let json = of_value(said.fields.value(Field::ToolDefinitions));
    let mut schemas = json.map(|json| schema::schemas(&json)).unwrap_or_default();
    schemas.truncate(TOOLS_MAX);
    for schema in &mut schemas {
        schema.name = short(&schema.name);
        schema.json = cut(&schema.json, SCHEMA_BYTES_MAX).into();
    }
    let version = word(said, Field::ToolVersion);
    let state = |schema: Option<ToolSchema>| State { version: version.clone(), schema, ..State::default() };
    match word(said, Field::ToolName) {
        Some(name) => vec![(name.clone(), state(schemas.into_iter().find(|it| it.name == name)))],
        None => schemas.into_iter().map(|schema| (schema.name.clone(), state(Some(schema)))).collect(),
    }
}
