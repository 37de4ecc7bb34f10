//! The `freezeframe` binary.

fn main() {}
