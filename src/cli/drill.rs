//! `freezeframe drill`: rehearse an incident, end to end, on the real engine.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use super::output::{Format, print_json, say};
use crate::drill::{self, Scenario, Stage};
use crate::engine::clock;

/// Arguments of `drill`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[arg(value_enum, default_value_t)]
    scenario: Scenario,
    /// Where store and postmortem are left; a fresh directory when not given
    #[arg(long)]
    dir: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let now = clock::now();
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => std::env::temp_dir().join(format!("freezeframe-drill-{}", now.0)),
    };
    std::fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
    let speak = |stage: &Stage| {
        if args.format != Format::Json {
            // A rehearsal goes on without its audience.
            drop(say(format_args!("{:<11} {}", stage.name, stage.line)));
        }
    };
    let report = drill::run(args.scenario, &dir, now, speak)?;
    if args.format == Format::Json {
        let stages =
            report.stages.iter().map(|it| json!({ "name": it.name, "at": it.at.to_string(), "line": it.line }));
        print_json(&json!({
            "scenario": report.scenario.as_str(),
            "stages": stages.collect::<Vec<_>>(),
            "store": report.store,
            "vkey": report.vkey,
            "frames": report.frames,
            "postmortem": report.postmortem,
        }))?;
    } else {
        say(format_args!("{:<11} {}\n{:<11} {}", "store", report.store.display(), "vkey", report.vkey))?;
    }
    Ok(ExitCode::SUCCESS)
}
