//! The integration tests, in one binary.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails where it stands")]

mod bad_input;
mod exporter;
mod receiver;
mod stub;
mod wire;
