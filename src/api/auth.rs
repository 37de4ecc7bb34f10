//! Who may ask: the bearer token, and without one only programs on this machine.
//!
//! A listener without a token is on loopback, where every web page open in a browser on the machine can reach it
//! too. `Sec-Fetch-Site` turns away their requests, the `Host` rule turns away DNS rebinding. There are no
//! cookies and no sessions.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, StatusCode, header};
use subtle::ConstantTimeEq;
use thiserror::Error;

use super::problem::Problem;
use crate::config::{Admin, Secret};

/// The admin listener would be open to the network.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the admin listener on {0} is reachable from other machines: set an API token or bind to loopback")]
pub struct TokenRequired(pub SocketAddr);

/// Checks that a listener on `address` is safe to open with or without a token.
///
/// # Errors
/// [`TokenRequired`] when it is not loopback and no token, or an empty one, is set.
pub fn admit(address: SocketAddr, token: Option<&Secret>) -> Result<(), TokenRequired> {
    let has_token = token.is_some_and(|token| !token.0.is_empty());
    if has_token || is_loopback(address.ip()) { Ok(()) } else { Err(TokenRequired(address)) }
}

/// Checks one request against the rules above.
pub(super) fn check(admin: &Admin, headers: &HeaderMap) -> Result<(), Problem> {
    match &admin.token {
        Some(token) => bearer(token, headers),
        None => local(admin.external_url.as_deref(), headers),
    }
}

fn bearer(token: &Secret, headers: &HeaderMap) -> Result<(), Problem> {
    let sent = headers.get(header::AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
    let (scheme, credentials) = sent.split_at_checked("Bearer ".len()).unwrap_or((b"", b""));
    let matches = credentials.ct_eq(token.0.as_bytes());
    match scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(matches) {
        true => Ok(()),
        false => Err(Problem::new(StatusCode::UNAUTHORIZED, "send `Authorization: Bearer <the API token>`")),
    }
}

fn local(external_url: Option<&str>, headers: &HeaderMap) -> Result<(), Problem> {
    let site = headers.get("sec-fetch-site").map(|value| value.as_bytes());
    if !matches!(site, None | Some(b"same-origin" | b"none")) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "requests from other sites are not accepted"));
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    match is_local_name(host) || external_url.is_some_and(|url| authority(url) == host) {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "without an API token the `Host` must be an address, localhost or that of the external URL",
        )),
    }
}

/// An IP address or `localhost`, with or without a port. An absent host (HTTP/1.0, HTTP/2) is no browser's.
fn is_local_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.is_empty() || name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admin(token: Option<&str>, external_url: Option<&str>) -> Admin {
        Admin {
            endpoint: "127.0.0.1:0".into(),
            token: token.map(|token| Secret(token.into())),
            external_url: external_url.map(Into::into),
        }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    /// Proves which addresses may be opened without a token.
    #[test]
    fn only_loopback_needs_no_token() {
        let table = [
            ("127.0.0.1:8889", true),
            ("127.8.9.1:0", true),
            ("[::1]:8889", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("0.0.0.0:8889", false),
            ("[::]:8889", false),
            ("10.1.2.3:8889", false),
            ("[::ffff:10.1.2.3]:1", false),
        ];
        for (address, open) in table {
            let address = address.parse().unwrap();
            assert_eq!(admit(address, None).is_ok(), open, "{address}");
            assert_eq!(admit(address, Some(&Secret(String::new()))).is_ok(), open, "{address}, empty token");
            assert_eq!(admit(address, Some(&Secret("t".into()))), Ok(()), "{address}");
        }
    }

    /// Proves that only the exact token passes, and that everything else is 401.
    #[test]
    fn bearer_token_is_compared_whole() {
        let admin = admin(Some("s3cret"), None);
        let table = [
            ("Bearer s3cret", true),
            ("bearer s3cret", true),
            ("Bearer s3cre", false),
            ("Bearer s3crets", false),
            ("Bearer ", false),
            ("Basic s3cret", false),
            ("s3cret", false),
        ];
        for (value, passes) in table {
            assert_eq!(check(&admin, &headers(&[("authorization", value)])).is_ok(), passes, "{value}");
        }
        let refusal = check(&admin, &headers(&[])).unwrap_err();
        assert_eq!(refusal, bearer(&Secret("other".into()), &headers(&[])).unwrap_err());
    }

    /// Proves that without a token neither a foreign page nor a rebound name gets through.
    #[test]
    fn without_a_token_only_local_names_and_no_other_sites() {
        let admin = admin(None, Some("https://freezeframe.example:8443/x"));
        let table = [
            (&[("host", "127.0.0.1:8889")][..], true),
            (&[("host", "localhost")], true),
            (&[("host", "[::1]:8889")], true),
            (&[], true),
            (&[("host", "freezeframe.example:8443")], true),
            (&[("host", "evil.example:8889")], false),
            (&[("host", "127.0.0.1.evil.example")], false),
            (&[("host", "localhost"), ("sec-fetch-site", "same-origin")], true),
            (&[("host", "localhost"), ("sec-fetch-site", "none")], true),
            (&[("host", "localhost"), ("sec-fetch-site", "cross-site")], false),
            (&[("host", "localhost"), ("sec-fetch-site", "same-site")], false),
        ];
        for (pairs, passes) in table {
            assert_eq!(check(&admin, &headers(pairs)).is_ok(), passes, "{pairs:?}");
        }
    }
}
