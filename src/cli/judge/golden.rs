//! `freezeframe judge golden`: a judge on answers that people labelled.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use serde_json::Value as Json;

use super::arguments::{Which, share};
use crate::cli::output::{Format, complain, print_json, print_wide_table, say};
use crate::core::golden::{Agreement, Drift, FLIPPED_MAX, Run, SET_BYTES_MAX, Set};
use crate::engine::clock;
use crate::judge::score;
use crate::toolkit::{judge, whole};

/// Bytes of an earlier result.
const BASELINE_BYTES_MAX: u64 = 256 << 20;

/// Arguments of `judge golden`.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// JSON lines of {"id", "question", "context", "answer", "label": "pass" or "fail"}
    file: PathBuf,
    #[command(flatten)]
    which: Which,
    /// An earlier result to compare with, as --save writes it
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write the result to a file, as the baseline of later runs
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Share of the labels that it must agree with
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_agreement: Option<f64>,
    /// Share of verdicts that may flip against the baseline
    #[arg(long, value_name = "SHARE", value_parser = share, default_value_t = FLIPPED_MAX)]
    max_flipped: f64,
    /// Ask about every item so many times; the mean score counts
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeat: u32,
    /// Items asked about at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    concurrency: u32,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What was found, for whoever prints it.
struct Findings {
    run: Run,
    agreement: Agreement,
    drift: Option<Drift>,
    /// What makes the exit status 1.
    problems: Vec<String>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let set = Set::parse(&whole::text(&args.file, SET_BYTES_MAX as u64)?);
    let set = Arc::new(set.with_context(|| args.file.display().to_string())?);
    let before = args.baseline.as_deref().map(|path| {
        Run::parse(&whole::text(path, BASELINE_BYTES_MAX)?).with_context(|| format!("--baseline {}", path.display()))
    });
    let before = before.transpose()?;
    let client = Arc::new(args.which.client()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let items = runtime.block_on(score(&client, &set, args.repeat, args.concurrency as usize));
    let run = Run {
        judge: judge::configuration(client.judge()),
        set: set.sha256.clone(),
        at: clock::now().to_string(),
        items,
    };
    if let Some(path) = &args.save {
        std::fs::write(path, format!("{:#}\n", run.to_json())).with_context(|| format!("--save {}", path.display()))?;
    }
    let findings = args.findings(run, before.as_ref())?;
    match args.format {
        Format::Json => print_json(&findings.to_json())?,
        Format::Table | Format::Markdown => findings.print(args.format)?,
    }
    Ok(if findings.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

impl Args {
    fn findings(&self, run: Run, before: Option<&Run>) -> anyhow::Result<Findings> {
        let agreement = Agreement::of(&run.items);
        let Some(share) = agreement.share() else {
            let error = run.items.iter().find_map(|it| it.error.as_deref()).unwrap_or_default();
            bail!("no verdict on any item: {error}");
        };
        let drift = before.map(|before| Drift::between(before, &run, self.max_flipped));
        if drift.as_ref().is_some_and(|it| !it.is_same_set) {
            complain("the baseline is of another file: only items of the same id are compared");
        }
        let mut problems: Vec<String> = drift.iter().flat_map(|it| it.reasons.clone()).collect();
        if let Some(least) = self.min_agreement.filter(|least| share < *least) {
            problems.push(format!("agreement of {} is below {}", percent(share), percent(least)));
        }
        if agreement.errors > 0 {
            problems.push(format!("{} of {} items have no verdict", agreement.errors, run.items.len()));
        }
        Ok(Findings { run, agreement, drift, problems })
    }
}

impl Findings {
    fn to_json(&self) -> Json {
        let mut document = self.run.to_json();
        document["agreement"] = self.agreement.to_json();
        document["drift"] = self.drift.as_ref().map(Drift::to_json).into();
        document["problems"] = self.problems.clone().into();
        document
    }

    fn print(&self, format: Format) -> anyhow::Result<()> {
        let gap = || if format == Format::Markdown { say("") } else { Ok(()) };
        print_wide_table(format, &["judge", "value"], self.summary())?;
        let disagreements: Vec<Vec<String>> = self.disagreements().collect();
        if !disagreements.is_empty() {
            gap()?;
            print_wide_table(format, &["item", "label", "judge", "score", "reason"], disagreements)?;
        }
        if let Some(drift) = self.drift.as_ref().filter(|it| !it.flips.is_empty()) {
            gap()?;
            let flips = drift.flips.iter().map(|it| {
                let [before, now] = it.scores.map(number);
                vec![it.id.clone(), word(!it.passes), word(it.passes), word(it.label), before, now]
            });
            print_wide_table(format, &["flipped", "before", "now", "label", "score before", "score now"], flips)?;
        }
        for problem in &self.problems {
            gap()?;
            say(format_args!("found: {problem}"))?;
        }
        Ok(())
    }

    fn summary(&self) -> Vec<Vec<String>> {
        let Self { run, agreement, drift, .. } = self;
        let (low, high) = agreement.interval();
        let share = agreement.share().map_or_else(String::new, percent);
        let kappa = agreement.kappa_interval().zip(agreement.kappa());
        let text = |key: &str| run.judge[key].as_str().unwrap_or_default().to_owned();
        let mut rows = vec![
            ["name".to_owned(), text("name")],
            ["model".to_owned(), text("model")],
            ["configuration".to_owned(), text("config_hash")],
            ["items".to_owned(), run.items.len().to_string()],
            ["agreement".to_owned(), format!("{share} ({} to {})", percent(low), percent(high))],
            [
                "kappa".to_owned(),
                kappa.map_or_else(
                    || "undefined: one word for everything".to_owned(),
                    |((low, high), kappa)| format!("{kappa:.2} ({low:.2} to {high:.2})"),
                ),
            ],
            ["false passes".to_owned(), agreement.false_passes.to_string()],
            ["false fails".to_owned(), agreement.false_fails.to_string()],
            ["without a verdict".to_owned(), agreement.errors.to_string()],
            ["unstable".to_owned(), run.items.iter().filter(|it| it.is_unstable).count().to_string()],
        ];
        if let Some(drift) = drift {
            let shift = drift.shift.map_or_else(String::new, |(mean, half)| {
                format!("{mean:+.3} ({:+.3} to {:+.3})", mean - half, mean + half)
            });
            rows.push(["flipped".to_owned(), format!("{} of {}", drift.flips.len(), drift.compared)]);
            rows.push(["McNemar p".to_owned(), format!("{:.4}", drift.p)]);
            rows.push(["mean score".to_owned(), shift]);
            rows.push(["drift".to_owned(), if drift.is_drift() { "yes" } else { "no" }.to_owned()]);
        }
        rows.into_iter().map(Vec::from).collect()
    }

    /// Items on which the judge and the people disagree, and those without a verdict.
    fn disagreements(&self) -> impl Iterator<Item = Vec<String>> {
        self.run.items.iter().filter(|it| it.passed != Some(it.label)).map(|it| {
            let said = it.passed.map_or_else(|| "error".to_owned(), word);
            let why = it.error.clone().or(it.reason.clone()).unwrap_or_default();
            vec![it.id.clone(), word(it.label), said, number(it.score), why]
        })
    }
}

fn word(passes: bool) -> String {
    if passes { "pass" } else { "fail" }.to_owned()
}

fn number(score: Option<f64>) -> String {
    score.map_or_else(String::new, |it| format!("{it:.2}"))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
