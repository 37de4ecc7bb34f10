//! What the commands and the API share: recordings in, reports out.

pub mod backtest;
pub mod diagnosis;
pub mod difference;
pub mod expectation;
pub mod explain;
pub mod export;
pub mod frames;
pub mod input;
pub mod judge;
pub mod postmortem;
pub mod prometheus;
pub mod ranking;
pub mod recompute;
pub mod replay;
pub mod report;
pub mod requests;
pub mod retro;
pub mod simulate;
pub mod text;
pub mod traffic;
pub mod whole;
