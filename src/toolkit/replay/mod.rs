//! Replay: the model call of a recorded request again, under other conditions, and what changed by that. Everything here
//! is values in, values out; who sends is `cli::replay`.
//!
//! Only the model is asked again. Documents are those that were found then, and tools are never run: what they gave then
//! is fed back ([`Plan`]). What comes back is a request like any other ([`replayed`]), so that it is diagnosed, priced and
//! compared by what judges production.

mod budget;
mod comparison;
mod evaluator;
mod outcome;
mod plan;
mod prompts;
mod reply;
mod simulation;
mod stream;

pub use budget::{Budget, estimate};
pub use comparison::{Change, Comparison};
pub use evaluator::{Evaluator, SpecError};
pub use outcome::{Repeated, Took, replayed};
pub use plan::{Lacking, Overrides, Plan, Prompted};
pub use prompts::{Prompts, PromptsError};
pub use reply::{Asked, Malformed, Reply};
pub use simulation::simulated;
pub use stream::Stream;

#[cfg(test)]
mod tests;
