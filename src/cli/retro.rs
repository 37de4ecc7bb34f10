//! `freezeframe retro`: what repeats over the incidents of one or several logs.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::Value as Json;

use super::client;
use super::output::{Format, complain, print_json, print_table, say};
use crate::config::parse_duration;
use crate::engine::clock;
use crate::evidence::Reader;
use crate::toolkit::retro::{self, Action, Period};

/// Frames read of one log at most: the newest.
const FRAMES_MAX: usize = 100_000;

/// Bytes of a list of action items at most.
const ACTIONS_BYTES_MAX: u64 = 4 << 20;

/// Arguments of `retro`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// How far back, such as 90d or 12h
    #[arg(long, value_name = "DURATION", default_value = "90d")]
    since: String,
    /// A data directory; may be repeated, one for each sidecar
    #[arg(long, default_value = "freezeframe-data", conflicts_with = "url")]
    dir: Vec<PathBuf>,
    /// The admin listener of a running sidecar, instead of --dir
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Header of the requests to the sidecar; may be repeated
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = client::pair, requires = "url")]
    headers: Vec<(String, String)>,
    /// Action items of postmortems, to name those that are overdue: YAML or JSON
    #[arg(long, value_name = "FILE")]
    actions: Option<PathBuf>,
    /// Where to write a chart of incidents a week
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Some(back) = parse_duration(&args.since) else {
        bail!("--since {}: expected a duration such as 90d", args.since)
    };
    let actions = match &args.actions {
        Some(path) => Action::list(&read(path)?)?,

        None => Vec::new(),
    };
    let (frames, unread) = args.frames()?;
    let until = clock::now();
    let found = retro::retro(&frames, Period { since: until.minus(back), until }, unread, &actions);
    if let Some(path) = &args.svg {
        std::fs::write(path, retro::svg(&found)).with_context(|| format!("writing {}", path.display()))?;
    }
    match args.format {
        Format::Json => print_json(&found)?,
        Format::Markdown => say(retro::markdown(&found))?,
        Format::Table => table(&found)?,
    }
    if unread > 0 {
        complain(format_args!("{unread} frames could not be read and are not counted"));
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path).with_context(|| format!("reading {}", path.display()))?;
    let bytes = file
        .take(ACTIONS_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("reading {}", path.display()))?;
    if bytes as u64 > ACTIONS_BYTES_MAX {
        bail!("{}: more than {ACTIONS_BYTES_MAX} bytes", path.display());
    }
    Ok(text)
}

fn table(found: &Json) -> std::io::Result<()> {
    say(format_args!("{} incidents since {}\n", found["incidents"], found["since"].as_str().unwrap_or_default()))?;
    let list = |key: &str| found[key].as_array().cloned().unwrap_or_default();
    let text = |it: &Json| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
    let themes = list("themes").into_iter().map(|it| {
        let incidents = it["incidents"].as_array().map_or(0, Vec::len);
        vec![text(&it["what"]), text(&it["kind"]), incidents.to_string()]
    });
    print_table(Format::Table, &["what repeats", "kind", "incidents"], themes)?;
    say("")?;
    let lags = list("detection").into_iter().map(|it| {
        vec![
            text(&it["class"]),
            text(&it["incidents"]),
            format!("{:.0}", it["p50_s"].as_f64().unwrap_or_default()),
            format!("{:.0}", it["p90_s"].as_f64().unwrap_or_default()),
        ]
    });
    print_table(Format::Table, &["class", "incidents", "onset to alert s, median", "90th percentile"], lags)?;
    say("")?;
    let gaps = list("gaps").into_iter().map(|it| {
        vec![text(&it["missing"]), text(&it["incidents"]), text(&it["without_a_cause"]), text(&it["remedy"])]
    });
    print_table(Format::Table, &["missing telemetry", "incidents", "without a cause", "what closes the gap"], gaps)?;
    let overdue = list("actions_overdue")
        .into_iter()
        .map(|it| ["description", "owner", "priority", "due", "incident"].map(|key| text(&it[key])).to_vec());
    if overdue.len() > 0 {
        say("")?;
        print_table(Format::Table, &["overdue", "owner", "priority", "due", "incident"], overdue)?;
    }
    Ok(())
}

impl Args {
    /// The frames, and how many could not be read.
    fn frames(&self) -> anyhow::Result<(Vec<Json>, usize)> {
        let parsed = |bytes: &[u8]| serde_json::from_slice::<Json>(bytes).ok();
        let Some(url) = self.url.as_deref().map(|url| url.trim_end_matches('/')) else {
            let (mut frames, mut kept) = (Vec::new(), 0);
            for dir in &self.dir {
                let log = Reader::open(dir).with_context(|| format!("reading the log in {}", dir.display()))?;
                kept += log.frames().min(FRAMES_MAX);
                frames.extend(log.newest(FRAMES_MAX)?.iter().filter_map(|(_, bytes)| parsed(bytes)));
            }
            let unread = kept.saturating_sub(frames.len());
            return Ok((frames, unread));
        };
        let listed = client::get(&format!("{url}/api/v1/incidents"), &self.headers)?;
        let listed: Json = serde_json::from_slice(&listed).context("the sidecar's answer is no JSON")?;
        let ids = listed["incidents"].as_array().context("the sidecar's answer lists no incidents")?;
        let mut frames = Vec::new();
        for id in ids.iter().filter_map(|it| it["id"].as_str()) {
            match client::get(&format!("{url}/api/v1/incidents/{id}/frame"), &self.headers) {
                Ok(bytes) => frames.extend(parsed(&bytes)),
                Err(error) => complain(format_args!("{id}: {error:#}")),
            }
        }
        let unread = ids.len() - frames.len();
        Ok((frames, unread))
    }
}
