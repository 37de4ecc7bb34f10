//! Every text of a request, whatever its role: prompt, question, answer, documents, tool definitions, arguments and
//! results, error messages, comments; and the names and ids that applications like to make of addresses and URLs.
//! Deliberately left: digests, and what this crate names itself.
//!
//! With a key of pseudonyms the user's id goes whole, so that "the same user in five of six failing requests" can be
//! read without a name. Session and request ids stay, unless they hold something: they lead to the application's own
//! logs, as the trace id does, and say nothing of a person by themselves.

use super::{Counts, Redactor};
use crate::core::request::{Evaluation, Failure, ModelCall, Prompt, Request, Retrieval, Traffic};

/// Redacts `request` in place and says what was found.
pub fn request(request: &mut Request, redactor: &Redactor) -> Counts {
    let mut found = Counts::default();
    if let Some(user_id) = &mut request.user_id
        && let Some(pseudonym) = redactor.user_id(user_id, &mut found)
    {
        *user_id = pseudonym.into();
    }
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
        &mut request.tools_version,
        &mut request.operation,
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
    request.tools_offered.iter_mut().flat_map(|tool| [&mut tool.name, &mut tool.json]).for_each(&mut clean);
    request.feedback.iter_mut().filter_map(|it| it.comment.as_mut()).for_each(&mut clean);
    failures(request).flat_map(|it| [&mut it.kind, &mut it.message]).for_each(&mut clean);
    found
}

