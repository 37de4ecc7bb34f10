//! The command line: one file a command, all the same shape (`Args`, `run`). The only place that prints.

#![expect(clippy::print_stderr, reason = "printing is what a command line is for")]

mod backtest;
mod breaker;
mod changes;
mod client;
mod compare;
mod completeness;
mod diagnose;
mod drill;
mod evidence;
mod explain;
mod incident;
mod inspect;
mod judge;
mod output;
mod postmortem;
pub mod print_config;
mod progress;
mod record;
mod recording;
mod replay;
mod retro;
mod rules;
mod run;
mod triage;
pub mod validate;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use output::Format;

use crate::config::Source;

/// The freeze frame for LLM applications.
///
/// Without a command it runs the sidecar. Exit status: 0 done and nothing found, 1 done and something found
/// (altered evidence, invalid config), 2 usage or unexpected error; verify also 3 incomplete, 4 rolled back or forked.
#[derive(Debug, Parser)]
#[command(name = "freezeframe", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::Args,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the sidecar (the default)
    Run(run::Args),
    /// Report every error and warning of a configuration
    Validate(validate::Args),
    /// Print the effective configuration, secrets masked
    PrintConfig(print_config::Args),
    /// Write the configuration's rules for Prometheus
    #[command(subcommand)]
    Rules(rules::Args),
    /// Feed recorded OTLP through the real engine at the recorded time
    Backtest(backtest::Args),
    /// List and order the breakers of a running sidecar; simulate them on a recording
    #[command(subcommand)]
    Breaker(breaker::Args),
    /// Which variable moved between two windows of a recording
    Explain(explain::Args),
    /// Which value of which variable came or went, as a running sidecar saw it
    Changes(changes::Args),
    /// Print the normalised LLM requests of a recording
    Inspect(inspect::Args),
    /// How good a judge is: agreement with people, and drift
    #[command(subcommand)]
    Judge(judge::Args),
    /// Tell a running sidecar about a judge, index, prompt or tool, or what a user said
    Record(Box<record::Args>),
    /// Lay out one trace of a recording: the most telling one, or the one given
    Diagnose(diagnose::Args),
    /// Ask the model again what a recorded request asked it, under other conditions
    Replay(Box<replay::Args>),
    /// Two records of a request side by side
    Compare(compare::Args),
    /// Replay every request of a directory: what improves, what stays, what degrades
    ReplayAll(Box<replay::AllArgs>),
    /// What repeats over incidents: class, variable, detection lag, missing telemetry, overdue action items
    Retro(retro::Args),
    /// Rehearse an incident, end to end, on the real engine
    Drill(drill::Args),
    /// Class, severity and first steps of an incident, by the decision tree
    Triage(triage::Args),
    /// List incidents, show their frames, write their bundles
    #[command(subcommand)]
    Incident(incident::Args),
    /// Read a postmortem as its reviewer would
    #[command(subcommand)]
    Postmortem(postmortem::Args),
    /// Verify a bundle or a store directory offline
    Verify(verify::Args),
    /// The evidence log: its key and health, erasure, pruning, rotation of keys
    #[command(subcommand)]
    Evidence(evidence::Args),
}

/// Parses the arguments and runs the command. The exit status is the contract's.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command.unwrap_or(Command::Run(cli.run)) {
        Command::Run(args) => run::run(&args),
        Command::Validate(args) => validate::run(&args),
        Command::PrintConfig(args) => print_config::run(&args),
        Command::Rules(args) => rules::run(&args),
        Command::Backtest(args) => backtest::run(&args),
        Command::Breaker(args) => breaker::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Changes(args) => changes::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Judge(args) => judge::run(&args),
        Command::Record(args) => record::run(&args),
        Command::Diagnose(args) => diagnose::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::ReplayAll(args) => replay::run_all(&args),
        Command::Retro(args) => retro::run(&args),
        Command::Drill(args) => drill::run(&args),
        Command::Triage(args) => triage::run(&args),
        Command::Incident(args) => incident::run(&args),
        Command::Postmortem(args) => postmortem::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Evidence(args) => evidence::run(&args),
    };
    result.unwrap_or_else(|error| {
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if kind == Some(std::io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        output::complain(format_args!("{error:#}"));
        ExitCode::from(2)
    })
}

/// Where `--config` points; the embedded defaults without.
fn source(config: Option<&str>) -> Source {
    config.map_or(Source::Default, Source::parse)
}
