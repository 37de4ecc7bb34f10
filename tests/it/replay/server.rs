//! An API like OpenAI's on loopback, whose answers are scripted: each request gets the next one.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use serde_json::{Value, json};

/// One scripted answer.
pub(crate) enum Answer {
    /// A reply, with `Retry-After` where it says so.
    Reply(u16, Option<&'static str>, Vec<u8>),
    /// A stream, in these pieces.
    Stream(Vec<Vec<u8>>),
    /// Nothing, ever.
    Silence,
}

/// An answer by what is asked.
type Rule = Box<dyn FnMut(&Value) -> Answer + Send>;

/// What was asked, and what is left to answer.
#[derive(Default)]
struct Script {
    answers: VecDeque<Answer>,
    /// What is answered when the script is over.
    rule: Option<Rule>,
    asked: Vec<(Value, HeaderMap)>,
}

/// The running server.
pub(crate) struct Server {
    pub(crate) url: String,
    script: Arc<Mutex<Script>>,
    /// Its own, so that it answers whoever asks; `None` once it is dropped.
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test's own runtime must not be blocked.
        self.runtime.take().into_iter().for_each(tokio::runtime::Runtime::shutdown_background);
    }
}

impl Server {
    pub(crate) fn start(answers: Vec<Answer>) -> Self {
        Self::serve(Script { answers: answers.into(), ..Script::default() })
    }

    /// One that answers by what it is asked.
    pub(crate) fn answering(rule: impl FnMut(&Value) -> Answer + Send + 'static) -> Self {
        Self::serve(Script { rule: Some(Box::new(rule)), ..Script::default() })
    }

    fn serve(script: Script) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let script = Arc::new(Mutex::new(script));
        let app = Router::new().route("/v1/chat/completions", post(answer)).with_state(script.clone());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await
        });
        Self { url, script, runtime: Some(runtime) }
    }

    /// The bodies it was asked with, in order.
    pub(crate) fn asked(&self) -> Vec<Value> {
        self.script.lock().unwrap().asked.iter().map(|(body, _)| body.clone()).collect()
    }

    /// A header of the first request.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let script = self.script.lock().unwrap();
        script.asked.first()?.1.get(name)?.to_str().ok().map(str::to_owned)
    }
}

async fn answer(State(script): State<Arc<Mutex<Script>>>, headers: HeaderMap, body: Bytes) -> Response {
    let next = {
        let mut script = script.lock().unwrap();
        let asked: Value = serde_json::from_slice(&body).unwrap();
        let next = script.answers.pop_front();
        let next = next.or_else(|| script.rule.as_mut().map(|rule| rule(&asked)));
        script.asked.push((asked, headers));
        next
    };
    match next {
        Some(Answer::Reply(status, retry_after, body)) => {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            if let Some(value) = retry_after {
                response.headers_mut().insert("retry-after", value.parse().unwrap());
            }
            response
        }
        Some(Answer::Stream(pieces)) => {
            let pieces = tokio_stream::iter(pieces.into_iter().map(|it| Ok::<_, Infallible>(Bytes::from(it))));
            Response::new(Body::from_stream(pieces))
        }
        Some(Answer::Silence) => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Response::new(Body::empty())
        }
        None => {
            let mut response = Response::new(Body::from("the script is over"));
            *response.status_mut() = StatusCode::IM_A_TEAPOT;
            response
        }
    }
}

fn choice(message: &Value, finish: &str) -> Answer {
    let body = json!({
        "id": "chatcmpl-1", "model": "gpt-4o-mini-2024-07-18", "system_fingerprint": "fp_7", "service_tier": "default",
        "choices": [{ "index": 0, "message": message, "finish_reason": finish }],
        "usage": { "prompt_tokens": 120, "completion_tokens": 20, "total_tokens": 140 },
    });
    Answer::Reply(200, None, body.to_string().into_bytes())
}

/// A plain answer.
pub(crate) fn says(text: &str) -> Answer {
    choice(&json!({ "role": "assistant", "content": text }), "stop")
}

/// A refusal.
pub(crate) fn refuses(text: &str) -> Answer {
    choice(&json!({ "role": "assistant", "content": null, "refusal": text }), "stop")
}

/// A wish for a tool.
pub(crate) fn wants(tool: &str) -> Answer {
    let call = json!({ "id": "call_9", "type": "function", "function": { "name": tool, "arguments": "{}" } });
    choice(&json!({ "role": "assistant", "content": null, "tool_calls": [call] }), "tool_calls")
}

/// An error.
pub(crate) fn fails(status: u16, retry_after: Option<&'static str>) -> Answer {
    let body = json!({ "error": { "message": format!("error {status}"), "type": "test" } });
    Answer::Reply(status, retry_after, body.to_string().into_bytes())
}

/// A streamed answer, a few bytes at a time.
pub(crate) fn streams(text: &str) -> Answer {
    let mut events = String::new();
    for word in text.split_inclusive(' ') {
        let chunk =
            json!({ "id": "1", "model": "gpt-4o-mini-2024-07-18", "choices": [{ "delta": { "content": word } }] });
        events.push_str(&format!("data: {chunk}\n\n"));
    }
    events.push_str("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
    events.push_str(
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":120,\"completion_tokens\":20}}\n\ndata: [DONE]\n\n",
    );
    Answer::Stream(events.as_bytes().chunks(7).map(<[u8]>::to_vec).collect())
}
