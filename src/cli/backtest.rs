//! `freezeframe backtest`: recordings through the real engine at the recorded time.

use std::process::ExitCode;

use serde_json::{Value as Json, json};

use super::output::{Format, print_json, print_table, say};
use super::recording::RecordingArgs;
use crate::toolkit::backtest::{self, Backtest};

/// Arguments of `backtest`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    recording: RecordingArgs,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (recording, config) = args.recording.read()?;
    let result = backtest::run(&recording, config);
    match args.format {
        Format::Json => print_json(&document(&result))?,
        Format::Table | Format::Markdown => print(args.format, &result)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The contract's document: alerts, breakers and frames in order of time.
fn document(result: &Backtest) -> Json {
    let alerts: Vec<Json> = result
        .alerts
        .iter()
        .map(|(at, alert)| {
            let (value, threshold) = alert.reading();
            json!({
                "alertname": alert.rule.name,
                "feature": &*alert.feature,
                "class": alert.rule.class.as_str(),
                "severity": alert.rule.severity.as_str(),
                "patterns": alert.incident.iter().flat_map(|it| &it.patterns).map(|it| it.as_str()).collect::<Vec<_>>(),
                "signal": alert.rule.signal.as_str(),
                "state": alert.state.as_str(),
                "at": at.to_string(),
                "value": value,
                "threshold": threshold,
            })
        })
        .collect();
    let breakers: Vec<Json> = result
        .breakers
        .iter()
        .map(|(feature, class, mode, it)| {
            json!({
                "feature": &**feature,
                "class": class.as_str(),
                "mode": mode.as_str(),
                "from": it.from.as_str(),
                "to": it.to.as_str(),
                "at": it.at.to_string(),
                "reason": it.reason.as_str(),
            })
        })
        .collect();
    json!({
        "alerts": alerts,
        "breakers": breakers,
        "frames": result.frames,
        "spans": result.spans,
        "requests": result.requests,
        "from": result.period.map(|(from, _)| from.to_string()),
        "to": result.period.map(|(_, to)| to.to_string()),
    })
}

fn print(format: Format, result: &Backtest) -> std::io::Result<()> {
    let document = document(result);
    let rows = |list: &str, keys: &[&str]| -> Vec<Vec<String>> {
        let cell = |row: &Json, key: &str| match &row[key] {
            Json::String(text) => text.clone(),
            Json::Null => "-".into(),
            other => other.to_string(),
        };
        let list = document[list].as_array().map_or(&[][..], Vec::as_slice);
        list.iter().map(|row| keys.iter().map(|key| cell(row, key)).collect()).collect()
    };
    say(format_args!("{} spans, {} requests", result.spans, result.requests))?;
    for (title, list, keys) in [
        ("Alerts", "alerts", &["at", "alertname", "feature", "state", "severity", "value", "threshold"][..]),
        ("Breakers", "breakers", &["at", "feature", "class", "from", "to", "reason"][..]),
        ("Frames", "frames", &["captured_at", "id", "feature"][..]),
    ] {
        say(format_args!("\n{title}"))?;
        print_table(format, keys, rows(list, keys))?;
    }
    Ok(())
}
