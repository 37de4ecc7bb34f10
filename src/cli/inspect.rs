//! `freezeframe inspect`: the normalised LLM requests of a recording, one row each.

use std::process::ExitCode;

use serde_json::Value as Json;

use super::completeness::Census;
use super::output::{Format, print_json, print_table};
use super::recording::RecordingArgs;
use crate::core::trace_record;
use crate::toolkit::backtest;

/// Arguments of `inspect`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    recording: RecordingArgs,
    /// Print how complete the telemetry is, by feature and dialect, and the settings that close its gaps
    #[arg(long)]
    completeness: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (recording, config) = args.recording.read()?;
    let requests = backtest::requests(&recording, &config).map_err(anyhow::Error::msg)?;
    let mut census = Census::default();
    requests.iter().for_each(|it| census.observe(it));
    if args.completeness {
        census.print(args.format)?;
        return Ok(ExitCode::SUCCESS);
    }
    let records: Vec<Json> = requests.iter().map(trace_record::of).collect();
    match args.format {
        Format::Json => print_json(&records.into())?,
        Format::Table | Format::Markdown => {
            let header = ["trace id", "user query", "documents", "prompt", "model", "latency ms", "error", "diagnosis"];
            print_table(args.format, &header, records.iter().map(row))?;
            census.print_footer()?;
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
