//! `freezeframe verify`: offline proof of a bundle or a store directory.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use super::output::{Format, print_json, say};
use crate::evidence;

/// Arguments of `verify`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Exit status: 0 verified, 1 altered, 2 usage, 3 incomplete, 4 rollback or fork proven.")]
pub(super) struct Args {
    /// A bundle, or the directory of a store
    path: PathBuf,
    /// File with the log's verifier key, or the key itself; never taken from PATH
    #[arg(long, value_name = "FILE|VKEY")]
    vkey: String,
    /// Checkpoints that somebody kept, or a file of them: a signed note, or any text with `origin size root` in it, such
    /// as a pasted alert
    #[arg(long, value_name = "TEXT|FILE")]
    remembered: Option<String>,
    /// C2SP tlog-policy file: the witnesses that must have cosigned
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let file = PathBuf::from(&args.vkey);
    let vkey = if file.exists() {
        evidence::read_vkey(&file, &args.path).map_err(anyhow::Error::msg)?
    } else if args.vkey.contains('+') {
        args.vkey.clone()
    } else {
        anyhow::bail!("--vkey {}: no such file, and no key either (a key is NAME+HASH+KEY)", args.vkey);
    };
    let remembered = args.remembered.as_ref().map(|text| match std::fs::read_to_string(text) {
        Ok(kept) => kept,
        Err(_) => text.clone(),
    });
    let policy = args.policy.as_ref().map(|file| evidence::read_policy(file, &args.path)).transpose();
    let policy = policy.map_err(anyhow::Error::msg)?;
    let verification = evidence::verify_with_policy(&args.path, &vkey, remembered.as_deref(), policy.as_deref());
    match args.format {
        Format::Json => print_json(&serde_json::to_value(&verification).context("rendering the result")?)?,
        Format::Table | Format::Markdown => say(verification.report().trim_end())?,
    }
    Ok(ExitCode::from(verification.outcome.exit_status()))
}
