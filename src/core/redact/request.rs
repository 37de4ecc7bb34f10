//! Every text of a request, whatever its role: prompt, question, answer, documents, tool definitions, arguments and
//! results, error messages, comments; and the names and ids that applications like to make of addresses and URLs.
//! Deliberately left: digests, and what this crate names itself.

use super::{Counts, Redactor};
use crate::core::request::{Evaluation, Failure, ModelCall, Prompt, Request, Retrieval, Traffic};

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
    let own = [
        &mut request.user_query,
        &mut request.response,
        &mut request.session_id,
        &mut request.user_id,
        &mut request.request_id,
        &mut request.tool_path,
    ];
    own.into_iter().flatten().chain([&mut request.feature]).for_each(&mut clean);
    prompt(&mut request.prompt, &mut clean);
    traffic(&mut request.traffic, &mut clean);
    request.calls.iter_mut().for_each(|it| call(it, &mut clean));
    request.retrievals.iter_mut().for_each(|it| retrieval(it, &mut clean));
    request.evaluations.iter_mut().for_each(|it| evaluation(it, &mut clean));
    for tool in &mut request.tools {
        let texts = [&mut tool.version, &mut tool.arguments, &mut tool.result];
        texts.into_iter().flatten().chain([&mut tool.name]).for_each(&mut clean);
    }
    request.tools_offered.iter_mut().for_each(|tool| clean(&mut tool.json));
    request.feedback.iter_mut().filter_map(|it| it.comment.as_mut()).for_each(&mut clean);
    failures(request).flat_map(|it| [&mut it.kind, &mut it.message]).for_each(&mut clean);
    found
}

fn prompt(prompt: &mut Prompt, clean: &mut impl FnMut(&mut Box<str>)) {
    let texts = [&mut prompt.name, &mut prompt.version, &mut prompt.system];
    let components = prompt.components.iter_mut().flat_map(|(name, version)| [name, version]);
    texts.into_iter().flatten().chain(components).for_each(clean);
}

fn traffic(traffic: &mut Traffic, clean: &mut impl FnMut(&mut Box<str>)) {
    let Traffic { class, region, tier, language } = traffic;
    [class, region, tier, language].into_iter().flatten().for_each(clean);
}

fn call(call: &mut ModelCall, clean: &mut impl FnMut(&mut Box<str>)) {
    let texts = [
        &mut call.provider,
        &mut call.model_requested,
        &mut call.model_served,
        &mut call.route,
        &mut call.route_reason,
        &mut call.response_id,
    ];
    texts.into_iter().flatten().for_each(clean);
}

fn retrieval(retrieval: &mut Retrieval, clean: &mut impl FnMut(&mut Box<str>)) {
    let texts = [&mut retrieval.index, &mut retrieval.index_version, &mut retrieval.embedding_model];
    let documents = retrieval.documents.iter_mut().flatten().flat_map(|it| [&mut it.id, &mut it.content]);
    texts.into_iter().chain(documents).flatten().for_each(clean);
}

fn evaluation(evaluation: &mut Evaluation, clean: &mut impl FnMut(&mut Box<str>)) {
    let judge = &mut evaluation.judge;
    let texts = [&mut evaluation.label, &mut judge.name, &mut judge.model, &mut judge.version, &mut judge.prompt];
    texts.into_iter().flatten().for_each(clean);
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
            ran: true,
            arguments: Some(format!(r#"{{"to":"{CANARY}"}}"#).into()),
            result: Some(CANARY.into()),
            error: Some(failure()),
        }];
        let url = || Some("postgres://app:jane-hunter2@db/kb".into());
        let document = Document { id: url(), content: Some(CANARY.into()), ..Document::default() };
        request.retrievals = vec![Retrieval {
            index: url(),
            documents: Some(vec![document]),
            error: Some(failure()),
            ..Retrieval::default()
        }];
        request.prompt.components = vec![("greeting".into(), CANARY.into())];
        request.tools_offered = vec![crate::core::request::ToolSchema {
            name: "mail".into(),
            sha256: [0; 32],
            json: format!(r#"{{"description":"{CANARY}"}}"#).into(),
        }];
        request.traffic.tier = Some(CANARY.into());
        request.tool_path = Some(CANARY.into());
        let none: [&str; 0] = [];
        let found = super::request(&mut request, &Redactor::new(&none, &none, &none).unwrap());
        assert_eq!(found.total(), 18);
        assert!(!format!("{request:?}").contains("jane"), "{request:?}");
    }
}
