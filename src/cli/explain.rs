//! `freezeframe explain`: which variable moved between two windows of a recording, or since a sidecar's last-good baseline.

use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Value as Json, json};

use super::client;
use super::output::{Format, complain, print_json, print_table, say, sentence};
use super::recording::RecordingArgs;
use crate::core::signal::Signal;
use crate::core::time::UnixNanos;
use crate::engine::registry::ALL;
use crate::toolkit::explain::{Comparison, Question, document};

/// Arguments of `explain`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Recordings: OTLP JSON or protobuf, gzip or zstd, directories, - for standard input
    #[arg(required_unless_present = "url")]
    input: Vec<PathBuf>,
    /// Configuration: a file, or env:VAR; embedded defaults without
    #[arg(long, value_name = "FILE|env:VAR")]
    config: Option<String>,
    /// When it was bad: two times of RFC 3339
    #[arg(long, value_name = "FROM/TO", value_parser = window, required_unless_present = "url")]
    incident: Option<Range<UnixNanos>>,
    /// When it was good
    #[arg(long, value_name = "FROM/TO", value_parser = window, required_unless_present = "url")]
    baseline: Option<Range<UnixNanos>>,
    /// The admin listener of a running sidecar, instead of recordings: now against its last-good baseline
    #[arg(long, conflicts_with_all = ["input", "config", "incident", "baseline"])]
    url: Option<String>,
    /// Header of the request to the sidecar, such as authorization="Bearer ..."; may be repeated
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = client::pair, requires = "url")]
    headers: Vec<(String, String)>,
    /// For how long it has been bad, as 15m; without, the sidecar's short window
    #[arg(long, value_name = "DURATION", requires = "url")]
    since: Option<String>,
    /// What was bad
    #[arg(long, default_value = "quality", value_parser = signal)]
    signal: Signal,
    /// Of one feature; without, of the whole service, with the feature as a dimension of traffic
    #[arg(long)]
    feature: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// No progress bar on standard error
    #[arg(long)]
    no_progress: bool,
}

fn window(text: &str) -> Result<Range<UnixNanos>, String> {
    let (from, to) = text.split_once('/').ok_or("expected FROM/TO")?;
    let time = |text: &str| UnixNanos::parse(text).ok_or_else(|| format!("{text:?} is not a time of RFC 3339"));
    let window = time(from)?..time(to)?;
    if window.is_empty() { Err("it ends before it begins".into()) } else { Ok(window) }
}

fn signal(text: &str) -> Result<Signal, String> {
    let names = || Signal::ALL.map(Signal::as_str).join(", ");
    if text == Signal::LeakRatio.as_str() {
        return Err("leaks are found in answers as they came, and a recording is read redacted".into());
    }
    Signal::parse(text).ok_or_else(|| format!("no such signal; there are {}", names()))
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let document = match (&args.url, &args.incident, &args.baseline) {
        (Some(url), ..) => {
            now(url, &args.headers, args.feature.as_deref(), args.signal.as_str(), args.since.as_deref())?
        }
        (None, Some(incident), Some(baseline)) => recorded(args, incident, baseline)?,
        (None, ..) => anyhow::bail!("name both windows, or a running sidecar with --url"),
    };
    match args.format {
        Format::Json => print_json(&document)?,
        Format::Table | Format::Markdown => print(args.format, &document)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What a running sidecar says moved between its last-good baseline and now.
pub(super) fn now(
    url: &str,
    headers: &[(String, String)],
    feature: Option<&str>,
    signal: &str,
    since: Option<&str>,
) -> anyhow::Result<Json> {
    let asked = [("feature", feature), ("signal", Some(signal)), ("since", since)];
    let asked = asked.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let url = format!("{}/api/v1/explanation", url.trim_end_matches('/'));
    let url = reqwest::Url::parse_with_params(&url, asked).context("--url")?;
    serde_json::from_slice(&client::get(url.as_str(), headers)?).context("the sidecar's answer is no JSON")
}

fn recorded(args: &Args, incident: &Range<UnixNanos>, baseline: &Range<UnixNanos>) -> anyhow::Result<Json> {
    let question = Question {
        incident: incident.clone(),
        baseline: baseline.clone(),
        signal: args.signal,
        feature: args.feature.clone().filter(|name| name != ALL),
    };
    let recording = RecordingArgs::new(args.input.clone(), args.config.clone());
    let comparison = recording.each_request_with(!args.no_progress, |requests, config| {
        let mut comparison = Comparison::new(question, config);
        for request in requests {
            comparison.add(&request?);
        }
        Ok(comparison)
    })?;
    for (name, requests) in ["baseline", "incident"].into_iter().zip(comparison.requests()) {
        if requests == 0 {
            complain(format_args!("no request ended in the {name} window"));
        }
    }
    let asked = args.signal.as_str();
    let frame = comparison.frame(uuid::Uuid::now_v7().to_string());
    if let Some(compared) = frame.alert.signal.filter(|it| *it != asked) {
        complain(format_args!("no verdict says pass or fail, so {compared} is compared instead of {asked}"));
    }
    Ok(document(frame))
}

fn print(format: Format, frame: &Json) -> std::io::Result<()> {
    let text = |value: &Json| value.as_str().unwrap_or("-").to_owned();
    let percent = |value: &Json| {
        value.as_f64().map_or_else(|| "-".to_owned(), |it| format!("{:.1} %", (it * 1e3).round() / 10.0 + 0.0))
    };
    let verdict = &frame["verdict"];
    sentence(format, &format!("{}: {}", text(&verdict["answer"]), text(&verdict["evidence"])))?;
    let failing = &verdict["failing_share"];
    let requests = &verdict["requests"];
    say(format_args!(
        "{} of {} requests fail, {} of {} before",
        percent(&failing["incident"]),
        requests["incident"],
        percent(&failing["baseline"]),
        requests["baseline"],
    ))?;
    say("")?;
    let header = ["variable", "value", "verdict", "explained", "with", "without", "share", "before"];
    let figures = ["explained", "rate_with", "rate_without", "incident_share", "baseline_share"];
    let suspects = frame["suspects"].as_array().map_or(&[][..], Vec::as_slice);
    let rows = suspects.iter().map(|suspect| {
        let words = ["variable", "value", "verdict"].map(|key| text(&suspect[key]));
        words.into_iter().chain(figures.map(|key| percent(&suspect[key]))).collect::<Vec<_>>()
    });
    print_table(format, &header, rows)?;
    say("")?;
    let none = json!({});
    let shares = verdict["shares"].as_object().or(none.as_object()).into_iter().flatten();
    print_table(format, &["variable", "share of the change"], shares.map(|(name, it)| vec![name.clone(), percent(it)]))
}
