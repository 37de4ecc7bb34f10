//! `freezeframe retro`: what repeats over the incidents of one or several logs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::Value as Json;

use super::output::{Format, complain, print_json, print_table, say};
use super::{client, postmortem};
use crate::config::parse_duration;
use crate::core::time::UnixNanos;
use crate::engine::clock;
use crate::evidence::Reader;
use crate::kept::AlertFile;
use crate::toolkit::postmortem::{Checked, second};
use crate::toolkit::retro::{self, Action, Beside, Period};
use crate::toolkit::whole;

/// Frames read of one log at most: the newest.
const FRAMES_MAX: usize = 100_000;
/// Postmortems of a directory at most.
const PAGES_MAX: usize = 10_000;
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
    /// A directory of postmortems (`*.md`), to leave those that are done out of what is due
    #[arg(long, value_name = "DIR")]
    postmortems: Option<PathBuf>,
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
    let until = clock::now();
    let actions = args
        .actions
        .as_deref()
        .map(|path| anyhow::Ok(Action::list(&whole::text(path, ACTIONS_BYTES_MAX)?)?))
        .transpose()?;
    let pages = args.postmortems.as_deref().map(|dir| pages(dir, until)).transpose()?;
    let (frames, known) = args.frames()?;
    let beside = Beside { actions, pages, ..known };
    let unread = beside.unread;
    let found = retro::retro(&frames, Period { since: until.minus(back), until }, &beside);
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

/// The postmortems of a directory, by name.
fn pages(dir: &Path, now: UnixNanos) -> anyhow::Result<Vec<Checked>> {
    let reading = || format!("--postmortems {}", dir.display());
    let entries = std::fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>).with_context(reading)?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|it| it.path()).collect();
    paths.retain(|it| it.extension().is_some_and(|it| it == "md"));
    paths.sort();
    if paths.len() > PAGES_MAX {
        bail!("{}: more than {PAGES_MAX} pages", reading());
    }
    let mut pages = Vec::new();
    for path in paths {
        let page = Checked::of(&postmortem::read(&path)?, now);
        if page.header.incident.is_empty() {
            complain(format_args!("{}: the header names no incident, the page is not counted", path.display()));
        } else {
            pages.push(page);
        }
    }
    Ok(pages)
}

fn table(found: &Json) -> std::io::Result<()> {
    let incidents = if found["incidents"] == 1 { "incident" } else { "incidents" };
    let since = found["since"].as_str().unwrap_or_default();
    say(format_args!("{} {incidents} since {}\n", found["incidents"], second(since)))?;
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
    let due = list("postmortems_due").into_iter().map(|it| {
        let time = |key: &str| it[key].as_str().map_or_else(|| "-".to_owned(), second);
        let open = it["findings"].as_u64().map_or_else(|| "no page known".to_owned(), |it| it.to_string());
        let cells = ["state", "incident", "alert", "feature"].map(|key| text(&it[key]));
        cells.into_iter().chain([time("draft_due"), time("review_due"), open]).collect()
    });
    if due.len() > 0 {
        say("")?;
        let header = ["postmortem", "incident", "alert", "feature", "draft due", "review due", "open on the page"];
        print_table(Format::Table, &header, due)?;
    }
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
    /// The frames, how many could not be read, and when incidents ended.
    fn frames(&self) -> anyhow::Result<(Vec<Json>, Beside)> {
        let parsed = |bytes: &[u8]| serde_json::from_slice::<Json>(bytes).ok();
        let Some(url) = self.url.as_deref().map(|url| url.trim_end_matches('/')) else {
            let (mut frames, mut kept, mut ended) = (Vec::new(), 0, BTreeMap::new());
            for dir in &self.dir {
                let log = Reader::open(dir).with_context(|| format!("reading the log in {}", dir.display()))?;
                kept += log.frames().min(FRAMES_MAX);
                frames.extend(log.newest(FRAMES_MAX)?.iter().filter_map(|(_, bytes)| parsed(bytes)));
                ended.extend(AlertFile::in_dir(dir).ended().into_iter().map(|it| (it.incident, it.resolved_at)));
            }
            let unread = kept.saturating_sub(frames.len());
            return Ok((frames, Beside { unread, ended, ..Beside::default() }));
        };
        let listed = client::get(&format!("{url}/api/v1/incidents"), &self.headers)?;
        let listed: Json = serde_json::from_slice(&listed).context("the sidecar's answer is no JSON")?;
        let ids = listed["incidents"].as_array().context("the sidecar's answer lists no incidents")?;
        let ended = ids.iter().filter_map(|it| Some((it["id"].as_str()?.to_owned(), resolved(it)?))).collect();
        let mut frames = Vec::new();
        for it in ids {
            // The second frame of an incident knows more, once it is in the log.
            let newest = it["frame_ids"].as_array().and_then(|ids| ids.last()).and_then(Json::as_str);
            let Some(id) = newest.or(it["id"].as_str()) else { continue };
            match client::get(&format!("{url}/api/v1/incidents/{id}/frame"), &self.headers) {
                Ok(bytes) => frames.extend(parsed(&bytes)),
                Err(error) => complain(format_args!("{id}: {error:#}")),
            }
        }
        let unread = ids.len() - frames.len();
        Ok((frames, Beside { unread, ended, ..Beside::default() }))
    }
}

/// When an incident of the API's list was over.
fn resolved(incident: &Json) -> Option<UnixNanos> {
    incident["resolved_at"].as_str().and_then(UnixNanos::parse)
}
