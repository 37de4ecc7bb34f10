//! The index that was searched, its version and how stale it was.

use serde_json::{Value as Json, json};

use super::distinct;
use crate::core::request::{Request, Retrieval};

/// `kb@2026-11-20`; several indexes of one request joined by `+`.
pub(super) fn value(request: &Request) -> Option<String> {
    distinct(request.retrievals.iter().filter_map(retrieval_value))
}

fn retrieval_value(retrieval: &Retrieval) -> Option<String> {
    match (&retrieval.index, &retrieval.index_version) {
        (Some(index), Some(version)) => Some(format!("{index}@{version}")),
        (Some(index), None) => Some(index.to_string()),
        (None, Some(version)) => Some(format!("index@{version}")),
        (None, None) => None,
    }
}

pub(super) fn detail(request: &Request) -> Json {
    let indexes: Vec<Json> = request
        .retrievals
        .iter()
        .map(|retrieval| {
            json!({
                "index": retrieval.index,
                "version": retrieval.index_version,
                "embedding_model": retrieval.embedding_model,
            })
        })
        .collect();
    json!({ "indexes": indexes })
}

pub(super) fn instrument() -> &'static str {
    "no retrieval names its index: set gen_ai.data_source.id, gen_ai.data_source.version and \
     gen_ai.data_source.updated_at (or gen_ai.retrieval.freshness.lag) on the retrieval span or the resource, or declare them with \
     freezeframe record index"
}
