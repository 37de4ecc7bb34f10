//! The prompt version of a request against the one in service: as expected, as declared, or as the recording shows.

use super::{Finding, Mode, Reference};
use crate::core::request::Request;

/// Another version than the one in service.
pub(super) fn wrong(request: &Request, expected: Option<&str>, reference: Option<&Reference>) -> Option<Finding> {
    let used = request.prompt.version.as_deref()?;
    let asked = expected.map(|it| (it, "as expected"));
    let declared = || request.prompt.expected.as_deref().map(|it| (it, "as declared"));
    let seen = || Some((reference?.replaced_by(used, request.started_at)?, "as other requests show"));
    let (served, source) = asked.or_else(declared).or_else(seen).filter(|(served, _)| *served != used)?;
    let line = format!("Prompt {used} was used where {served} is in service, {source}");
    let evidence = vec![format!("prompt_version={used}"), format!("in_service={served}"), format!("source={source}")];
    Some(Finding::new(Mode::WrongPromptVersion, line, evidence))
}
