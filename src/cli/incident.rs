//! `freezeframe incident`: the frames of a store directory or of a running sidecar.

mod export;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::output::{Format, complain, heading, print_json, print_table, say};
use super::{client, explain, postmortem};
use crate::core::frame::Rows;
use crate::core::signal::Signal;
use crate::evidence::Reader;
use crate::kept::AlertFile;
use crate::toolkit::difference::{self, Side};
use crate::toolkit::frames::incident_id;
use crate::toolkit::postmortem::{Edition, Entry, Fired, render, timeline};
use crate::toolkit::recompute::{self, Figure};
use crate::toolkit::text;

/// Frames that `list` shows.
const LISTED_MAX: usize = 1000;

/// What to do.
#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Args {
    /// List the newest 1,000 incidents, newest last
    List(Where),
    /// Print the freeze frame of an incident
    Show(ShowArgs),
    /// Compare the frames of two incidents variable by variable, or an incident with its own baseline
    Diff(DiffArgs),
    /// Print the postmortem of an incident, as far as evidence can write it, as Markdown
    Postmortem(postmortem::PageArgs),
    /// Write the samples of an incident as regression cases for an evaluation tool
    Export(export::Args),
    /// Write the auditor's bundle of an incident: its frame, the proof, and how to check them without us
    Bundle(BundleArgs),
}

/// Which sidecar, or which log.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Where {
    #[command(flatten)]
    source: Source,
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

/// The same without a format.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Source {
    /// The data directory; may be in use
    #[arg(long, default_value = "freezeframe-data", conflicts_with = "url")]
    dir: PathBuf,
    /// The admin listener of a running sidecar, instead of --dir
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Header of the request to the sidecar, such as authorization="Bearer ..."; may be repeated
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = client::pair, requires = "url")]
    headers: Vec<(String, String)>,
}

/// Which incident.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct OneArgs {
    /// Incident id
    id: String,
    #[command(flatten)]
    place: Where,
}

/// Arguments of `show`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    one: OneArgs,
    /// Compute its figures again from the counts it holds; exit status 1 when one differs
    #[arg(long)]
    recompute: bool,
}

/// Arguments of `diff`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct DiffArgs {
    #[command(flatten)]
    one: OneArgs,
    /// Another incident to compare it with; without, the baseline of its own frame
    other: Option<String>,
    /// Compare with what happens now, as a running sidecar sees it
    #[arg(long, conflicts_with = "other", requires = "url")]
    now: bool,
}

/// Arguments of `bundle`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct BundleArgs {
    #[command(flatten)]
    one: OneArgs,
    /// Where to write it; `-` for standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match args {
        Args::List(place) => list(place),
        Args::Show(ShowArgs { one: OneArgs { id, place }, recompute: true }) => recomputed(id, place),
        Args::Show(ShowArgs { one: OneArgs { id, place }, recompute: false }) => {
            let mut frame = place.document(id)?;
            if place.format == Format::Markdown {
                std::io::stdout().write_all(render(&frame, &[], Edition::Frame).as_bytes())?;
                return Ok(ExitCode::SUCCESS);
            }
            if place.format != Format::Json {
                without_rows(&mut frame);
            }
            print_json(&frame)?;
            Ok(ExitCode::SUCCESS)
        }
        Args::Diff(args) => diff(args),
        Args::Postmortem(args) => postmortem::page(args),
        Args::Bundle(args) => bundle(args),
        Args::Export(args) => export::run(args),
    }
}

