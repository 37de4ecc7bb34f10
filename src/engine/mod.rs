//! The engine: one thread owns all state, everyone else holds a [`Handle`] or reads the published [`View`].

pub mod handle;
pub mod registry;
pub mod store;
pub mod view;

pub use handle::{Handle, Ingested, Refused};
pub use registry::Registry;
pub use store::{Receipt, Store, StoreError};
pub use view::View;
