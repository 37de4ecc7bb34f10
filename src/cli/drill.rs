//! `freezeframe drill`: rehearse an incident, end to end, and score what was found.

mod live;
mod screen;
mod sidecar;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;

use super::output::{Format, print_json, print_table, say};
use super::{client, source};
use crate::config::{self, Config, parse_duration};
use crate::drill::{self, Event, Outcome, Overrides, Plan, SCENARIOS, Scenario, report};
use crate::engine::clock;
use crate::toolkit::whole;
use live::Pace;
use screen::Screen;
use sidecar::Sidecar;

/// Bytes of an expectations file at most.
const EXPECT_BYTES_MAX: u64 = 1 << 20;

/// How long a minute of virtual time is shown on a terminal.
const PACE: Duration = Duration::from_millis(200);
/// Requests a second at least and at most: a drill is no load test.
const RATE_MIN: f64 = 0.01;
const RATE_MAX: f64 = 100.0;

/// Arguments of `drill`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// What to rehearse (--list)
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(SCENARIOS.iter().map(|it| it.name)), default_value = SCENARIOS[0].name)]
    scenario: String,
    /// Rehearse every scenario, one after the other
    #[arg(long, conflicts_with_all = ["scenario", "list"])]
    all: bool,
    /// List the scenarios and what must be found in each
    #[arg(long)]
    list: bool,
    /// Own rules, breakers and windows instead of the embedded defaults: FILE or env:VAR
    #[arg(long, value_name = "SOURCE")]
    config: Option<String>,
    /// Own expectations, by scenario, as YAML or JSON
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// Where store and postmortem are left; a fresh directory when not given
    #[arg(long)]
    dir: Option<PathBuf>,
    #[command(flatten)]
    live: LiveArgs,
    /// How long each minute of a scripted drill is shown; 200ms on a terminal without
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with_all = ["all", "list", "target"])]
    pace: Option<Duration>,
    /// Where to write the report as one page of HTML, with charts
    #[arg(long, value_name = "FILE", conflicts_with_all = ["all", "list"])]
    html: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Arguments of a live drill.
