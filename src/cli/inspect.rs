//! `freezeframe inspect`: the normalised LLM requests of a recording, one row each.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::Value as Json;

use super::output::{Format, print_json, print_table};
use crate::config;
use crate::core::trace_record;
use crate::toolkit::backtest;
use crate::toolkit::input::Recording;

/// Arguments of `inspect`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Recordings: OTLP JSON or protobuf, gzip or zstd, directories, - for standard input
    #[arg(required = true)]
    input: Vec<PathBuf>,
    /// Configuration: a file, or env:VAR; embedded defaults without
    #[arg(long, value_name = "FILE|env:VAR")]
    config: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let source = super::source(args.config.as_deref());
    let (config, _) = config::load(&source, &config::env::process).map_err(anyhow::Error::msg)?;
    let recording = Recording::read(&args.input)?;
    super::output::warn_of_skipped(&recording);
    let requests = backtest::requests(&recording, &Arc::new(config)).map_err(anyhow::Error::msg)?;
    let records: Vec<Json> = requests.iter().map(trace_record::of).collect();
    match args.format {
        Format::Json => print_json(&records.into()),
        Format::Table | Format::Markdown => {
            let header = ["trace id", "user query", "documents", "prompt", "model", "latency ms", "error", "diagnosis"];
            print_table(args.format, &header, records.iter().map(row));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(record: &Json) -> Vec<String> {
    let text = |value: &Json| match value {
        Json::String(text) => text.chars().take(60).collect(),
        Json::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let scores = record["documents"].as_array().map(|documents| {
        let scores: Vec<String> = documents.iter().map(|it| text(&it["score"])).collect();
        format!("{} [{}]", documents.len(), scores.join(" "))
    });
    vec![
        text(&record["trace_id"]),
        text(&record["user_query"]),
        scores.unwrap_or_else(|| "-".into()),
        text(&record["prompt_version"]),
        text(&record["model"]),
        text(&record["latency_ms"]),
        text(&record["error"]["type"]),
        text(&record["diagnosis"]["line"]),
    ]
}