fn prompt(prompt: &mut Prompt, clean: &mut impl FnMut(&mut Box<str>)) {
    let texts = [&mut prompt.name, &mut prompt.version, &mut prompt.expected, &mut prompt.system];
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
        &mut call.fingerprint,
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
    let texts = [
        &mut evaluation.label,
        &mut judge.name,
        &mut judge.kind,
        &mut judge.model,
        &mut judge.version,
        &mut judge.prompt,
        &mut judge.rubric_version,
        &mut judge.dataset_version,
    ];
    texts.into_iter().flatten().chain([&mut evaluation.metric]).for_each(clean);
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
    use std::time::Duration;

    use super::super::{PseudonymKey, Settings};
    use super::*;
    use crate::core::request::tests::request as plain;
    use crate::core::request::{Document, Feedback, Judge, ToolCall, ToolSchema};
    use crate::core::time::UnixNanos;

    const TIME: UnixNanos = UnixNanos(0);

    fn redactor() -> Redactor {
        Redactor::new(&Settings::default()).unwrap()
    }

    fn failure(text: &str) -> Failure {
        Failure { kind: text.into(), message: text.into(), timeout: false, status_code: None }
    }

    /// A request with `text` in each of its texts. No `..`: a new field must be thought of here.
    fn full(text: &str) -> Request {
        let some = || Some(Box::<str>::from(text));
        Request {
            feature: text.into(),
            session_id: some(),
            user_id: some(),
            request_id: some(),
            operation: some(),
            error: Some(failure(text)),
            prompt: Prompt {
                name: some(),
                version: some(),
                expected: some(),
                components: vec![(text.into(), text.into())],
                system: some(),
                sha256: None,
            },
            user_query: some(),
            response: some(),
            calls: vec![model_call(text)],
            retrievals: vec![search(text)],
            tools: vec![ToolCall {
                name: text.into(),
                version: some(),
                started_at: TIME,
                duration: None,
                ran: true,
                arguments: some(),
                result: some(),
                error: Some(failure(text)),
            }],
            tools_offered: vec![ToolSchema { name: text.into(), sha256: [0; 32], json: text.into() }],
            tool_path: some(),
            tools_version: some(),
            evaluations: vec![verdict(text)],
            feedback: Some(Feedback { positive: None, score: None, comment: some() }),
            traffic: Traffic { class: some(), region: some(), tier: some(), language: some() },
            ..plain()
        }
    }

    fn model_call(text: &str) -> ModelCall {
        let some = || Some(Box::<str>::from(text));
        ModelCall {
            provider: some(),
            model_requested: some(),
            model_served: some(),
            fingerprint: some(),
            route: some(),
            route_reason: some(),
            response_id: some(),
            error: Some(failure(text)),
            ..ModelCall::default()
        }
    }

    fn search(text: &str) -> Retrieval {
        let some = || Some(Box::<str>::from(text));
        Retrieval {
            index: some(),
            index_version: some(),
            embedding_model: some(),
            freshness_lag: None,
            reindexing: None,
            documents: Some(vec![Document { id: some(), score: None, content: some(), updated_at: None }]),
            started_at: TIME,
            duration: Duration::ZERO,
            error: Some(failure(text)),
        }
    }

    fn verdict(text: &str) -> Evaluation {
        let some = || Some(Box::<str>::from(text));
        Evaluation {
            metric: text.into(),
            score: None,
            label: some(),
            passed: None,
            judge: Judge {
                name: some(),
                kind: some(),
                model: some(),
                version: some(),
                prompt: some(),
                rubric_version: some(),
                dataset_version: some(),
                threshold: None,
                calibrated_at: None,
                agreement: None,
            },
            error: Some(failure(text)),
            sampled_by: None,
        }
    }

    /// Texts that `full` fills.
    const TEXTS: usize = 57;

    /// Proves that no text of a request keeps an address, however it is written: as text, in JSON, in JSON in strings
    /// of JSON, with escapes, as a key, and in all of these cut off.
    #[test]
    fn no_text_is_left_out() {
        assert_eq!(format!("{:?}", full("canary")).matches("canary").count(), TEXTS);
        let nested = |text: &str| serde_json::json!([{ "arguments": text }]).to_string();
        let forms = [
            "write to jane.doe@acme.io now".to_owned(),
            r#"{"to":["jane.doe@acme.io"],"n":1}"#.to_owned(),
            r#"{"to":"jane.doe\u0040acme.io"}"#.to_owned(),
            r#"{"\u006aane.doe@acme.io":true}"#.to_owned(),
            nested(r#"{"to":"jane.doe@acme.io"}"#),
            nested(&nested(r#"{"jane.doe@acme\u002eio":"\n"}"#)),
        ];
        let redactor = redactor();
        for form in &forms {
            for end in [form.len(), form.len() - 1] {
                let mut request = full(&form[..end]);
                let found = super::request(&mut request, &redactor);
                assert_eq!((found.total(), found.iter().count()), (TEXTS as u64, 1), "{form}: {found:?}");
                let left = format!("{request:?}");
                assert!(!left.contains("doe") && !left.contains("acme"), "{form}: {left}");
            }
        }
    }

    /// Proves what becomes of ids: a user's goes whole with a key, and joins; the others stay unless they hold something.
    #[test]
    fn ids_and_pseudonyms() {
        let ids = |key: Option<&[u8]>, user: &str| {
            let redactor = redactor().with_pseudonyms(key.map(PseudonymKey::new));
            let some = |text: &str| Some(Box::<str>::from(text));
            let mut request =
                Request { user_id: some(user), session_id: some("s-1"), request_id: some("r-1"), ..plain() };
            let found = super::request(&mut request, &redactor);
            assert_eq!((request.session_id.as_deref(), request.request_id.as_deref()), (Some("s-1"), Some("r-1")));
            (request.user_id.unwrap().into_string(), found.total())
        };
        let key: Option<&[u8]> = Some(b"0123456789abcdef");
        assert_eq!(ids(None, "u-19482"), ("u-19482".to_owned(), 0));
        assert_eq!(ids(None, "jane@acme.io"), ("<EMAIL_ADDRESS>".to_owned(), 1));
        assert_eq!(ids(key, "u-19482"), ("<USER_ID:46c38a1d5201>".to_owned(), 1));
        assert_eq!(ids(key, "<USER_ID:46c38a1d5201>"), ("<USER_ID:46c38a1d5201>".to_owned(), 0));
        assert_ne!(ids(key, "u-19483"), ids(key, "u-19482"));
    }
}
