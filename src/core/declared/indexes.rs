//! What is declared of the indexes at a moment: the state that no request tells.

use serde_json::{Value as Json, json};

use super::{Declared, SHOWN_MAX, Subject};
use crate::core::time::UnixNanos;

impl Declared {
    /// What holds at `at` of every index declared for the feature or for every one, in order of name; of the whole service
    /// what is declared for any. At most [`SHOWN_MAX`].
    #[must_use]
    pub fn indexes(&self, feature: &str, at: UnixNanos) -> Json {
        let mut shown = Vec::new();
        for scope in self.scopes(feature, at) {
            let things = scope.own.iter().chain(scope.all).filter(|it| it.subject == Subject::Index);
            let mut names: Vec<&str> = things.map(|it| &*it.name).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let Some(state) = scope.named(Subject::Index, name) else { continue };
                shown.push(json!({
                    "index": name,
                    "version": state.version,
                    "embedding_model": state.embedding_model,
                    "freshness_lag_s": state.updated_at.map(|updated_at| at.since(updated_at).as_secs_f64()),
                    "reindexing": state.reindexing,
                    "pending_changes": state.pending.as_ref().map(|it| it.changes),
                    "pending_documents": state.pending.map(|it| it.documents).unwrap_or_default(),
                }));
            }
        }
        shown.truncate(SHOWN_MAX);
        shown.into()
    }
}
