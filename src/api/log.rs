//! The transparency log as static files in the layout of C2SP tlog-tiles.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;

use super::Api;
use super::problem::Problem;

/// `GET /log/checkpoint`
pub(super) async fn checkpoint(State(api): State<Api>) -> Result<impl IntoResponse, Problem> {
    let bytes = file(&api, "checkpoint".to_owned()).await?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-cache")], bytes))
}

/// `GET /log/cosigned`: the newest checkpoint that a witness cosigned, with the cosignatures under it.
pub(super) async fn cosigned(State(api): State<Api>) -> Result<impl IntoResponse, Problem> {
    let bytes = file(&api, "cosigned".to_owned()).await?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-cache")], bytes))
}

/// `GET /log/vkey`: for publishing it elsewhere, never for verifying what came from here.
pub(super) async fn vkey(State(api): State<Api>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{}\n", api.sources.store.vkey()))
}

/// `GET /log/tile/{*path}`. A tile never changes (tlog-tiles, "Merkle Tree"), so it may be cached for good.
pub(super) async fn tile(State(api): State<Api>, Path(path): Path<String>) -> Result<impl IntoResponse, Problem> {
    if !is_tile(&path) {
        return Err(Problem::not_found("not a tile of C2SP tlog-tiles"));
    }
    let bytes = file(&api, format!("tile/{path}")).await?;
    let cache = "public, max-age=31536000, immutable";
    Ok(([(CONTENT_TYPE, "application/octet-stream"), (CACHE_CONTROL, cache)], bytes))
}

async fn file(api: &Api, path: String) -> Result<Bytes, Problem> {
    let store = api.sources.store.clone();
    let found = super::blocking(move || store.log_file(&path)).await??;
    found.ok_or_else(|| Problem::not_found("the log has no such file"))
}

/// `<L>/<N>[.p/<W>]` or `entries/<N>[.p/<W>]`: nothing else reaches the store, least of all a `..`.
fn is_tile(path: &str) -> bool {
    let Some((level, rest)) = path.split_once('/') else { return false };
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (index, Some(width)),
        None => (rest, None),
    };
    let is_level = level == "entries" || number(level).is_some_and(|level| level < 64);
    let is_width = width.is_none_or(|width| number(width).is_some_and(|width| (1..256).contains(&width)));
    is_level && is_width && is_index(index)
}

/// `x001/x234/067`: groups of three digits, all but the last marked with an `x`.
fn is_index(index: &str) -> bool {
    let is_group = |group: &str| group.len() == 3 && group.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = index.rsplit('/');
    groups.next().is_some_and(is_group) && groups.all(|group| group.strip_prefix('x').is_some_and(is_group))
}

/// A decimal number without leading zeros.
fn number(digits: &str) -> Option<u16> {
    let canonical = digits == "0" || digits.starts_with(|first: char| matches!(first, '1'..='9'));
    canonical.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that exactly the paths of the specification get through.
    #[test]
    fn only_tile_paths_pass() {
        let tiles = ["0/000", "0/x001/x234/067", "63/000", "entries/000", "1/000.p/255", "entries/x001/067.p/1"];
        for path in tiles {
            assert!(is_tile(path), "{path}");
        }
        let others = [
            "",
            "0",
            "0/",
            "0/00",
            "0/0000",
            "0/x001",
            "0/001/067",
            "64/000",
            "00/000",
            "-1/000",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/",
            "0/000.p/01",
            "../keys/log.key",
            "0/../../keys/log.key",
            "entries/../000",
            "0/x../000",
            "0//000",
            "/0/000",
            "0/000/",
            "0\\000",
            "0/0\u{661}0",
        ];
        for path in others {
            assert!(!is_tile(path), "{path}");
        }
    }
}
