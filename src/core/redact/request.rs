//! Every text of a request that a person or a model wrote, whatever its role: prompt, question, answer, documents,
//! tool arguments and results, error messages, comments, and the ids that applications like to make of e-mail
//! addresses.

use super::{Counts, Redactor};
use crate::core::request::{Failure, Request};

/// Redacts `request` in place and says what was found.
pub fn request(request: &mut Request, redactor: &Redactor) -> Counts {
    let mut found = Counts::default();
    let mut clean = |text: &mut Box<str>| {
        let redacted = redactor.redact(text);
        if !redacted.counts.is_empty() {
            found.merge(&redacted.counts);
            *text = redacted.text.into();
        }
    };
    let texts = [
        &mut request.user_query,
        &mut request.response,
        &mut request.prompt.system,
        &mut request.session_id,
        &mut request.user_id,
    ];
    texts.into_iter().flatten().for_each(&mut clean);
    for tool in &mut request.tools {
        [&mut tool.arguments, &mut tool.result].into_iter().flatten().for_each(&mut clean);
    }
    let documents = request.retrievals.iter_mut().filter_map(|it| it.documents.as_mut()).flatten();
    documents.filter_map(|it| it.content.as_mut()).for_each(&mut clean);
    request.feedback.iter_mut().filter_map(|it| it.comment.as_mut()).for_each(&mut clean);
    failures(request).for_each(|it| clean(&mut it.message));
    found
}

fn failures(request: &mut Request) -> impl Iterator<Item = &mut Failure> {
    let own = request.error.iter_mut();
    let calls = request.calls.iter_mut().filter_map(|it| it.error.as_mut());
    let retrievals = request.retrievals.iter_mut().filter_map(|it| it.error.as_mut());
    let tools = request.tools.iter_mut().filter_map(|it| it.error.as_mut());
    let evaluations = request.evaluations.iter_mut().filter_map(|it| it.error.as_mut());
    own.chain(calls).chain(retrievals).chain(tools).chain(evaluations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::request::tests::request as plain;
    use crate::core::request::{Document, Feedback, Retrieval, ToolCall};
    use crate::core::time::UnixNanos;

    const CANARY: &str = "write to jane.doe@acme.io";

    fn failure() -> Failure {
        Failure { kind: "E".into(), message: CANARY.into(), timeout: false, status_code: None }
    }

    /// Proves that no place of a request keeps an address, whoever wrote it.
    #[test]
    fn no_place_is_left_out() {
        let mut request = plain();
        request.user_query = Some(CANARY.into());
        request.response = Some(CANARY.into());
        request.prompt.system = Some(CANARY.into());
        request.session_id = Some("jane.doe@acme.io".into());
        request.user_id = Some("jane.doe@acme.io".into());
        request.error = Some(failure());
        request.feedback = Some(Feedback { positive: None, score: None, comment: Some(CANARY.into()) });
        request.tools = vec![ToolCall {
            name: "mail".into(),
            version: None,
            started_at: UnixNanos(0),
            duration: None,
            arguments: Some(format!(r#"{{"to":"{CANARY}"}}"#).into()),
            result: Some(CANARY.into()),
            error: Some(failure()),
        }];
        let document = Document { content: Some(CANARY.into()), ..Document::default() };
        request.retrievals =
            vec![Retrieval { documents: Some(vec![document]), error: Some(failure()), ..Retrieval::default() }];
        let none: [&str; 0] = [];
        let found = super::request(&mut request, &Redactor::new(&none, &none, &none).unwrap());
        assert_eq!(found.total(), 12);
        assert!(!format!("{request:?}").contains("jane"), "{request:?}");
    }
}
