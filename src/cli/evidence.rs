//! `freezeframe evidence`: the log's public key, size and root, read from a store directory.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use super::output::{Format, print_json, print_table, say};
use crate::evidence;

/// What to look at.
#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Args {
    /// Print the verifier key of the log: keep it where the log's keeper can't reach it
    Vkey(StoreArgs),
    /// Print origin, size and root, and whether the log verifies
    Status(StoreArgs),
}

/// Which log.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct StoreArgs {
    /// The data directory
    #[arg(long, default_value = "freezeframe-data")]
    dir: PathBuf,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match args {
        Args::Vkey(args) => {
            let vkey = vkey(&args.dir)?;
            match args.format {
                Format::Json => print_json(&json!({ "vkey": vkey }))?,
                Format::Table | Format::Markdown => say(vkey)?,
            }
            Ok(ExitCode::SUCCESS)
        }
        Args::Status(args) => status(args),
    }
}

fn vkey(dir: &Path) -> anyhow::Result<String> {
    evidence::own_vkey(dir).with_context(|| format!("reading the key of the log in {}", dir.display()))
}

/// Health as the log's own key tells it: good against accidents, no proof against whoever holds the key.
fn status(args: &StoreArgs) -> anyhow::Result<ExitCode> {
    let vkey = vkey(&args.dir)?;
    let verification = evidence::verify(&args.dir, &vkey, None);
    let checkpoint = verification.checkpoint.clone().unwrap_or_default();
    let parts: Vec<&str> = checkpoint.split(' ').collect();
    let [origin, size, root] = parts[..] else { anyhow::bail!("{}", verification.report()) };
    match args.format {
        Format::Json => print_json(&json!({
            "origin": origin, "size": size, "root": root, "frames": verification.frames, "vkey": vkey,
            "outcome": verification.outcome, "findings": verification.findings,
        }))?,
        Format::Table | Format::Markdown => {
            let frames = verification.frames.to_string();
            let rows = [("origin", origin), ("size", size), ("root", root), ("frames", &frames), ("vkey", &vkey)];
            print_table(args.format, &["log", ""], rows.map(|(name, value)| vec![name.to_owned(), value.to_owned()]))?;
            verification.findings.iter().try_for_each(say)?;
        }
    }
    Ok(ExitCode::from(verification.outcome.exit_status()))
}
