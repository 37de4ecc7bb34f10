//! `freezeframe replay-all`: every request of a recording, as a regression test.

use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use tokio::task::JoinSet;

use super::arguments::{Conditions, Wanted};
use super::session::Session;
use super::{SIMULATED, dry_run, runtime};
use crate::cli::output::{Format, complain, print_json, print_table, say};
use crate::cli::progress::Progress;
use crate::cli::recording::RecordingArgs;
use crate::core::request::Request;
use crate::toolkit::replay::{Change, Comparison};

/// Arguments of `replay-all`.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct AllArgs {
    #[command(flatten)]
    recording: RecordingArgs,
    #[command(flatten)]
    conditions: Conditions,
    /// Requests that are under way at the same time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    concurrency: u32,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// No progress bar on standard error
    #[arg(long)]
    no_progress: bool,
}

/// What became of one request; a text for one that can't be replayed.
type Outcome = Result<[Json; 2], String>;

/// Status 1 when anything that passed fails now, or what failed still does.
pub(in crate::cli) fn run_all(args: &AllArgs) -> anyhow::Result<ExitCode> {
    let Wanted { requests, session } = args.conditions.read(&args.recording)?;
    if args.conditions.is_dry_run() {
        return dry_run(&session, &requests, args.format);
    }
    if session.endpoint.is_none() {
        complain(SIMULATED);
    }
    let rule = match session.evaluators.is_empty() {
        true => "passes: the diagnosis is healthy (no --expect was given)",
        false => "passes: every --expect holds, then and now",
    };
    let ids: Vec<String> = requests.iter().map(|it| it.trace_id.to_string()).collect();
    let progress = Progress::of_requests("replaying", requests.len(), !args.no_progress);
    let outcomes = runtime()?.block_on(replay(session, requests, args.concurrency as usize, progress));
    let totals = totals(&outcomes);
    if args.format == Format::Json {
        let traces: Vec<Json> = ids.iter().zip(&outcomes).map(|(id, outcome)| document(id, outcome)).collect();
        print_json(&json!({ "rule": rule, "traces": traces, "totals": totals }))?;
    } else {
        let header =
            ["trace id", "recorded", "now", "change", "latency ms", "cost USD", "prompt", "model", "diagnosis"];
        print_table(args.format, &header, ids.iter().zip(&outcomes).map(|(id, outcome)| row(id, outcome)))?;
        let count = |name: &str| totals[name].to_string();
        say(format_args!(
            "\n{} improved, {} same, {} degraded, {} skipped; {} of {} pass; {rule}",
            count("improved"),
            count("same"),
            count("degraded"),
            count("skipped"),
            count("passing"),
            count("replayed"),
        ))?;
    }
    let is_good = totals["degraded"] == 0 && totals["passing"] == totals["replayed"];
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn replay(session: Session, requests: Vec<Request>, concurrency: usize, mut progress: Progress) -> Vec<Outcome> {
    let session = Arc::new(session);
    let mut outcomes: Vec<Option<Outcome>> = vec![None; requests.len()];
    let (mut waiting, mut running) = (requests.into_iter().enumerate(), JoinSet::new());
    loop {
        while running.len() < concurrency
            && let Some((at, request)) = waiting.next()
        {
            let session = session.clone();
            running.spawn(async move {
                let now = match session.replay(&request).await {
                    Ok(now) => now,
                    Err(lacking) => return (at, Err(lacking.to_string())),
                };
                (at, Ok([session.recorded(&request).await, now]))
            });
        }
        match running.join_next().await {
            Some(Ok((at, outcome))) => outcomes[at] = Some(outcome),
            Some(Err(error)) => complain(format_args!("a replay broke off: {error}")),
            None => break,
        }
        progress.add(1);
    }
    outcomes.into_iter().map(|it| it.unwrap_or_else(|| Err("it broke off".to_owned()))).collect()
}

fn row(id: &str, outcome: &Outcome) -> Vec<String> {
    let [before, now] = match outcome {
        Ok(records) => records,
        Err(why) => return [id, "-", "-", "skipped", "-", "-", "-", "-", why].map(str::to_owned).to_vec(),
    };
    let comparison = Comparison { records: [before, now] };
    let [was, is] = comparison.passes().map(|passes| if passes { "pass" } else { "fail" }.to_owned());
    let number = |key: &str, places: usize| {
        let side = |it: &Json| it[key].as_f64().map_or_else(|| "unknown".to_owned(), |it| format!("{it:.places$}"));
        format!("{} to {}", side(before), side(now))
    };
    let text = |value: &Json| value.as_str().unwrap_or("-").to_owned();
    let model = if now["model"].is_null() { &now["model_requested"] } else { &now["model"] };
    let simulated = if now["replay"]["simulated"] == true { " (SIMULATED)" } else { "" };
    let change = format!("{}{simulated}", comparison.change().as_str());
    vec![
        id.to_owned(),
        was,
        is,
        change,
        number("latency_ms", 0),
        number("cost_usd", 6),
        text(&now["prompt_version"]),
        text(model),
        text(&now["diagnosis"]["line"]),
    ]
}

fn document(id: &str, outcome: &Outcome) -> Json {
    match outcome {
        Ok([before, now]) => {
            let mut document = Comparison { records: [before, now] }.to_json();
            document["trace_id"] = id.into();
            document["skipped"] = Json::Null;
            document
        }
        Err(why) => json!({ "trace_id": id, "skipped": why }),
    }
}

fn totals(outcomes: &[Outcome]) -> Json {
    let replayed =
        || outcomes.iter().filter_map(|it| it.as_ref().ok()).map(|[before, now]| Comparison { records: [before, now] });
    let changed = |change: Change| replayed().filter(|it| it.change() == change).count();
    let cost: f64 = replayed().filter_map(|it| it.records[1]["cost_usd"].as_f64()).sum();
    json!({
        "replayed": replayed().count(),
        "skipped": outcomes.iter().filter(|it| it.is_err()).count(),
        "passing": replayed().filter(|it| it.passes()[1]).count(),
        "improved": changed(Change::Improved),
        "same": changed(Change::Same),
        "degraded": changed(Change::Degraded),
        "cost_usd": cost,
        "simulated": replayed().any(|it| it.records[1]["replay"]["simulated"] == true),
    })
}
