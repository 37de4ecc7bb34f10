//! `freezeframe backtest`: recordings through the real engine at the recorded time.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value as Json, json};

use super::output::{Format, complain, heading, print_json, print_table, say};
use super::recording::RecordingArgs;
use crate::config::Config;
use crate::engine::Store as _;
use crate::engine::clock;
use crate::engine::view::AlertState;
use crate::evidence::{Log, os_entropy};
use crate::kept::AlertFile;
use crate::toolkit::backtest::{self, Backtest};
use crate::toolkit::expectation::{Comparison, Expectations, Expected, Finding, Fired};
use crate::toolkit::input::Recording;

/// Arguments of `backtest`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    recording: RecordingArgs,
    /// Hold the alerts against labelled trouble, as YAML or JSON; exit status 1 when some is missed, late, or fires for
    /// nothing
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// Commit the frames to a new log in this directory, for `incident`, `retro` and `verify` to read
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (recording, config) = args.recording.read()?;
    let expectations = args.expect.as_deref().map(expectations).transpose()?;
    let result = match &args.store {
        Some(dir) => stored(&recording, config, dir)?,
        None => backtest::run(&recording, config),
    };
    let fired = fired(&result);
    let compared = expectations.as_ref().map(|it| (it, it.compare(&fired)));
    match args.format {
        Format::Json => {
            let mut document = document(&result);
            if let Some((expectations, comparison)) = &compared {
                document["expected"] = expected(expectations, comparison);
            }
            print_json(&document)?;
        }
        Format::Table | Format::Markdown => {
            print(args.format, &result)?;
            if let Some((expectations, comparison)) = &compared {
                print_comparison(args.format, &expected(expectations, comparison))?;
            }
        }
    }
    let is_met = compared.is_none_or(|(_, comparison)| comparison.is_met);
    Ok(if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Commits the frames to a log in `dir`, which must be empty or not there: no log, whole or damaged, is touched.
fn stored(recording: &Recording, config: Arc<Config>, dir: &Path) -> anyhow::Result<Backtest> {
    let is_empty = match std::fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("--store {}", dir.display())),
    };
    ensure!(is_empty, "--store {}: not empty; name a new directory", dir.display());
    let log = Log::open(dir, &config.evidence, clock::now(), os_entropy())
        .with_context(|| format!("--store {}", dir.display()))?;
    let (result, carried) = backtest::run_into(recording, config, Some(&log));
    if let [(id, error), ..] = &result.lost[..] {
        bail!("{} frames could not be committed to {}; the first, {id}: {error}", result.lost.len(), dir.display());
    }
    if let Some(carried) = carried {
        AlertFile::in_dir(dir).write(&carried).with_context(|| format!("writing to {}", dir.display()))?;
    }
    complain(format_args!("{} frames in {}, verifier key {}", result.frames.len(), dir.display(), log.vkey()));
    Ok(result)
}

fn expectations(path: &std::path::Path) -> anyhow::Result<Expectations> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Expectations::parse(&text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
}

fn fired(result: &Backtest) -> Vec<Fired<'_>> {
    let firing = result.alerts.iter().filter(|(_, alert)| alert.state == AlertState::Firing);
    let fired = firing.map(|(at, alert)| Fired {
        at: *at,
        alertname: &alert.rule.name,
        feature: &alert.feature,
        class: alert.rule.class,
    });
    fired.collect()
}

fn expected(expectations: &Expectations, comparison: &Comparison<'_>) -> Json {
    let incident = |(expected, found): (&Expected, &Finding<'_>)| {
        json!({
            "from": expected.from.to_string(),
            "to": expected.to.to_string(),
            "feature": expected.feature,
            "class": expected.class.map(crate::core::incident::Class::as_str),
            "result": match (found.by, found.is_met) {
                (None, _) => "missed",
                (Some(_), false) => "late",
                (Some(_), true) => "found",
            },
            "delay_s": found.delay.map(|delay| delay.as_secs_f64()),
            "alertname": found.by.map(|by| by.alertname),
        })
    };
    let alarm = |it: &Fired<'_>| json!({ "at": it.at.to_string(), "alertname": it.alertname, "feature": it.feature, "class": it.class.as_str() });
    json!({
        "incidents": expectations.incidents.iter().zip(&comparison.findings).map(incident).collect::<Vec<_>>(),
        "false_alarms": comparison.false_alarms.iter().map(alarm).collect::<Vec<_>>(),
        "is_met": comparison.is_met,
    })
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

/// The entries of a list as rows.
fn rows(list: &Json, keys: &[&str]) -> Vec<Vec<String>> {
    let cell = |row: &Json, key: &str| match &row[key] {
        Json::String(text) => text.clone(),
        Json::Null => "-".into(),
        Json::Number(number) if number.is_f64() => figure(number.as_f64().unwrap_or_default()),
        other => other.to_string(),
    };
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    list.iter().map(|row| keys.iter().map(|key| cell(row, key)).collect()).collect()
}

/// As many places as people look at; the JSON has all of them.
fn figure(number: f64) -> String {
    let rounded = (number * 1e4).round() / 1e4;
    if rounded == 0.0 { number.to_string() } else { rounded.to_string() }
}

fn print_comparison(format: Format, expected: &Json) -> std::io::Result<()> {
    for (title, list, keys) in [
        ("Expected", "incidents", &["from", "feature", "class", "result", "delay_s", "alertname"][..]),
        ("False alarms", "false_alarms", &["at", "alertname", "feature", "class"][..]),
    ] {
        heading(format, title)?;
        print_table(format, keys, rows(&expected[list], keys))?;
    }
    Ok(())
}

fn print(format: Format, result: &Backtest) -> std::io::Result<()> {
    let document = document(result);
    say(format_args!("{} spans, {} requests", result.spans, result.requests))?;
    for (title, list, keys) in [
        ("Alerts", "alerts", &["at", "alertname", "feature", "state", "severity", "value", "threshold"][..]),
        ("Breakers", "breakers", &["at", "feature", "class", "from", "to", "reason"][..]),
        ("Frames", "frames", &["captured_at", "id", "feature"][..]),
    ] {
        heading(format, title)?;
        print_table(format, keys, rows(&document[list], keys))?;
    }
    Ok(())
}
