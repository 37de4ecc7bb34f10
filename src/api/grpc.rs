//! Breakers over gRPC, on the admin listener: `freezeframe.breaker.v1.Breakers`
//! (`proto/freezeframe/breaker/v1/breaker.proto`).
//!
//! A watcher is sent what differs from what it was sent before, taken from the newest view when there is one: however
//! slow it is, nothing queues up for it and the last state always arrives. Places are shared with the event streams.

pub mod messages;

use std::collections::HashMap;
use std::future::{Ready, ready};

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::server::{Grpc, ServerStreamingService, UnaryService};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

use self::messages::{Breaker, Request as Asked, Response as Told};
use super::Api;
use super::problem::Problem;
use crate::engine::view::View;
use crate::metrics::Metric;

/// The path of a method, for the router.
pub(super) const PATH: &str = "/freezeframe.breaker.v1.Breakers/{method}";
/// Length of a request, bytes: a feature's name.
const REQUEST_BYTES_MAX: usize = 4 << 10;

type Codec = ProstCodec<Told, Asked>;

/// `POST /freezeframe.breaker.v1.Breakers/{method}`
pub(super) async fn call(State(api): State<Api>, Path(method): Path<String>, request: Request) -> Response {
    let mut grpc = Grpc::new(Codec::default()).max_decoding_message_size(REQUEST_BYTES_MAX);
    let answer = match &*method {
        "Get" => grpc.unary(Get(api), request).await,
        "Watch" => grpc.server_streaming(Watch(api), request).await,
        _ => Status::unimplemented("the methods are Get and Watch").into_http(),
    };
    answer.map(Body::new)
}

/// Whether a request wants a gRPC answer whatever it is.
pub(super) fn is_call(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|it| it.as_bytes().starts_with(b"application/grpc"))
}

/// A refusal in the terms of gRPC: clients take any other body for a broken message.
pub(super) fn refusal(problem: &Problem) -> Response {
    let code = if problem.status == StatusCode::UNAUTHORIZED { Code::Unauthenticated } else { Code::PermissionDenied };
    Status::new(code, problem.detail.as_ref()).into_http()
}

struct Get(Api);

impl UnaryService<Asked> for Get {
    type Response = Told;
    type Future = Ready<Result<tonic::Response<Told>, Status>>;

    fn call(&mut self, request: tonic::Request<Asked>) -> Self::Future {
        let feature = request.into_inner().feature;
        let breakers = of_feature(&self.0.sources.engine.view(), &feature);
        ready(match breakers.is_empty() && !feature.is_empty() {
            true => Err(Status::not_found("no breaker of such a feature")),
            false => Ok(tonic::Response::new(Told { breakers })),
        })
    }
}

struct Watch(Api);

impl ServerStreamingService<Asked> for Watch {
    type Response = Told;
    type ResponseStream = ReceiverStream<Result<Told, Status>>;
    type Future = Ready<Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: tonic::Request<Asked>) -> Self::Future {
        let api = self.0.clone();
        ready(match api.subscribers.clone().try_acquire_owned() {
            Ok(place) => {
                let (told, stream) = mpsc::channel(1);
                tokio::spawn(tell(api, request.into_inner().feature, told, place));
                Ok(tonic::Response::new(ReceiverStream::new(stream)))
            }
            Err(_) => {
                Metric::AdminRejections.add(&[("reason", "subscribers")], 1);
                Err(Status::resource_exhausted("too many streams are open"))
            }
        })
    }
}

/// Runs until the client is gone, the engine is gone or the process stops.
async fn tell(api: Api, feature: String, told: mpsc::Sender<Result<Told, Status>>, _place: OwnedSemaphorePermit) {
    let mut views = api.sources.engine.watch();
    views.mark_changed();
    let mut known: HashMap<(String, String), Breaker> = HashMap::new();
    let mut is_first = true;
    loop {
        tokio::select! {
            () = api.stop.cancelled() => return,
            () = told.closed() => return,
            changed = views.changed() => if changed.is_err() { return },
        }
        let view = views.borrow_and_update().clone();
        let mut breakers = of_feature(&view, &feature);
        breakers.retain(|breaker| {
            let key = (breaker.feature.clone(), breaker.incident_class.clone());
            known.insert(key, breaker.clone()).as_ref() != Some(breaker)
        });
        // The first tells that there are none, too.
        if !std::mem::take(&mut is_first) && breakers.is_empty() {
            continue;
        }
        tokio::select! {
            () = api.stop.cancelled() => return,
            sent = told.send(Ok(Told { breakers })) => if sent.is_err() { return },
        }
    }
}

fn of_feature(view: &View, feature: &str) -> Vec<Breaker> {
    let wanted = view.breakers.iter().filter(|breaker| feature.is_empty() || *breaker.feature == *feature);
    wanted.map(Breaker::new).collect()
}
