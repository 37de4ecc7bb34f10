//! `freezeframe compare`: two records of a request side by side.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::Value as Json;

use super::output::Format;
use super::recording::RecordingArgs;
use super::replay::print_comparison;
use crate::core::trace_record;
use crate::toolkit::replay::Comparison;

/// Bytes of a record at most.
const RECORD_BYTES_MAX: u64 = 64 << 20;

/// Arguments of `compare`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// The earlier one: a record as `replay --output` writes it, or a recording; FILE@ID picks a trace of several
    a: String,
    /// The later one
    b: String,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (a, b) = (record(&args.a)?, record(&args.b)?);
    print_comparison(args.format, &Comparison { records: [&a, &b] }, None)?;
    Ok(ExitCode::SUCCESS)
}

/// A record as it stands in its file, with everything a replay noted; else the one request of a recording.
fn record(place: &str) -> anyhow::Result<Json> {
    let (path, id) = match place.rsplit_once('@') {
        Some((path, id)) if !std::path::Path::new(place).exists() => (path, Some(id.to_ascii_lowercase())),
        _ => (place, None),
    };
    let is_small = std::fs::metadata(path).is_ok_and(|it| it.is_file() && it.len() <= RECORD_BYTES_MAX);
    let text = if is_small { std::fs::read_to_string(path).unwrap_or_default() } else { String::new() };
    if let Ok(document) = serde_json::from_str::<Json>(&text)
        && document["trace_id"].is_string()
        && document["started_at"].is_string()
    {
        return Ok(document);
    }
    let recording = RecordingArgs::new(vec![PathBuf::from(path)], None);
    let mut found = recording.each_request(false, |requests| {
        let is_wanted =
            |it: &crate::core::request::Request| id.as_ref().is_none_or(|id| it.trace_id.to_string().starts_with(id));
        let mut found = Vec::new();
        for request in requests {
            let request = request?;
            if is_wanted(&request) && found.len() < 2 {
                found.push(trace_record::of(&request));
            }
        }
        Ok(found)
    })?;
    match found.len() {
        0 => bail!("{place}: no such request"),
        1 => found.pop().context("it is there"),
        _ => bail!("{place}: more than one request; FILE@ID picks one by its trace id"),
    }
}
