//! Values in, values out. Nothing here reads a clock, a file, a socket, the environment or a random source:
//! `now` and bytes are arguments. The one invariant that keeps `run`, `backtest`, `drill` and the tests the
//! same program.

pub mod alert;
pub mod assembly;
pub mod breaker;
pub mod detect;
pub mod dialect;
pub mod incident;
mod message;
pub mod request;
mod schema;
pub mod signal;
pub mod span;
pub mod time;
pub mod window;

#[cfg(test)]
mod wire;
