//! Entity tags and conditional requests (RFC 9110, sections 8.8.3 and 13.1.2).

use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// The tag of bytes that are the answer itself; `digest` is theirs.
pub(super) fn strong(digest: &[u8]) -> String {
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// The tag of an answer that is the same in what matters, which `essence` is.
pub(super) fn weak(essence: &[u8]) -> String {
    format!("W/{}", strong(&Sha256::digest(essence)[..16]))
}

/// Whether the client has what `tag` stands for, by weak comparison.
pub(super) fn matches(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let sent = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    sent.flat_map(|value| value.split(',')).any(|sent| sent.trim() == "*" || opaque(sent) == opaque(tag))
}

/// 304 with the tag.
pub(super) fn not_modified(tag: &str) -> Response {
    (StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves the comparison: weak, over lists, and `*`.
    #[test]
    fn compares_weakly_over_lists() {
        let tag = weak(b"closed");
        let bare = tag.trim_start_matches("W/");
        for (sent, expected) in [
            (tag.as_str(), true),
            (bare, true),
            ("*", true),
            (&format!("\"x\", {tag}"), true),
            ("\"x\"", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, sent.parse().unwrap())]);
            assert_eq!(matches(&headers, &tag), expected, "{sent}");
        }
        assert!(!matches(&HeaderMap::new(), &tag));
        assert_ne!(tag, weak(b"open"));
    }
}
