//! Integration tests, one binary.

mod dialect;
