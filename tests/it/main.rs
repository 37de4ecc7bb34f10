//! The integration tests, in one binary.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails where it stands")]

mod admin;
mod alertmanager;
mod http_api;
mod ofrep;
