//! Server-sent events: alert, breaker and frame transitions as they happen. There is no replay: a client that
//! reconnects reads the state first, and one that falls behind is told how much it missed.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive, KeepAliveStream};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::problem::Problem;
use super::{Api, dto};
use crate::engine::view::Notice;
use crate::metrics::Metric;

/// Event streams open at once.
pub(super) const SUBSCRIBERS_MAX: usize = 64;
/// Events waiting for one client's socket; while it is full the engine's broadcast counts what is missed.
const EVENTS_MAX: usize = 16;
/// Comment sent on a silent stream, so that proxies keep it open.
const HEARTBEAT: Duration = Duration::from_secs(15);

type Item = Result<Event, Infallible>;
type Stream = ReceiverStream<Item>;

/// `GET /api/v1/events`
pub(super) async fn events(State(api): State<Api>) -> Result<Sse<KeepAliveStream<Stream>>, Problem> {
    let stream = subscribe(&api).ok_or_else(|| {
        Metric::AdminRejections.add(&[("reason", "subscribers")], 1);
        Problem::unavailable("too many event streams are open")
    })?;
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

fn subscribe(api: &Api) -> Option<Stream> {
    let place = api.subscribers.clone().try_acquire_owned().ok()?;
    let (events, stream) = mpsc::channel(EVENTS_MAX);
    tokio::spawn(forward(api.clone(), api.sources.engine.notices(), events, place));
    Some(ReceiverStream::new(stream))
}

/// Runs until the client is gone, the engine is gone or the process stops.
async fn forward(
    api: Api,
    mut notices: broadcast::Receiver<Notice>,
    events: mpsc::Sender<Item>,
    _place: OwnedSemaphorePermit,
) {
    loop {
        let event = tokio::select! {
            () = api.stop.cancelled() => return,
            () = events.closed() => return,
            notice = notices.recv() => match notice {
                Ok(notice) => event(&notice, &api.base_url),
                Err(RecvError::Lagged(missed)) => json("lagged", &dto::Lagged { missed }),
                Err(RecvError::Closed) => return,
            },
        };
        let sent = tokio::select! {
            () = api.stop.cancelled() => return,
            sent = events.send(Ok(event)) => sent,
        };
        if sent.is_err() {
            return;
        }
    }
}

fn event(notice: &Notice, base_url: &str) -> Event {
    match notice {
        Notice::Alert { alert, at } => json("alert", &dto::AlertEvent::new(alert, *at)),
        Notice::Breaker { feature, class, mode, transition } => {
            json("breaker", &dto::BreakerEvent::new(feature, *class, *mode, transition))
        }
        Notice::Frame { incident, at } => json("frame", &dto::FrameEvent::new(incident, base_url, *at)),
        Notice::Refined { incident, at } => json("frame", &dto::FrameEvent::refined(incident, base_url, *at)),
    }
}

fn json(name: &'static str, data: &impl Serialize) -> Event {
    Event::default().event(name).json_data(data).expect("wire types have string keys")
}
