//! What the engine wants done. It does nothing itself: whoever drives it carries the effects out.

use std::sync::Arc;

use super::store::{FrameBytes, Receipt, StoreError};
use super::view::Notice;
use crate::core::manifest::Leaf;

/// One thing to do.
#[derive(Debug)]
pub enum Effect {
    /// Make a frame durable and report with [`super::Engine::acknowledge`].
    Freeze(Arc<FrameBytes>),
    /// Put somebody's order to a breaker on record.
    Record(Leaf),
    /// Tell whoever listens.
    Notice(Notice),
}

/// What became of a frame.
#[derive(Debug)]
pub struct Acknowledgement {
    /// The frame.
    pub frame_id: String,
    /// Durable, or why not.
    pub result: Result<Receipt, StoreError>,
}
