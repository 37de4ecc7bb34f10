//! `freezeframe inspect`: the normalised LLM requests of a recording, one row each, as they are assembled.

use std::process::ExitCode;

use serde_json::Value as Json;

use super::completeness::Census;
use super::output::{Format, Rows, print_json_list, stdout};
use super::recording::RecordingArgs;
use crate::core::request::Request;
use crate::core::trace_record;
use crate::toolkit::input::InputError;

const HEADER: [&str; 8] =
    ["trace id", "user query", "documents", "prompt", "model", "latency ms", "error", "diagnosis"];
/// Scores shown of one retrieval.
const SCORES_MAX: usize = 10;

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
    /// No progress bar on standard error
    #[arg(long)]
    no_progress: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    args.recording.each_request(!args.no_progress, |requests| {
        let mut census = Census::default();
        let mut observed = requests.inspect(|it| it.iter().for_each(|request| census.observe(request)));
        if args.completeness {
            observed.try_for_each(|it| it.map(drop))?;
            return Ok(census.print(args.format)?);
        }
        print(args.format, &mut observed)?;
        if args.format == Format::Json { Ok(()) } else { Ok(census.print_footer()?) }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn print(format: Format, requests: &mut dyn Iterator<Item = Result<Request, InputError>>) -> anyhow::Result<()> {
    if format == Format::Json {
        return print_json_list(requests.map(|request| Ok(trace_record::of(&request?))));
    }
    let mut rows = Rows::new(stdout(), format, &HEADER);
    for request in requests {
        rows.push(row(&trace_record::of(&request?)))?;
    }
    Ok(rows.end()?)
}

fn row(record: &Json) -> [String; 8] {
    let text = |value: &Json| match value {
        Json::String(text) => text.clone(),
        Json::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let scores = record["documents"].as_array().map(|documents| {
        let scores: Vec<String> = documents.iter().take(SCORES_MAX).map(|it| text(&it["score"])).collect();
        format!("{} [{}]", documents.len(), scores.join(" "))
    });
    [
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