#[derive(Clone, Debug, clap::Args)]
struct LiveArgs {
    /// OTLP/HTTP listener of a running sidecar: rehearse there, in real time. The traffic counts for the feature _drill
    /// alone and pages nobody (alertmanager.drills)
    #[arg(long, value_name = "URL", conflicts_with_all = ["all", "list", "config"])]
    target: Option<String>,
    /// Its admin listener
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8889")]
    url: String,
    /// Header of the requests to the admin listener; may be repeated
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = client::pair, requires = "target")]
    headers: Vec<(String, String)>,
    /// Requests a second, 0.01 to 100
    #[arg(long, default_value_t = 1.0, requires = "target")]
    rate: f64,
    /// How long healthy traffic goes before the failure: several short windows, so that there is a baseline
    #[arg(long, value_name = "DURATION", default_value = "20m", value_parser = duration, requires = "target")]
    warm_up: Duration,
    /// How long alert, breaker and recovery may take, each
    #[arg(long, value_name = "DURATION", default_value = "45m", value_parser = duration, requires = "target")]
    timeout: Duration,
    /// Verifier key of the sidecar's log, from elsewhere; the one that the sidecar shows before the drill without
    #[arg(long, value_name = "VKEY", requires = "target")]
    vkey: Option<String>,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "expected a duration such as 20m".into())
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let overrides = match &args.expect {
        Some(path) => read_overrides(path)?,
        None => Overrides::default(),
    };
    if args.list {
        list(args.format, &overrides)?;
        return Ok(ExitCode::SUCCESS);
    }
    let is_passed = if args.all { rehearse_all(args, &overrides)? } else { rehearse_one(args, &overrides)? };
    Ok(if is_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read_overrides(path: &std::path::Path) -> anyhow::Result<Overrides> {
    let text = whole::text(path, EXPECT_BYTES_MAX)?;
    Overrides::parse(&text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
}

fn rehearse_one(args: &Args, overrides: &Overrides) -> anyhow::Result<bool> {
    let scenario = Scenario::parse(&args.scenario).context("a scenario of the list")?;
    let mut screen = Screen::new(args.format, args.pace, PACE);
    let dir = args.fresh_dir()?;
    let outcome = match args.live.sidecar()? {
        Some(sidecar) => {
            let watch = |event: Event<'_>| screen.show(event);
            let pace = args.live.pace()?;
            let (expected, proved) = ((scenario, overrides.of(scenario)), (&*dir, args.live.vkey.clone()));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(live::run(&sidecar, expected, pace, proved, watch))?
        }
        None => drill::run(args.plan(scenario, overrides, dir)?, clock::now(), |event| screen.show(event))?,
    };
    screen.clear();
    args.tell(&outcome)?;
    Ok(outcome.is_passed())
}

fn rehearse_all(args: &Args, overrides: &Overrides) -> anyhow::Result<bool> {
    let dir = args.fresh_dir()?;
    let mut outcomes = Vec::new();
    for scenario in &SCENARIOS {
        let own = dir.join(scenario.name);
        std::fs::create_dir_all(&own).with_context(|| format!("creating {}", own.display()))?;
        outcomes.push(drill::run(args.plan(scenario, overrides, own)?, clock::now(), |_| ())?);
    }
    let is_passed = outcomes.iter().all(Outcome::is_passed);
    match args.format {
        Format::Json => {
            let drills: Vec<_> = outcomes.iter().map(Outcome::document).collect();
            print_json(&json!({ "passed": is_passed, "drills": drills }))?;
        }
        Format::Table | Format::Markdown => {
            let rows = outcomes.iter().map(|it| {
                let missed = it.checks.iter().filter(|it| !it.is_passed);
                let missed: Vec<String> =
                    missed.map(|it| format!("{}: {}, not {}", it.name, it.found, it.expected)).collect();
                let delay = it.detection_delay_s().map_or_else(|| "-".to_owned(), |it| format!("{it:.0}"));
                let result = if it.is_passed() { "passed" } else { "missed" };
                vec![it.scenario.name.to_owned(), result.to_owned(), delay, missed.join("; ")]
            });
            super::output::print_wide_table(args.format, &["scenario", "result", "detected after s", "missed"], rows)?;
        }
    }
    Ok(is_passed)
}

fn print_outcome(outcome: &Outcome) -> std::io::Result<()> {
    if let (Some(store), Some(vkey)) = (&outcome.store, &outcome.vkey) {
        say(format_args!("{:<11} {}\n{:<11} {vkey}\n", "store", store.display(), "vkey"))?;
    }
    let rows = outcome
        .checks
        .iter()
        .map(|it| vec![it.name.to_owned(), it.result().to_owned(), it.expected.clone(), it.found.clone()]);
    print_table(Format::Table, &["check", "result", "expected", "found"], rows)
}

fn list(format: Format, overrides: &Overrides) -> std::io::Result<()> {
    let rows = SCENARIOS.iter().map(|it| {
        let expected = overrides.of(it);
        let variable = expected.variable.map_or("none", |it| it.as_str()).to_owned();
        let within = format!("{} s", expected.within.as_secs());
        [it.name.to_owned(), it.about.to_owned(), expected.class.as_str().to_owned(), variable, within].to_vec()
    });
    let header = ["scenario", "what happens", "class", "variable", "within"];
    if format == Format::Json {
        let rows: Vec<_> = rows
            .map(|row| {
                header
                    .map(|it| it.replace(' ', "_"))
                    .into_iter()
                    .zip(row.into_iter().map(serde_json::Value::from))
                    .collect::<serde_json::Map<_, _>>()
            })
            .collect();
        return print_json(&json!(rows));
    }
    print_table(format, &header, rows)
}

impl LiveArgs {
    fn sidecar(&self) -> anyhow::Result<Option<Sidecar>> {
        self.target.as_deref().map(|target| Sidecar::new(target, &self.url, &self.headers)).transpose()
    }

    fn pace(&self) -> anyhow::Result<Pace> {
        anyhow::ensure!((RATE_MIN..=RATE_MAX).contains(&self.rate), "--rate {}: {RATE_MIN} to {RATE_MAX}", self.rate);
        let gap = Duration::from_secs_f64(1.0 / self.rate);
        Ok(Pace { gap, warm_up: self.warm_up, timeout: self.timeout })
    }
}

impl Args {
    fn plan(&self, scenario: &'static Scenario, overrides: &Overrides, dir: PathBuf) -> anyhow::Result<Plan> {
        Ok(Plan { scenario, expectation: overrides.of(scenario), config: self.own_config()?, dir })
    }

    /// Prints what came of a drill, and writes its page.
    fn tell(&self, outcome: &Outcome) -> anyhow::Result<()> {
        let document = outcome.document();
        if let Some(path) = &self.html {
            std::fs::write(path, report::html(&document)?).with_context(|| format!("writing {}", path.display()))?;
        }
        match self.format {
            Format::Json => print_json(&document)?,
            // Escaped by the template, which leaves line ends.
            Format::Markdown => say(report::markdown(&document)?)?,
            Format::Table => print_outcome(outcome)?,
        }
        Ok(())
    }

    fn own_config(&self) -> anyhow::Result<Option<Config>> {
        let Some(named) = self.config.as_deref() else { return Ok(None) };
        let (config, _) = config::load(&source(Some(named)), &config::env::process).map_err(anyhow::Error::msg)?;
        Ok(Some(config))
    }

    fn fresh_dir(&self) -> anyhow::Result<PathBuf> {
        let dir = match &self.dir {
            Some(dir) => dir.clone(),
            None => std::env::temp_dir().join(format!("freezeframe-drill-{}", clock::now().0)),
        };
        std::fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        Ok(dir)
    }
}
