//! `freezeframe replay` and `replay-all`: ask the model again, and compare.

mod all;
mod arguments;
mod session;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::{Value as Json, json};

pub(super) use all::{AllArgs, run_all};
use arguments::{Conditions, Wanted};
use session::Session;

use super::output::{Format, complain, print_json, print_table, print_wide_table, say};
use super::recording::RecordingArgs;
use crate::core::request::Request;
use crate::toolkit::replay::Comparison;

/// What every simulation says of itself.
const SIMULATED: &str =
    "SIMULATED: no model was asked; answers are quoted from the recording by a rule (docs/replay.md)";

/// Arguments of `replay`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    recording: RecordingArgs,
    /// The trace to replay, by its id or the start of it; the one in most trouble without
    #[arg(long, value_name = "ID")]
    trace: Option<String>,
    #[command(flatten)]
    conditions: Conditions,
    /// Where to write the record of the replay
    #[arg(long, short, value_name = "FILE")]
    output: Option<std::path::PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let wanted = args.trace.as_ref().map(|id| id.to_ascii_lowercase());
    let is_wanted = |request: &Request| wanted.as_ref().is_none_or(|id| request.trace_id.to_string().starts_with(id));
    let Wanted { mut requests, session } = args.conditions.read(&args.recording)?;
    requests.retain(is_wanted);
    requests.sort_by_key(|request| session.standards.diagnose(request).mode);
    let Some(original) = requests.first() else {
        bail!("no trace{} of an LLM request", wanted.map_or_else(String::new, |id| format!(" {id}")))
    };
    if args.conditions.is_dry_run() {
        return dry_run(&session, std::slice::from_ref(original), args.format);
    }
    let (before, now) = runtime()?.block_on(async {
        let now = session
            .replay(original)
            .await
            .map_err(|lacking| anyhow::anyhow!("trace {}: {lacking}", original.trace_id))?;
        anyhow::Ok((session.recorded(original).await, now))
    })?;
    if let Some(path) = &args.output {
        std::fs::write(path, format!("{now:#}\n")).with_context(|| format!("writing {}", path.display()))?;
    }
    warn(&now);
    print_comparison(args.format, &Comparison { records: [&before, &now] }, Some(&now))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints two records side by side.
pub(super) fn print_comparison(
    format: Format,
    comparison: &Comparison<'_>,
    replay: Option<&Json>,
) -> std::io::Result<()> {
    if format == Format::Json {
        return match replay {
            Some(record) => {
                let mut record = record.clone();
                record["comparison"] = comparison.to_json();
                record["comparison"]["now"] = Json::Null;
                print_json(&record)
            }
            None => print_json(&comparison.to_json()),
        };
    }
    print_table(format, &["", "recorded", "now"], comparison.rows().into_iter().map(Vec::from))?;
    let answers = comparison.answers().into_iter().zip(["recorded", "now"]);
    say("")?;
    print_wide_table(format, &["", "answer"], answers.map(|(answer, side)| vec![side.to_owned(), answer]))?;
    let repeated = &replay.map_or(&Json::Null, |it| &it["replay"]["repeated"]);
    if let Some(rate) = repeated["rate"].as_f64() {
        let bound = |name: &str| repeated[name].as_f64().unwrap_or_default() * 100.0;
        let (low, high) = (bound("ci_low"), bound("ci_high"));
        say(format_args!(
            "\n{} answers: {:.0} % pass (95 % interval {low:.0} to {high:.0} %); the first one is shown",
            repeated["answers"],
            rate * 100.0
        ))?;
    }
    say(format_args!("\n{}", comparison.change().as_str()))
}

/// What would be sent, and what that is estimated to cost.
fn dry_run(session: &Session, requests: &[Request], format: Format) -> anyhow::Result<ExitCode> {
    let planned = requests.iter().map(|request| match session.planned(request) {
        Ok((plan, call)) => json!({
            "trace_id": request.trace_id.to_string(), "body": plan.body, "notes": plan.notes,
            "estimated_input_tokens": call.input_tokens, "estimated_output_tokens_max": call.output_tokens,
            "estimated_cost_usd_max": call.cost_nano_usd.map(|it| it as f64 / 1e9), "skipped": null,
        }),
        Err(lacking) => json!({ "trace_id": request.trace_id.to_string(), "skipped": lacking.to_string() }),
    });
    let planned: Vec<Json> = planned.collect();
    complain(
        "dry run: nothing was sent; tokens are estimated as a quarter of the bytes, answers as long as they may be",
    );
    if format == Format::Json {
        print_json(&planned.into())?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = |it: &Json| {
        if it.is_null() { "-".to_owned() } else { it.as_str().map_or_else(|| it.to_string(), str::to_owned) }
    };
    let keys = ["estimated_input_tokens", "estimated_output_tokens_max", "estimated_cost_usd_max", "skipped"];
    let row = |it: &Json| {
        [&it["trace_id"], &it["body"]["model"]].into_iter().chain(keys.iter().map(|key| &it[*key])).map(text).collect()
    };
    print_table(
        format,
        &["trace id", "model", "tokens in", "tokens out", "cost USD", "skipped"],
        planned.iter().map(row),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Says on standard error what the record says of how it was made.
fn warn(record: &Json) {
    if record["replay"]["simulated"] == true {
        complain(SIMULATED);
    }
    let notes = record["replay"]["notes"].as_array().into_iter().flatten();
    notes.filter_map(Json::as_str).for_each(complain);
    if let Some(kind) = record["error"]["type"].as_str() {
        complain(format_args!("no answer: {kind}: {}", record["error"]["message"].as_str().unwrap_or_default()));
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let result = tokio::runtime::Builder::new_current_thread().enable_all().build();
    std::io::stdout().flush()?;
    result
}
