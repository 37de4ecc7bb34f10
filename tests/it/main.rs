//! The integration tests, in one binary.

mod exporter;
mod receiver;
mod stub;
