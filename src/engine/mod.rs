//! The engine: one thread owns all state, everyone else holds a [`Handle`] or reads the published [`View`].
//!
//! [`Engine`] is plain synchronous state with `now` as an argument; [`start`] gives it a thread, a clock and the writer
//! of frames. `run` uses both, `backtest`, `drill` and the tests only the first.

mod breakers;
mod carry;
pub mod clock;
mod comparison;
mod cost;
mod effect;
#[expect(clippy::module_inception, reason = "the engine proper, beside what surrounds it")]
mod engine;
mod evaluate;
mod feature;
mod freeze;
pub mod handle;
mod judging;
mod publish;
mod recall;
mod refine;
pub mod registry;
mod run;
pub mod store;
pub mod view;
pub mod witness;
mod writer;

pub use carry::OUTAGE_TOLERANCE;
pub use comparison::signals;
pub use cost::Pricing;
pub use effect::{Acknowledgement, Effect};
pub use engine::{Engine, INCIDENTS_MAX, normaliser, redactor};
pub use handle::{Handle, Ingested, Refused};
pub use judging::{Chosen, Queues};
pub use run::start;
pub use store::{FrameBytes, Receipt, Store, StoreError};
pub use view::{Notice, View};
