//! `freezeframe incident postmortem`: the page of an incident; `freezeframe postmortem check`: what a reviewer would object
//! to in one.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::json;

use super::incident::OneArgs;
use super::output::{Format, complain, print_json, print_table};
use crate::api::postmortem_textfile;
use crate::engine::clock;
use crate::toolkit::postmortem::{self, Answers, Checked, Edition, Finding};
use crate::toolkit::whole;

/// Bytes of a page or of a template at most.
const PAGE_BYTES_MAX: u64 = 4 << 20;

/// Arguments of `incident postmortem`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct PageArgs {
    #[command(flatten)]
    one: OneArgs,
    /// The abridged page for customers
    #[arg(long, conflicts_with = "template")]
    external: bool,
    /// A template of your own (Jinja2 over the facts that --format json prints)
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// What people answer to the page's questions, and what they did and when: YAML
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Print a file of answers to fill in, and stop
    #[arg(long, conflicts_with = "answers")]
    print_questions: bool,
    /// Print the built-in template and stop
    #[arg(long, conflicts_with = "template")]
    print_template: bool,
}

/// What to do with a page.
#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Args {
    /// Name open questions, blame, people, missing owners, due dates and evaluation cases, and deadlines that have passed
    Check(CheckArgs),
}

/// Arguments of `postmortem check`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// Pages, Markdown; `-` for standard input
    #[arg(required = true)]
    pages: Vec<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: CheckFormat,
}

/// `--format` of `postmortem check`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum CheckFormat {
    /// Aligned columns
    #[default]
    Table,
    /// One JSON document
    Json,
    /// A Markdown table
    Markdown,
    /// Findings and deadlines for the node exporter's textfile collector
    Prometheus,
}

pub(super) fn page(args: &PageArgs) -> anyhow::Result<ExitCode> {
    let edition = if args.external { Edition::External } else { Edition::Internal };
    let mut out = std::io::stdout();
    if args.print_template {
        out.write_all(edition.template().as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let answers = args.answers.as_deref().map(answers).transpose()?.unwrap_or_default();
    let (frame, mut timeline) = args.one.course()?;
    timeline.extend(answers.timeline.iter().cloned());
    timeline.sort_by(|a, b| a.at.cmp(&b.at));
    let facts = postmortem::facts(&frame, &timeline);
    let template = match &args.template {
        Some(file) => read(file)?,
        None => edition.template().to_owned(),
    };
    let asked = postmortem::questions_in(&template, &facts)?;
    if args.print_questions {
        out.write_all(Answers::skeleton(&asked).as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    // One file answers the team's page and the customers', and what was asked before the evidence or people told more.
    let nothing_told = postmortem::facts(&frame, &[]);
    let mut known = asked;
    for edition in [Edition::Internal, Edition::External] {
        for facts in [&facts, &nothing_told] {
            known.extend(postmortem::questions_in(edition.template(), facts)?);
        }
    }
    answers.check(&known)?;
    if args.one.format() == Format::Json {
        print_json(&json!({ "timeline": timeline, "facts": facts, "frame": frame }))?;
        return Ok(ExitCode::SUCCESS);
    }
    out.write_all(postmortem::render_with(&template, &facts, &answers)?.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn run(Args::Check(CheckArgs { pages, format }): &Args) -> anyhow::Result<ExitCode> {
    let now = clock::now();
    let checked = pages.iter().map(|path| Ok((path.as_path(), Checked::of(&read(path)?, now))));
    let checked = checked.collect::<anyhow::Result<Vec<(&Path, Checked)>>>()?;
    match format {
        CheckFormat::Table => findings(Format::Table, &checked)?,
        CheckFormat::Markdown => findings(Format::Markdown, &checked)?,
        CheckFormat::Json => {
            let found = |(path, page): &(&Path, Checked)| {
                let path = path.display().to_string();
                page.findings
                    .clone()
                    .into_iter()
                    .map(move |it| json!({ "page": path, "line": it.line, "rule": it.rule, "text": it.text }))
            };
            print_json(&checked.iter().flat_map(found).collect())?;
        }
        CheckFormat::Prometheus => {
            if let Some((path, _)) = checked.iter().find(|(_, page)| page.header.incident.is_empty()) {
                bail!("{}: the header names no incident: a row | Incident | ID |", path.display());
            }
            let pages: Vec<Checked> = checked.iter().map(|(_, page)| page.clone()).collect();
            std::io::stdout().write_all(postmortem_textfile(&pages).as_bytes())?;
        }
    }
    let is_done = checked.iter().all(|(_, page)| page.findings.is_empty());
    Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn findings(format: Format, checked: &[(&Path, Checked)]) -> std::io::Result<()> {
    if checked.iter().all(|(_, page)| page.findings.is_empty()) {
        complain("nothing to object to");
        return Ok(());
    }
    let row = |path: &Path, it: &Finding| {
        let line = it.line.map_or_else(|| "-".to_owned(), |it| it.to_string());
        vec![path.display().to_string(), line, it.rule.to_owned(), it.text.clone()]
    };
    let rows = checked.iter().flat_map(|(path, page)| page.findings.iter().map(|it| row(path, it)));
    match checked {
        [_] => print_table(format, &["line", "rule", "what"], rows.map(|row| row[1..].to_vec())),
        _ => print_table(format, &["page", "line", "rule", "what"], rows),
    }
}

fn answers(file: &Path) -> anyhow::Result<Answers> {
    Answers::parse(&read(file)?).with_context(|| file.display().to_string())
}

pub(super) fn read(path: &Path) -> anyhow::Result<String> {
    Ok(whole::text(path, PAGE_BYTES_MAX)?)
}
