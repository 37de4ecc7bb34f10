//! `freezeframe rules export`: the rules of a configuration for Prometheus.

use std::process::ExitCode;

use super::output::{complain, say};
use crate::config;
use crate::toolkit::prometheus;

/// What to do.
#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Args {
    /// Print Prometheus recording and alerting rules: those of the configuration over all pods, and those that watch the
    /// sidecars
    Export(ExportArgs),
}

/// Arguments of `export`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ExportArgs {
    /// Configuration: a file, or env:VAR; embedded defaults without
    #[arg(long, value_name = "FILE|env:VAR")]
    config: Option<String>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Args::Export(ExportArgs { config }) = args;
    let source = super::source(config.as_deref());
    let (config, _) = config::load(&source, &config::env::process).map_err(anyhow::Error::msg)?;
    let (text, left) = prometheus::rules(&config);
    say(text.trim_end())?;
    if !left.is_empty() {
        complain(format_args!("judged by the sidecars only: {}", left.join(", ")));
    }
    Ok(ExitCode::SUCCESS)
}
