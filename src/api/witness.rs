//! The witness role, C2SP tlog-witness: `add-checkpoint`, and what this witness cosigned last. Public by specification: a
//! request is authenticated by the log's signature in it and by nothing else, so no token is asked for. Logs and their
//! keys are configured (`evidence.witness.logs`); without any this sidecar knows no log and answers 404.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::{Api, body};
use crate::core::witness::Refusal;
use crate::engine::witness::{Reply, Witness};

const TEXT: &str = "text/plain; charset=utf-8";

/// `POST /add-checkpoint`
pub(super) async fn add_checkpoint(
    State(api): State<Api>,
    request: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let (request, witness, now) = (body::bytes(request)?, witness(&api)?, (api.sources.now)());
    let reply = super::blocking(move || witness.add_checkpoint(&request, now)).await??;
    let status = |code| StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST);
    match reply {
        Reply::Cosigned(line) => Ok(([(CONTENT_TYPE, TEXT)], line).into_response()),
        Reply::Conflict(size) => {
            let size_type = [(CONTENT_TYPE, "text/x.tlog.size")];
            Ok((StatusCode::CONFLICT, size_type, format!("{size}\n")).into_response())
        }
        Reply::Inconsistent => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "not shown to extend the checkpoint this witness cosigned last",
        )),
        Reply::Refused(refusal) => Err(Problem::new(
            status(refusal.status()),
            match refusal {
                Refusal::Malformed(what) => format!("malformed {what}"),
                Refusal::UnknownLog => "no log of this origin is known here".to_owned(),
                Refusal::BadSignature => "not signed by the key known for this log".to_owned(),
            },
        )),
    }
}

/// `GET /{origin}/checkpoint`, with the SHA-256 of the origin.
pub(super) async fn remembered(State(api): State<Api>, Path(origin): Path<String>) -> Result<Response, Problem> {
    let witness = witness(&api)?;
    let note = super::blocking(move || witness.remembered(&origin)).await??;
    let note = note.ok_or_else(|| Problem::not_found("no checkpoint of such a log was cosigned here"))?;
    Ok(([(CONTENT_TYPE, TEXT)], note).into_response())
}

/// `GET /witness/vkey`
pub(super) async fn vkey(State(api): State<Api>) -> Result<Response, Problem> {
    Ok(([(CONTENT_TYPE, TEXT)], format!("{}\n", witness(&api)?.vkey())).into_response())
}

fn witness(api: &Api) -> Result<Arc<dyn Witness>, Problem> {
    api.sources
        .witness
        .clone()
        .ok_or_else(|| Problem::not_found("this sidecar is no witness; see evidence.witness.logs"))
}
