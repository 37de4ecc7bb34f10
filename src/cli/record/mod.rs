//! `freezeframe record`: tell the sidecar about a variable from CI or cron, or pass on what a user said.

mod send;
mod what;

use std::process::ExitCode;

use serde_json::Value as Json;

use self::what::What;
use super::output::{Format, print_json, print_table, say};
use crate::core::time::UnixNanos;
use crate::engine::clock;
use crate::toolkit::report::{FEATURE, Report};

/// Arguments of `record`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
    /// The sidecar's OTLP/HTTP endpoint; /v1/logs is added
    #[arg(long, global = true, value_name = "URL", default_value = "http://127.0.0.1:4318")]
    endpoint: String,
    /// The feature it holds for; may be repeated. Without it, every feature
    #[arg(long = "feature", global = true, value_name = "FEATURE")]
    features: Vec<String>,
    /// A header to send along; may be repeated
    #[arg(long = "header", global = true, value_name = "NAME=VALUE", value_parser = super::client::pair)]
    headers: Vec<(String, String)>,
    /// Who reports it (service.name)
    #[arg(long, global = true, default_value = "freezeframe-record")]
    source: String,
    /// Since when it holds, RFC 3339; now without
    #[arg(long, global = true, value_name = "TIME", value_parser = time)]
    at: Option<UnixNanos>,
    /// Print the OTLP/JSON that would be sent, and send nothing
    #[arg(long, global = true)]
    dry_run: bool,
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let report = args.report()?;
    let request = report.export();
    let document: Json = serde_json::to_value(&request)?;
    if args.dry_run {
        print_json(&document)?;
        return Ok(ExitCode::SUCCESS);
    }
    let url = send::url(&args.endpoint)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(send::logs(&url, &args.headers, &request))?;
    match args.format {
        Format::Json => print_json(&document)?,
        Format::Table | Format::Markdown => {
            say(format_args!("sent to {url}: {} at {}", report.event_name, report.at))?;
            let features = report.features.iter().map(|it| vec![FEATURE.to_owned(), it.clone()]);
            let said = report.attributes.iter().map(|(key, value)| vec![(*key).to_owned(), value.to_string()]);
            print_table(args.format, &["attribute", "value"], features.chain(said))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn report(&self) -> anyhow::Result<Report> {
        let now = clock::now();
        let (trace_id, span_id) = self.what.ids();
        Ok(Report {
            event_name: self.what.event_name(),
            at: self.at.unwrap_or(now),
            source: self.source.clone(),
            features: self.features.clone(),
            trace_id,
            span_id,
            attributes: self.what.attributes(now)?,
        })
    }
}

/// A point in time.
fn time(text: &str) -> Result<UnixNanos, String> {
    UnixNanos::parse(text).ok_or_else(|| "expected a time as 2026-11-22T08:00:00Z".into())
}
