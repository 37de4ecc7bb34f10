//! Values in, values out. Nothing here reads a clock, a file, a socket, the environment or a random source:
//! `now` and bytes are arguments. The one invariant that keeps `run`, `backtest`, `drill` and the tests the
//! same program.

pub mod alert;
pub mod assembly;
pub mod attribution;
pub mod breaker;
pub mod detect;
pub mod histogram;
pub mod incident;
pub mod ledger;
pub mod measurement;
pub mod meters;
pub mod redact;
pub mod request;
pub mod rules;
pub mod signal;
pub mod span;
pub mod statistics;
pub mod time;
pub mod variable;
pub mod window;
