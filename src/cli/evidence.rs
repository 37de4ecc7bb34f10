//! `freezeframe evidence`: the log in a store directory, its key, its health, and what is done to it by hand. All but
//! looking needs the directory for itself, so the sidecar must be stopped; a running one is asked with `--url`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use super::output::{Format, print_json, print_table, say};
use super::{client, source};
use crate::config;
use crate::core::time::UnixNanos;
use crate::engine::clock;
use crate::engine::store::{EraseOrder, Store as _};
use crate::evidence::{self, Log};

/// What to do.
#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Args {
    /// Print the verifier key of the log: keep it where the log's keeper can't reach it
    Vkey(StoreArgs),
    /// Print origin, size and root, and whether the log verifies
    Status(StoreArgs),
    /// Destroy parts of a frame; the log says which, why and when, and every proof still holds
    Erase(EraseArgs),
    /// Destroy frames from before a leaf or a time; the log says so, and proofs of the rest still hold
    Prune(PruneArgs),
    /// Replace the log's key: both sign until --retire
    Rotate(RotateArgs),
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

/// Which log, to write to it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct OpenArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Configuration of the sidecar, for the key it is given
    #[arg(long, value_name = "FILE|env:NAME|yaml:TEXT")]
    config: Option<String>,
}

/// Arguments of `erase`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct EraseArgs {
    #[command(flatten)]
    open: OpenArgs,
    /// Id of the frame
    #[arg(long, value_name = "ID")]
    frame: String,
    /// A variable, or `samples`; may be repeated. The samples are whole requests and go with any variable
    #[arg(long, required = true, value_name = "NAME")]
    variable: Vec<String>,
    /// Why: stays in the log for good, so don't repeat what is erased
    #[arg(long)]
    reason: String,
    /// A running sidecar, instead of --dir
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Header of the request to the sidecar, such as authorization="Bearer ..."; may be repeated
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = client::pair, requires = "url")]
    headers: Vec<(String, String)>,
}

/// Arguments of `prune`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct PruneArgs {
    #[command(flatten)]
    open: OpenArgs,
    /// Keep this leaf and all after it
    #[arg(long, value_name = "LEAF", conflicts_with = "before")]
    below: Option<u64>,
    /// Keep frames captured at this time or later (RFC 3339)
    #[arg(long, value_name = "TIME", required_unless_present = "below")]
    before: Option<String>,
    /// Why
    #[arg(long)]
    reason: String,
}

/// Arguments of `rotate`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct RotateArgs {
    #[command(flatten)]
    open: OpenArgs,
    /// Forget the previous key instead: from now on only the current one signs
    #[arg(long)]
    retire: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match args {
        Args::Vkey(args) => {
            let vkey = vkey(&args.dir)?;
            tell(args.format, &json!({ "vkey": vkey }), &vkey)
        }
        Args::Status(args) => status(args),
        Args::Erase(args) => erase(args),
        Args::Prune(args) => prune(args),
        Args::Rotate(args) => rotate(args),
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
            "outcome": verification.outcome, "findings": verification.findings, "notes": verification.not_checked,
        }))?,
        Format::Table | Format::Markdown => {
            let frames = verification.frames.to_string();
            let rows = [("origin", origin), ("size", size), ("root", root), ("frames", &frames), ("vkey", &vkey)];
            print_table(args.format, &["log", ""], rows.map(|(name, value)| vec![name.to_owned(), value.to_owned()]))?;
            verification.findings.iter().chain(&verification.not_checked).try_for_each(say)?;
        }
    }
    Ok(ExitCode::from(verification.outcome.exit_status()))
}

fn erase(args: &EraseArgs) -> anyhow::Result<ExitCode> {
    let seq = match &args.url {
        Some(url) => ask(url, args)?,
        None => open(&args.open)?.erase(&EraseOrder {
            frame_id: args.frame.clone(),
            parts: args.variable.clone(),
            reason: args.reason.clone(),
            at: clock::now(),
        })?,
    };
    let said = json!({ "frame": args.frame, "variables": args.variable, "leaf": seq });
    let text = format!("erased from {}: {}; leaf {seq} says so", args.frame, args.variable.join(", "));
    tell(args.open.store.format, &said, &text)
}

/// Has a running sidecar erase.
fn ask(url: &str, args: &EraseArgs) -> anyhow::Result<u64> {
    let url = format!("{}/api/v1/incidents/{}/erasures", url.trim_end_matches('/'), args.frame);
    let body = json!({ "variables": args.variable, "reason": args.reason }).to_string();
    let mut headers = client::headers(&args.headers)?;
    headers.insert(reqwest::header::CONTENT_TYPE, reqwest::header::HeaderValue::from_static("application/json"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (status, answer) = runtime.block_on(async {
        let response = client::new()?.post(&url).headers(headers).body(body).send().await;
        let response = response.context("the sidecar does not answer")?;
        let status = response.status();
        anyhow::Ok((status, client::body(response).await.context("the sidecar's answer broke off")?))
    })?;
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap_or_default();
    match answer["leaf"].as_u64().filter(|_| status.is_success()) {
        Some(leaf) => Ok(leaf),
        None => anyhow::bail!("{url} answered {status} {}", answer["detail"].as_str().unwrap_or_default()),
    }
}

fn prune(args: &PruneArgs) -> anyhow::Result<ExitCode> {
    let log = open(&args.open)?;
    let below = match (args.below, &args.before) {
        (Some(below), _) => below,
        (None, before) => {
            let before = before
                .as_deref()
                .and_then(UnixNanos::parse)
                .context("--before: want a time like 2026-11-22T00:00:00Z")?;
            log.captured_before(before)
        }
    };
    let seq = log.prune(below, &args.reason, clock::now())?;
    let text = format!("frames before leaf {below} are gone; leaf {seq} says so");
    tell(args.open.store.format, &json!({ "below": below, "leaf": seq }), &text)
}

fn rotate(args: &RotateArgs) -> anyhow::Result<ExitCode> {
    let dir = &args.open.store.dir;
    if configured(&args.open)?.key_file.is_some() {
        anyhow::bail!("the key is evidence.key_file: name the old file in evidence.previous_key_file and restart");
    }
    if args.retire {
        let log = open(&args.open)?;
        let retired = log.forget_previous_key()?;
        let text = if retired { "the previous key is destroyed" } else { "there is no previous key" };
        return tell(args.open.store.format, &json!({ "retired": retired }), text);
    }
    open(&args.open)?.make_next_key()?;
    let vkey = open(&args.open)?.vkey();
    let text = format!("the new verifier key, to be published; both keys sign until --retire:\n{vkey}");
    tell(args.open.store.format, &json!({ "vkey": vkey, "dir": dir }), &text)
}

fn configured(args: &OpenArgs) -> anyhow::Result<config::Evidence> {
    Ok(config::load(&source(args.config.as_deref()), &config::env::process)?.0.evidence)
}

fn open(args: &OpenArgs) -> anyhow::Result<Log> {
    let dir = &args.store.dir;
    if !dir.join("id.json").exists() {
        anyhow::bail!("{}: there is no log here", dir.display());
    }
    let opened = Log::open(dir, &configured(args)?, clock::now(), evidence::os_entropy());
    opened.context("opening the log (a sidecar that is running has it; for erase there is --url)")
}

fn tell(format: Format, json: &serde_json::Value, text: &str) -> anyhow::Result<ExitCode> {
    match format {
        Format::Json => print_json(json)?,
        Format::Table | Format::Markdown => say(text)?,
    }
    Ok(ExitCode::SUCCESS)
}
