//! `freezeframe inspect`: the normalised LLM requests of a recording, one row each, as they are assembled.

use std::process::ExitCode;

use serde_json::Value as Json;

use super::completeness::Census;
use super::diagnose::terms::TermsArgs;
use super::diagnose::{print_ranking, rank};
use super::output::{Format, Rows, complain, print_json_list, stdout};
use super::recording::RecordingArgs;
use crate::core::request::Request;
use crate::core::trace_record;
use crate::toolkit::diagnosis::Standards;
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
    /// Print the failures alone, most severe first, with the reason
    #[arg(long, conflicts_with = "completeness")]
    rank: bool,
    #[command(flatten)]
    terms: TermsArgs,
    /// No progress bar on standard error
    #[arg(long)]
    no_progress: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.completeness {
        args.recording.each_request(!args.no_progress, |requests| {
            let mut census = Census::default();
            for request in requests {
                census.observe(&request?);
            }
            Ok(census.print(args.format)?)
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut input = args.recording.open(!args.no_progress)?;
    let standards = args.terms.standards(&args.recording, &mut input, !args.no_progress)?;
    input.pass(|requests, _| {
        if args.rank {
            return Ok(print_ranking(args.format, &rank(requests, &standards)?)?);
        }
        let mut census = Census::default();
        let observed = requests.inspect(|it| it.iter().for_each(|request| census.observe(request)));
        print(args.format, &mut observed.map(|it| it.map(|request| record(&request, &standards))))?;
        if args.format == Format::Json { Ok(()) } else { Ok(census.print_footer()?) }
    })?;
    input.losses.iter().for_each(complain);
    Ok(ExitCode::SUCCESS)
}

fn record(request: &Request, standards: &Standards) -> Json {
    trace_record::diagnosed(request, &standards.diagnose(request))
}

fn print(format: Format, records: &mut dyn Iterator<Item = Result<Json, InputError>>) -> anyhow::Result<()> {
    if format == Format::Json {
        return print_json_list(records.map(|it| Ok(it?)));
    }
    let mut rows = Rows::wide(stdout(), format, &HEADER);
    for record in records {
        rows.push(row(&record?))?;
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
        record["latency_ms"].as_f64().map_or_else(|| "-".to_owned(), |it| format!("{it:.0}")),
        text(&record["error"]["type"]),
        text(&record["diagnosis"]["line"]),
    ]
}