fn list(place: &Where) -> anyhow::Result<ExitCode> {
    let frames = match &place.source.url {
        Some(_) => place.source.listed()?,
        None => {
            let newest = place.source.log()?.newest(LISTED_MAX)?;
            let frame = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
            rows(newest.iter().map(|(receipt, bytes)| (frame(bytes), &*receipt.checkpoint)).collect())
        }
    };
    match place.format {
        Format::Json => print_json(&frames.into())?,
        Format::Table | Format::Markdown => {
            let columns = ["id", "captured_at", "feature", "alert", "class", "severity", "refined", "checkpoint"];
            let cell = |frame: &Value, name: &str| frame[name].as_str().unwrap_or_default().to_owned();
            let rows = frames.iter().map(|frame| columns.map(|name| cell(frame, name)).to_vec());
            print_table(place.format, &columns, rows)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One row an incident, also where it has two frames.
fn rows(frames: Vec<(Value, &str)>) -> Vec<Value> {
    let second = |id: &Value| frames.iter().find(|(it, _)| !id.is_null() && it["refines"] == *id);
    let is_known = |id: &Value| frames.iter().any(|(it, _)| it["id"] == *id);
    let firsts = frames.iter().filter(|(it, _)| it["refines"].is_null() || !is_known(&it["refines"]));
    firsts.map(|(it, checkpoint)| row(it, second(&it["id"]).map(|(it, _)| &it["id"]), checkpoint)).collect()
}

fn row(frame: &Value, refined: Option<&Value>, checkpoint: &str) -> Value {
    let alert = &frame["alert"];
    json!({
        "id": frame["id"],
        "refined": refined,
        "captured_at": frame["captured_at"],
        "feature": frame["feature"],
        "alert": alert["name"],
        "class": alert["class"],
        "severity": alert["severity"],
        "checkpoint": checkpoint,
    })
}

/// Drops the packed columns, which nobody reads.
fn without_rows(frame: &mut Value) {
    let variables = frame["variables"].as_object_mut().into_iter().flatten();
    for detail in variables.filter_map(|(_, it)| it["detail"].as_object_mut()) {
        detail.remove("rows");
    }
    if let Some(verdict) = frame["verdict"].as_object_mut() {
        verdict.remove("rows");
    }
}

fn recomputed(id: &str, place: &Where) -> anyhow::Result<ExitCode> {
    let frame = place.document(id)?;
    let figures = recompute::figures(&frame);
    match place.format {
        Format::Json => {
            let figure = |it: &Figure| json!({ "figure": it.name, "said": it.said, "recomputed": it.recomputed, "agrees": it.agrees() });
            print_json(&figures.iter().map(figure).collect())?;
        }
        Format::Table | Format::Markdown => {
            let shown = |it: &Value| match it {
                Value::String(text) => text.clone(),
                Value::Null => "-".to_owned(),
                other => other.to_string(),
            };
            let rows = figures.iter().map(|it| {
                let verdict = match (it.agrees(), &it.recomputed) {
                    (true, Some(_)) => "yes",
                    (true, None) => "not told by the rest of the frame",
                    (false, _) => "NO",
                };
                let recomputed = it.recomputed.as_ref().map_or_else(|| "-".to_owned(), shown);
                vec![it.name.clone(), shown(&it.said), recomputed, verdict.to_owned()]
            });
            print_table(place.format, &["figure", "said", "recomputed", "agrees"], rows)?;
            let unknown = figures.iter().filter(|it| it.recomputed.is_none()).count();
            if unknown > 0 {
                complain(format_args!(
                    "{unknown} of {} figures can't be checked: {}",
                    figures.len(),
                    Rows::read(&frame)
                        .err()
                        .map_or_else(|| "their counts are not in the frame".to_owned(), |it| it.to_string())
                ));
            }
        }
    }
    Ok(if figures.iter().all(Figure::agrees) { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn diff(DiffArgs { one: OneArgs { id, place }, other, now }: &DiffArgs) -> anyhow::Result<ExitCode> {
    let frame = place.document(id)?;
    let other = match (other, &place.source.url) {
        (Some(id), _) => Some(place.document(id)?),
        (None, Some(url)) if *now => {
            let signal = frame["alert"]["signal"].as_str().unwrap_or(Signal::Quality.as_str());
            Some(explain::now(url, &place.source.headers, frame["feature"].as_str(), signal, None)?)
        }
        (None, _) => None,
    };
    let side = |frame, window| Side { frame, window };
    let found = match &other {
        Some(other) => difference::of(side(&frame, "incident"), side(other, "incident")),
        None => difference::of(side(&frame, "baseline"), side(&frame, "incident")),
    };
    if place.format == Format::Json {
        print_json(&found)?;
        return Ok(ExitCode::SUCCESS);
    }
    let percent =
        |share: &Value| share.as_f64().map_or_else(|| "in other".to_owned(), |it| format!("{:.1} %", it * 100.0));
    let variables = found["variables"].as_object().into_iter().flatten();
    let rows = variables.clone().flat_map(|(name, variable)| {
        let values = variable["values"].as_array().into_iter().flatten();
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().to_owned();
        values.map(move |value| vec![name.clone(), text(value), percent(&value["a"]), percent(&value["b"])])
    });
    let [a, b] = ["a", "b"].map(|side| found[side]["name"].as_str().unwrap_or(side));
    print_table(place.format, &["variable", "value", a, b], rows)?;
    for (name, diff) in variables.filter_map(|(name, variable)| Some((name, variable["diff"].as_str()?))) {
        heading(place.format, name)?;
        match place.format {
            Format::Markdown => say(text::fenced("diff", diff).trim_end())?,
            Format::Table | Format::Json => diff.lines().try_for_each(|it| say(text::line(it)))?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn bundle(args: &BundleArgs) -> anyhow::Result<ExitCode> {
    let BundleArgs { one: OneArgs { id, place }, output } = args;
    let bytes = place.source.get(&format!("{id}/bundle"), |log| log.bundle(id))?;
    let path = output.clone().unwrap_or_else(|| PathBuf::from(format!("freezeframe-{id}.tar")));
    if path == Path::new("-") {
        std::io::stdout().write_all(&bytes)?;
        return Ok(ExitCode::SUCCESS);
    }
    std::fs::write(&path, &bytes).with_context(|| format!("writing {}", path.display()))?;
    match place.format {
        Format::Json => print_json(&json!({ "id": id, "bundle": path, "bytes": bytes.len() }))?,
        Format::Table | Format::Markdown => say(path.display())?,
    }
    Ok(ExitCode::SUCCESS)
}

impl OneArgs {
    pub(super) fn format(&self) -> Format {
        self.place.format
    }

    /// The frame, and what is known of the course of things around it.
    pub(super) fn course(&self) -> anyhow::Result<(Value, Vec<Entry>)> {
        let Self { id, place } = self;
        let Some(url) = &place.source.url else {
            let first = place.document(id)?;
            let newest = place.source.log()?.newest(LISTED_MAX)?;
            let others: Vec<Value> =
                newest.iter().filter_map(|(_, bytes)| serde_json::from_slice(bytes).ok()).collect();
            let frame = others.iter().find(|other| other["refines"] == first["id"]).unwrap_or(&first).clone();
            let mut entries: Vec<Entry> = others.iter().filter_map(|other| Fired::of(other)?.beside(&frame)).collect();
            let ended = AlertFile::in_dir(&place.source.dir).ended();
            let ended = ended.into_iter().find(|it| *incident_id(&frame) == *it.incident);
            entries.extend(ended.map(|it| Entry::resolves(it.resolved_at.to_string())));
            let timeline = timeline(&frame, None, entries);
            return Ok((frame, timeline));
        };
        let url = format!("{}/api/v1/incidents/{id}/postmortem", url.trim_end_matches('/'));
        let mut headers = place.source.headers.clone();
        headers.push(("accept".to_owned(), "application/json".to_owned()));
        let mut answer: Value =
            serde_json::from_slice(&client::get(&url, &headers)?).context("the sidecar's answer is no JSON")?;
        let timeline =
            serde_json::from_value(answer["timeline"].take()).context("the sidecar's answer has no timeline")?;
        Ok((answer["frame"].take(), timeline))
    }
}

impl Where {
    /// The frame of an incident.
    pub(super) fn frame(&self, id: &str) -> anyhow::Result<Vec<u8>> {
        self.source.frame(id)
    }

    fn document(&self, id: &str) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.frame(id)?).context("the frame is no JSON")
    }
}

impl Source {
    fn log(&self) -> anyhow::Result<Reader> {
        Reader::open(&self.dir).with_context(|| format!("reading the log in {}", self.dir.display()))
    }

    fn frame(&self, id: &str) -> anyhow::Result<Vec<u8>> {
        self.get(&format!("{id}/frame"), |log| log.frame(id))
    }

    /// Something of an incident, from the sidecar or from the directory.
    fn get<T: AsRef<[u8]>>(
        &self,
        path: &str,
        read: impl FnOnce(&Reader) -> Result<Option<T>, crate::engine::store::StoreError>,
    ) -> anyhow::Result<Vec<u8>> {
        match &self.url {
            Some(url) => client::get(&format!("{}/api/v1/incidents/{path}", url.trim_end_matches('/')), &self.headers),
            None => Ok(read(&self.log()?)?.context("the log has no frame of such an incident")?.as_ref().to_vec()),
        }
    }

    /// Incidents as the sidecar lists them.
    fn listed(&self) -> anyhow::Result<Vec<Value>> {
        let url = self.url.as_deref().unwrap_or_default().trim_end_matches('/');
        let answer = client::get(&format!("{url}/api/v1/incidents"), &self.headers)?;
        let answer: Value = serde_json::from_slice(&answer).context("the sidecar's answer is no JSON")?;
        let incidents = answer["incidents"].as_array().context("the sidecar's answer lists no incidents")?;
        Ok(incidents.iter().map(listed).collect())
    }
}

fn listed(incident: &Value) -> Value {
    json!({
        "id": incident["id"],
        "refined": incident["refined"]["id"],
        "captured_at": incident["fired_at"],
        "feature": incident["feature"],
        "alert": incident["alertname"],
        "class": incident["class"],
        "severity": incident["severity"],
        "checkpoint": incident["frame"]["checkpoint"],
    })
}
