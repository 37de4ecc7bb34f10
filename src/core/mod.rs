//! Values in, values out. Nothing here reads a clock, a file, a socket, the environment or a random source:
//! `now` and bytes are arguments. The one invariant that keeps `run`, `backtest`, `drill` and the tests the
//! same program.

pub mod alert;
pub mod assembly;
pub mod attribution;
pub mod baseline;
pub mod breaker;
pub mod canonical;
pub mod carried;
pub mod changes;
pub mod completeness;
pub mod cosignature;
pub mod declared;
pub mod detect;
pub mod diagnosis;
pub mod dialect;
pub mod disclosure;
pub mod facts;
pub mod fingerprint;
pub mod frame;
pub mod golden;
pub mod histogram;
pub mod incident;
pub mod ledger;
pub mod manifest;
pub mod measurement;
pub mod merkle;
pub mod message;
pub mod meters;
pub mod note;
pub mod onset;
pub mod policy;
pub mod price;
pub mod proof;
pub mod recorder;
pub mod redact;
pub mod request;
pub mod rules;
mod said;
pub mod sampling;
pub mod schema;
pub mod signal;
pub mod span;
pub mod statistics;
pub mod time;
pub mod trace_record;
pub mod triage;
pub mod variable;
pub mod vocabulary;
pub mod window;
pub mod witness;

#[cfg(test)]
mod wire;
