//! The integration tests, in one binary: what needs more than one room, a socket, or real telemetry.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails where it stands")]

mod admin;
mod alertmanager;
mod attribution;
mod bad_input;
mod breakers;
mod completeness;
mod config;
mod deploy;
mod detection;
mod diagnosis;
mod dialect;
mod e2e;
mod engine;
mod evidence;
mod exporter;
mod gitleaks;
mod grpc;
mod http_api;
mod inspect;
mod ofrep;
mod otlp;
mod postmortem;
mod providers;
mod receiver;
mod record;
mod replay;
mod scores;
mod slow_log;
mod stub;
mod tidy;
mod triage;
mod tutorial;
mod verifiers;
mod wire;
mod witness;
