//! The integration tests: one binary, one module a property.

mod deploy;
mod e2e;
