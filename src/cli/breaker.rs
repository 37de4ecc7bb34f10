//! `freezeframe breaker`: the breakers of a running sidecar, and what they would have done to a recording.

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Map, Value as Json, json};

use super::client;
use super::output::{Format, heading, print_json, print_table, say};
use super::recording::RecordingArgs;
use crate::config::Config;
use crate::core::incident::Class;
use crate::toolkit::simulate::{self, Simulation};

/// What to do.
#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Args {
    /// List the breakers of a running sidecar
    List(Where),
    /// Force a breaker open; no alert closes it until it is reset
    Open(OrderArgs),
    /// Force a breaker closed; no alert opens it until it is reset
    Close(OrderArgs),
    /// Give a breaker back to its alerts
    Reset(OrderArgs),
    /// Tell of a recording who would have been intercepted, when, and what they would have received
    Simulate(SimulateArgs),
}

/// Which sidecar.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Where {
    /// The admin listener of the sidecar
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8889")]
    url: String,
    /// Header of the request, such as authorization="Bearer ..."; may be repeated
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = client::pair)]
    headers: Vec<(String, String)>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Arguments of `open`, `close` and `reset`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct OrderArgs {
    /// Feature
    feature: String,
    /// Incident class
    #[arg(value_parser = class)]
    class: Class,
    /// Why; goes into the log with the order
    #[arg(long, default_value = "")]
    comment: String,
    #[command(flatten)]
    place: Where,
}

/// Arguments of `simulate`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct SimulateArgs {
    #[command(flatten)]
    recording: RecordingArgs,
    /// Incident class whose breakers act; may be repeated, all of them without
    #[arg(long = "class", value_name = "CLASS", value_parser = class)]
    classes: Vec<Class>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match args {
        Args::List(place) => list(place)?,
        Args::Open(args) => order(args, "open")?,
        Args::Close(args) => order(args, "close")?,
        Args::Reset(args) => order(args, "reset")?,
        Args::Simulate(args) => return simulate(args),
    }
    Ok(ExitCode::SUCCESS)
}

fn class(text: &str) -> Result<Class, String> {
    let found = Class::ALL.into_iter().find(|class| class.as_str().eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("expected one of {}", Class::ALL.map(Class::as_str).join(", ")))
}

fn list(place: &Where) -> anyhow::Result<()> {
    let url = format!("{}/api/v1/breakers", place.url.trim_end_matches('/'));
    let answer: Json = serde_json::from_slice(&client::get(&url, &place.headers)?).context("the answer is no JSON")?;
    let breakers = answer["breakers"].as_array().context("the answer lists no breakers")?;
    show(place.format, &answer, breakers)
}

fn order(args: &OrderArgs, action: &str) -> anyhow::Result<()> {
    let OrderArgs { feature, class, comment, place } = args;
    let base = place.url.trim_end_matches('/');
    let url = format!("{base}/api/v1/breakers/{}/{}", escaped(feature), class.as_str());
    let body = serde_json::to_vec(&json!({ "action": action, "comment": comment }))?;
    let answer = client::post(&url, &place.headers, body)?;
    let breaker: Json = serde_json::from_slice(&answer).context("the answer is no JSON")?;
    show(place.format, &breaker, std::slice::from_ref(&breaker))
}

/// A feature's name in a path; slashes stay.
fn escaped(feature: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    feature.bytes().map(|it| if plain(it) { char::from(it).to_string() } else { format!("%{it:02X}") }).collect()
}

fn show(format: Format, document: &Json, breakers: &[Json]) -> anyhow::Result<()> {
    match format {
        Format::Json => print_json(document)?,
        Format::Table | Format::Markdown => {
            let columns =
                ["feature", "class", "state", "would_be", "since", "action", "route", "capped", "incident_id"];
            let rows = breakers.iter().map(|breaker| columns.map(|name| cell(breaker, name)).to_vec());
            print_table(format, &columns, rows)?;
        }
    }
    Ok(())
}

