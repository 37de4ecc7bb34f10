//! `freezeframe judge`: how good a judge is, before it judges production.

mod arguments;
mod golden;

use std::process::ExitCode;

/// Subcommands of `judge`.
#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Args {
    /// Score answers that people labelled: agreement, and drift against an earlier result
    Golden(golden::Args),
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match args {
        Args::Golden(args) => golden::run(args),
    }
}
