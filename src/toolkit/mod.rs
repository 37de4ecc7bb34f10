//! What the commands and the API share: recordings in, reports out.

pub mod backtest;
pub mod difference;
pub mod expectation;
pub mod explain;
pub mod export;
pub mod input;
pub mod postmortem;
pub mod prometheus;
pub mod recompute;
pub mod report;
pub mod requests;
pub mod simulate;
pub mod text;
pub mod traffic;
