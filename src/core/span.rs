//! The normalised LLM span: what a dialect makes of one OTLP span.
