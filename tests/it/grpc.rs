//! Breakers over gRPC, as a tonic client sees them.

use std::sync::Arc;

use freezeframe::api::breaker_v1::{Request, Response, State as Shown};
use freezeframe::core::breaker::{Mode, State};
use freezeframe::engine::view::View;
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

use super::admin::{Admin, NOW, Options, breaker};

type Codec = ProstCodec<Request, Response>;

async fn client(admin: &Admin) -> Grpc<Channel> {
    let mut client = Grpc::new(Channel::from_shared(admin.url.clone()).unwrap().connect().await.unwrap());
    client.ready().await.unwrap();
    client
}

fn asked(feature: &str, token: Option<&str>) -> tonic::Request<Request> {
    let mut request = tonic::Request::new(Request { feature: feature.to_owned() });
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    request
}

fn path(method: &'static str) -> PathAndQuery {
    PathAndQuery::from_static(match method {
        "Get" => "/freezeframe.breaker.v1.Breakers/Get",
        "Watch" => "/freezeframe.breaker.v1.Breakers/Watch",
        _ => "/freezeframe.breaker.v1.Breakers/Other",
    })
}

async fn call(admin: &Admin, method: &'static str, request: tonic::Request<Request>) -> Result<Response, Status> {
    let answer = client(admin).await.unary(request, path(method), Codec::default()).await;
    answer.map(tonic::Response::into_inner)
}

fn view(open: State) -> View {
    let breakers = vec![breaker("search", Mode::Enforce, open), breaker("support", Mode::Shadow, State::Closed)];
    View { at: NOW, breakers, ..View::default() }
}

/// Proves what `Get` answers for all, for one feature and for none, and that other methods don't exist.
#[tokio::test]
async fn get_answers_what_is() {
    let admin = Admin::start(Options { view: view(State::Open { since: NOW }), ..Options::default() }).await;
    let all = call(&admin, "Get", asked("", None)).await.unwrap();
    let [search, support] = &all.breakers[..] else { panic!("{all:?}") };
    assert_eq!((search.state(), search.would_be(), search.allow_share), (Shown::Open, Shown::Open, 0.0));
    assert_eq!((search.action.as_str(), search.parameters["route"].as_str()), ("pin_model", "fallback-model"));
    let (since, until) = (search.since.unwrap(), search.open_until.unwrap());
    assert_eq!(until.seconds - since.seconds, 60);
    assert_eq!((support.state(), support.would_be(), support.allow_share), (Shown::Shadow, Shown::Closed, 1.0));
    let one = call(&admin, "Get", asked("support", None)).await.unwrap();
    assert_eq!(one.breakers, std::slice::from_ref(support));
    for (method, feature, code) in [("Get", "nobody", Code::NotFound), ("Other", "", Code::Unimplemented)] {
        assert_eq!(call(&admin, method, asked(feature, None)).await.unwrap_err().code(), code);
    }
    admin.stop().await;
}

/// Proves that the token guards it as it guards the rest.
#[tokio::test]
async fn the_token_guards_it() {
    let admin = Admin::start(Options { token: Some("t0ken"), ..Options::default() }).await;
    for (token, code) in
        [(None, Some(Code::Unauthenticated)), (Some("other"), Some(Code::Unauthenticated)), (Some("t0ken"), None)]
    {
        assert_eq!(call(&admin, "Get", asked("", token)).await.err().map(|status| status.code()), code, "{token:?}");
    }
    admin.stop().await;
}

/// Proves that a watcher is sent everything once, then only what changed, and that the stream ends with the sidecar.
#[tokio::test]
async fn watch_sends_what_changed() {
    let admin = Admin::start(Options { view: view(State::Closed), ..Options::default() }).await;
    let mut client = client(&admin).await;
    let stream = client.server_streaming(asked("", None), path("Watch"), Codec::default()).await.unwrap();
    let mut stream = stream.into_inner();
    let shown = |told: Response| -> Vec<(String, Shown)> {
        told.breakers.into_iter().map(|it| (it.feature.clone(), it.state())).collect()
    };
    let first = stream.message().await.unwrap().unwrap();
    assert_eq!(shown(first), [("search".to_owned(), Shown::Closed), ("support".to_owned(), Shown::Shadow)]);
    admin.view.send_replace(Arc::new(view(State::Closed)));
    admin.view.send_replace(Arc::new(view(State::Open { since: NOW })));
    let second = stream.message().await.unwrap().unwrap();
    assert_eq!(shown(second), [("search".to_owned(), Shown::Open)], "the same state again is no news");
    let view = view(State::HalfOpen { since: NOW, succeeded: 0, failed: 0 });
    admin.view.send_replace(Arc::new(view));
    let third = stream.message().await.unwrap().unwrap();
    assert_eq!((third.breakers[0].state(), third.breakers[0].allow_share), (Shown::HalfOpen, 0.1));
    admin.stop().await;
    assert!(!matches!(stream.message().await, Ok(Some(_))));
}
