//! Bytes as requests of spans and of log records: no panic, and prost's verdict and reading.
#![no_main]
#![allow(dead_code, unused_imports, reason = "the room is compiled whole, a target uses part of it")]

#[path = "../../it/otlp/equal.rs"]
mod equal;
#[path = "../../../src/otlp/mod.rs"]
mod otlp;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    equal::traces(bytes);
    equal::logs(bytes);
    equal::metrics(bytes);
});
