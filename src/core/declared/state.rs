//! What a declaration says of a judge, index, prompt or tool. One type for all four: each uses what it has.

use crate::core::request::{Judge, ToolSchema};
use crate::core::time::UnixNanos;

/// Changes of a source that its index has not taken over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// How many.
    pub changes: u64,
    /// The documents they change, as far as they are told.
    pub documents: Vec<Box<str>>,
}

/// What is said; what is not said is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Version of an index, prompt or tool.
    pub version: Option<Box<str>>,
    /// Components of a prompt: `(component, version)`, in order of component.
    pub components: Vec<(Box<str>, Box<str>)>,
    /// When an index last took over its source.
    pub updated_at: Option<UnixNanos>,
    /// Whether a reindex is running.
    pub reindexing: Option<bool>,
    /// What an index has not taken over of its source.
    pub pending: Option<Pending>,
    /// Embedding model of an index.
    pub embedding_model: Option<Box<str>>,
    /// Contract of a tool.
    pub schema: Option<ToolSchema>,
    /// Configuration of a judge.
    pub judge: Judge,
    /// Whether a judge is at work: `active`, `paused`, `disabled`.
    pub activity: Option<Box<str>>,
}

impl State {
    /// Takes over what `older` says and this one does not, unless they are about different evaluators.
    pub(super) fn fill(&mut self, older: &Self) {
        // What was pending is told anew with a new version, or when the source was taken over.
        if self.version.is_none() && self.updated_at.is_none() {
            keep(&mut self.pending, &older.pending);
        }
        keep(&mut self.version, &older.version);
        keep(&mut self.updated_at, &older.updated_at);
        keep(&mut self.reindexing, &older.reindexing);
        keep(&mut self.embedding_model, &older.embedding_model);
        keep(&mut self.schema, &older.schema);
        keep(&mut self.activity, &older.activity);
        if self.components.is_empty() {
            self.components.clone_from(&older.components);
        }
        if agree(&self.judge.name, &older.judge.name) {
            fill_judge(&mut self.judge, &older.judge);
        }
    }

    /// Whether a judge in this state judges.
    pub(super) fn is_at_work(&self) -> bool {
        !matches!(self.activity.as_deref(), Some("paused" | "disabled"))
    }

    /// Whether a version of it is among what is `named`.
    pub(super) fn tells(&self, named: impl Fn(&str) -> bool) -> bool {
        let own = [&self.version, &self.judge.version, &self.judge.rubric_version].into_iter().flatten();
        own.chain(self.components.iter().map(|(_, version)| version)).any(|version| named(version))
    }

    /// Bytes of its texts.
    pub(super) fn bytes(&self) -> usize {
        let judge = &self.judge;
        let words = [
            &self.version,
            &self.embedding_model,
            &self.activity,
            &judge.name,
            &judge.kind,
            &judge.model,
            &judge.version,
            &judge.prompt,
            &judge.rubric_version,
            &judge.dataset_version,
        ];
        let words: usize = words.into_iter().flatten().map(|it| it.len()).sum();
        let components =
            self.components.iter().map(|(name, version)| size_of::<[Box<str>; 2]>() + name.len() + version.len());
        let pending = self.pending.iter().flat_map(|it| &it.documents).map(|it| size_of::<Box<str>>() + it.len());
        words
            + components.sum::<usize>()
            + pending.sum::<usize>()
            + self.schema.as_ref().map_or(0, |it| it.name.len() + it.json.len())
    }
}

/// Takes over what `from` says of the judge and `judge` does not.
pub(super) fn fill_judge(judge: &mut Judge, from: &Judge) {
    keep(&mut judge.name, &from.name);
    keep(&mut judge.kind, &from.kind);
    keep(&mut judge.model, &from.model);
    keep(&mut judge.version, &from.version);
    keep(&mut judge.prompt, &from.prompt);
    keep(&mut judge.rubric_version, &from.rubric_version);
    keep(&mut judge.dataset_version, &from.dataset_version);
    keep(&mut judge.threshold, &from.threshold);
    keep(&mut judge.calibrated_at, &from.calibrated_at);
    keep(&mut judge.agreement, &from.agreement);
}

/// Takes over `theirs` where there is nothing.
pub(super) fn keep<T: Clone>(own: &mut Option<T>, theirs: &Option<T>) {
    if own.is_none() {
        own.clone_from(theirs);
    }
}

/// Whether both can be about the same thing: they do not name different ones.
pub(super) fn agree(own: &Option<Box<str>>, declared: &Option<Box<str>>) -> bool {
    own.as_ref().zip(declared.as_ref()).is_none_or(|(own, declared)| own == declared)
}
