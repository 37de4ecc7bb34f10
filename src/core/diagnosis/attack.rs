//! Instructions of strangers: a guardrail's verdict, else the phrases of attacks. Phrases are no classifier.

use super::told::{failed, is_about, verdict};
use super::{Finding, Mode};
use crate::core::request::{Outcome, Request};
pub(super) use crate::core::triage::ATTACK_METRICS as METRICS;
use crate::core::triage::is_attack_text;

/// Text that carries instructions where none belong, in the question or in what was retrieved.
pub(super) fn attack(request: &Request) -> Option<Finding> {
    let end = match request.outcome {
        Outcome::Blocked => "; it was blocked",
        Outcome::Refused => "; the model refused",
        Outcome::Ok | Outcome::Error => "",
    };
    if let Some(it) = failed(request).find(|it| is_about(it, &METRICS)) {
        let line = format!("{} found an attack{end}", it.metric);
        return Some(Finding::new(Mode::PromptInjection, line, vec![verdict(it)]));
    }
    let documents = request.retrievals.iter().flat_map(|it| it.documents.iter().flatten());
    let suspect = documents.clone().find(|it| it.content.as_deref().is_some_and(is_attack_text));
    let place = match suspect {
        Some(document) => format!("document {}", document.id.as_deref().unwrap_or("without an id")),
        None => request.user_query.as_deref().filter(|it| is_attack_text(it)).map(|_| "the question".to_owned())?,
    };
    let line = format!("Instructions to the model in {place}{end} (phrase pattern, not a classifier)");
    Some(Finding::new(Mode::PromptInjection, line, vec![format!("place={place}"), "basis=phrase pattern".into()]))
}