fn simulate(args: &SimulateArgs) -> anyhow::Result<ExitCode> {
    let (recording, config) = args.recording.read()?;
    let simulation = simulate::run(recording, &config, &args.classes);
    let document = document(&simulation, &config);
    match args.format {
        Format::Json => print_json(&document)?,
        Format::Table | Format::Markdown => print(args.format, &document)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Openings with their plan, and everybody they would have held back.
fn document(simulation: &Simulation, config: &Config) -> Json {
    let plan = |class: Class| {
        let breaker = config.breakers.iter().find(|it| it.class == class);
        breaker.map_or_else(Map::new, |breaker| {
            let mut received = Map::new();
            received.insert("action".into(), breaker.plan.action.as_str().into());
            received.extend(breaker.plan.parameters().map(|(name, value)| (name.to_owned(), value.into())));
            received
        })
    };
    let openings = simulation.openings.iter().map(|it| {
        let instructions = config.breakers.iter().find(|breaker| breaker.class == it.class).map(|it| &it.plan);
        json!({
            "feature": &*it.feature,
            "class": it.class.as_str(),
            "from": it.from.to_string(),
            "to": it.to.map(|to| to.to_string()),
            "closed_by": it.reason.map(|reason| reason.as_str()),
            "reopened": it.reopened,
            "intercepted": it.intercepted,
            "received": plan(it.class),
            "instructions": instructions.map(|plan| &*plan.instructions),
            "user_impact": instructions.map(|plan| &*plan.user_impact),
        })
    });
    let interceptions = simulation.interceptions.iter().map(|it| {
        json!({
            "at": it.at.to_string(),
            "trace_id": it.trace_id.to_string(),
            "feature": &*it.feature,
            "class": it.class.as_str(),
            "state": it.state.as_str(),
            "received": plan(it.class),
        })
    });
    let capped = simulation
        .capped
        .iter()
        .map(|(feature, class, at)| json!({ "feature": &**feature, "class": class.as_str(), "at": at.to_string() }));
    json!({
        "from": simulation.period.map(|(from, _)| from.to_string()),
        "to": simulation.period.map(|(_, to)| to.to_string()),
        "requests": simulation.requests,
        "intercepted": simulation.interceptions.len(),
        "openings": openings.collect::<Vec<_>>(),
        "capped": capped.collect::<Vec<_>>(),
        "interceptions": interceptions.collect::<Vec<_>>(),
    })
}

fn print(format: Format, document: &Json) -> std::io::Result<()> {
    let list = |name: &str| document[name].as_array().map_or(&[][..], Vec::as_slice);
    say(format_args!("{} of {} requests would have been intercepted", document["intercepted"], document["requests"]))?;
    for (title, name, columns) in [
        (
            "Openings",
            "openings",
            &["feature", "class", "from", "to", "closed_by", "reopened", "intercepted", "received", "instructions"][..],
        ),
        ("Held back by breakers.open_max", "capped", &["at", "feature", "class"][..]),
        ("Interceptions", "interceptions", &["at", "trace_id", "feature", "class", "state", "received"][..]),
    ] {
        heading(format, title)?;
        print_table(
            format,
            columns,
            list(name).iter().map(|row| columns.iter().map(|name| cell(row, name)).collect()),
        )?;
    }
    Ok(())
}

fn cell(row: &Json, name: &str) -> String {
    match &row[name] {
        Json::String(text) => text.clone(),
        Json::Null => "-".into(),
        Json::Object(received) => {
            let value = |value: &Json| value.as_str().unwrap_or_default().to_owned();
            let parameters = received.iter().filter(|(name, _)| *name != "action");
            let parameters: Vec<String> = parameters.map(|(name, it)| format!("{name}={}", value(it))).collect();
            let action = value(&received["action"]);
            if parameters.is_empty() { action } else { format!("{action} {}", parameters.join(" ")) }
        }
        other => other.to_string(),
    }
}
