//! Tests that need more than one room, or real telemetry.

mod otlp;
