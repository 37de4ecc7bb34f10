//! Freezeframe: the freeze frame for LLM applications.
//!
//! ```text
//! main -> cli -> app -> { receiver  exporter  api  notify  judge  witness  evidence  telemetry }   edges: sockets, files, signals
//!                           \____________\_________\______\______/
//!                                        engine                                    one thread, shared registry, the clock
//!                                          |
//!                                   otlp  core                                     values in, values out
//! ```
//!
//! `config` holds plain values that every edge may read. Edges never import each other; they meet in [`app`].
//!
//! The path of a span: `receiver` takes the request's bytes and clones them by reference into `exporter`;
//! [`otlp`] checks them once and lends out borrowed spans; [`core::dialect`] turns each into one
//! [`core::span::LlmSpan`]; [`core::assembly`] joins the spans of a trace to one [`core::request::Request`];
//! its measurements land in the feature's [`core::histogram`]s; every tick [`core::detect`] reads the windows,
//! [`core::alert`] and [`core::breaker`] step, and an alert that starts firing freezes a [`core::frame`],
//! which `evidence` makes durable before `notify`, `api` and the metrics say a word about it.

pub mod api;
pub mod app;
pub mod chat;
pub mod cli;
pub mod config;
pub mod core;
pub mod drill;
pub mod engine;
pub mod evidence;
pub mod exporter;
pub mod judge;
mod kept;
pub mod metrics;
pub mod notify;
pub mod otlp;
pub mod receiver;
pub mod shutdown;
pub mod telemetry;
pub mod toolkit;
pub mod witness;
