//! Retrievals: one a search as the application sees it. A vector store's client span inside a retriever's, or
//! inside a task that returned the documents, is the same search.

use std::time::Duration;

use super::record::Record;
use super::shape::Shape;
use crate::core::dialect::{Field, Scalar};
use crate::core::request::{Document, Retrieval};
use crate::core::span::Kind;
use crate::core::time::UnixNanos;

/// The retrievals of a settled trace in order of start; `lookup` finds a field on the record or on what is said
/// for the whole request, `asked_at` is when the request began.
pub(super) fn of<'a>(
    spans: &'a [Record],
    shape: &Shape,
    asked_at: UnixNanos,
    lookup: impl Fn(&'a Record, Field) -> Option<Scalar<'a>>,
) -> Vec<Retrieval> {
    let outermost = |at: usize| shape.ancestors(at).filter(|it| spans[*it].kind == Kind::Retrieval).last();
    let searches = (0..spans.len()).filter(|at| spans[*at].kind == Kind::Retrieval && !shape.is_judged(*at));
    searches
        .filter(|at| outermost(*at).is_none())
        .map(|at| {
            let inside: Vec<&Record> =
                (0..spans.len()).filter(|it| shape.ancestors(*it).any(|up| up == at)).map(|it| &spans[it]).collect();
            let searches =
                || std::iter::once(&spans[at]).chain(inside.iter().copied().filter(|it| it.kind == Kind::Retrieval));
            let find =
                |field: Field| searches().find_map(|it| it.fields.get(field)).or_else(|| lookup(&spans[at], field));
            let text = |field: Field| find(field).map(|it| it.text().into());
            let documents = searches().find_map(documents).or_else(|| returned(spans, shape, at));
            Retrieval {
                index: text(Field::Index),
                index_version: text(Field::IndexVersion),
                embedding_model: text(Field::EmbeddingModel).or_else(|| embedding_model(spans, shape, at)),
                freshness_lag: find(Field::FreshnessLag).and_then(|it| it.duration(1.0)).or_else(|| {
                    let updated_at = find(Field::IndexUpdatedAt).and_then(Scalar::time);
                    lag(asked_at, updated_at, documents.as_deref())
                }),
                reindexing: find(Field::Reindexing).and_then(Scalar::bool),
                started_at: spans[at].start,
                duration: spans[at].end.since(spans[at].start),
                error: searches().find_map(|it| it.failure.clone()),
                documents,
            }
        })
        .collect()
}

fn documents(span: &Record) -> Option<Vec<Document>> {
    span.content.as_ref()?.documents.clone()
}

/// The documents of the task around the search.
fn returned(spans: &[Record], shape: &Shape, at: usize) -> Option<Vec<Document>> {
    shape.ancestors(at).filter(|up| spans[*up].kind == Kind::Chain).find_map(|up| documents(&spans[up]))
}

/// The model that embedded the question: inside the search, else beside it.
fn embedding_model(spans: &[Record], shape: &Shape, at: usize) -> Option<Box<str>> {
    let parent = shape.ancestors(at).next();
    let embeddings = || (0..spans.len()).filter(|it| spans[*it].kind == Kind::Embedding);
    let inside = embeddings().find(|it| shape.ancestors(*it).any(|up| up == at));
    let beside = || embeddings().find(|it| parent.is_some() && shape.ancestors(*it).next() == parent);
    let fields = &spans[inside.or_else(beside)?].fields;
    fields.text(Field::ModelRequested).or_else(|| fields.text(Field::ModelServed))
}

/// Age of what was served: since the index took over its source, else since the newest document changed.
pub(super) fn lag(
    asked_at: UnixNanos,
    updated_at: Option<UnixNanos>,
    documents: Option<&[Document]>,
) -> Option<Duration> {
    let newest = || documents?.iter().filter_map(|it| it.updated_at).max();
    Some(asked_at.since(updated_at.or_else(newest)?))
}
