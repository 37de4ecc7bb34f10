//! `freezeframe changes`: which value of which variable came or went, as a running sidecar saw it.

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::Value as Json;

use super::client;
use super::output::{Format, print_json, print_table, say};

/// Arguments of `changes`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// The admin listener of a running sidecar
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8889")]
    url: String,
    /// Header of the request to the sidecar, such as authorization="Bearer ..."; may be repeated
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = client::pair)]
    headers: Vec<(String, String)>,
    /// Of one feature; without, of the whole service
    #[arg(long)]
    feature: Option<String>,
    /// Of one variable, such as prompt_revision
    #[arg(long)]
    variable: Option<String>,
    /// How far back, as 6h; without, as far as the sidecar remembers
    #[arg(long, value_name = "DURATION")]
    since: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let asked = [("feature", &args.feature), ("variable", &args.variable), ("since", &args.since)];
    let asked = asked.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let url = format!("{}/api/v1/changes", args.url.trim_end_matches('/'));
    let url = reqwest::Url::parse_with_params(&url, asked).context("--url")?;
    let answer = client::get(url.as_str(), &args.headers)?;
    let answer: Json = serde_json::from_slice(&answer).context("the sidecar's answer is no JSON")?;
    if args.format == Format::Json {
        print_json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let changes = answer["changes"].as_array().context("the sidecar's answer has no changes")?;
    if changes.is_empty() {
        say("no variable's value came or went")?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = changes.iter().map(row);
    print_table(args.format, &["at", "variable", "value", "change", "share", "took", "reported by"], rows)?;
    Ok(ExitCode::SUCCESS)
}

fn row(change: &Json) -> Vec<String> {
    let text = |name: &str| change[name].as_str().unwrap_or("-").to_owned();
    let percent = |name: &str| change[name].as_f64().map_or_else(|| "-".to_owned(), |it| format!("{:.0}", it * 100.0));
    let share = format!("{} to {} %", percent("share_before"), percent("share_after"));
    let took = change["took_s"].as_f64().map_or_else(|| "-".to_owned(), |it| format!("{it:.0} s"));
    vec![
        text("at"),
        text("variable"),
        text("value"),
        text("change").replace('_', " "),
        share,
        took,
        text("reported_by"),
    ]
}
