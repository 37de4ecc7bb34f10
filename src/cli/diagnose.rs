//! `freezeframe diagnose`: one request of a recording in depth, or every failure of it, most severe first.

mod deep;
mod sections;
pub(super) mod terms;

use std::io::Write as _;
use std::process::ExitCode;

pub(super) use self::deep::print_ranking;
use self::terms::TermsArgs;
use super::output::{Format, Rows, complain, print_json, stdout};
use super::recording::RecordingArgs;
use crate::core::diagnosis::Diagnosis;
use crate::core::request::Request;
use crate::core::trace_record;
use crate::toolkit::diagnosis::Standards;
use crate::toolkit::input::InputError;
use crate::toolkit::ranking::Ranking;

/// Documents, calls, tools or verdicts shown of one request; the JSON has all.
const ROWS_MAX: usize = 100;

/// Arguments of `diagnose`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    recording: RecordingArgs,
    /// The trace to lay out, by its id or the start of it; the one in most trouble without
    #[arg(long, value_name = "ID", conflicts_with = "all")]
    trace: Option<String>,
    /// The diagnosis of every request that failed, most severe first, instead of one request in depth
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    terms: TermsArgs,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// No progress bar on standard error
    #[arg(long)]
    no_progress: bool,
}

/// A titled table.
struct Section {
    title: &'static str,
    header: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut input = args.recording.open(!args.no_progress)?;
    let standards = args.terms.standards(&args.recording, &mut input, !args.no_progress)?;
    if args.all {
        let ranking = input.pass(|requests, _| Ok(rank(requests, &standards)?))?;
        input.losses.iter().for_each(complain);
        deep::print_all(args.format, &ranking)?;
        return Ok(ExitCode::SUCCESS);
    }
    let wanted = args.trace.as_ref().map(|id| id.to_ascii_lowercase());
    let chosen = input.pass(|requests, _| Ok(choose(requests, &standards, wanted.as_deref())?))?;
    input.losses.iter().for_each(complain);
    let Some((request, diagnosis)) = chosen.request else {
        let id = args.trace.as_ref().map_or(String::new(), |id| format!(" {id}"));
        anyhow::bail!("no trace{id} of an LLM request among {}", chosen.others);
    };
    if args.format == Format::Json {
        print_json(&trace_record::diagnosed(&request, &diagnosis))?;
    } else {
        let diagnosed = deep::section(&diagnosis, None);
        std::iter::once(diagnosed).chain(sections::of(&request)).try_for_each(|it| it.print(args.format))?;
    }
    if chosen.others > 0 && wanted.is_none() {
        let n = chosen.others;
        complain(format_args!("the request in most trouble; {n} others (inspect lists them, --trace ID picks one)"));
    } else if chosen.others > 0 {
        complain(format_args!("{} other requests have such a trace id", chosen.others));
    }
    Ok(ExitCode::SUCCESS)
}

/// The failures among requests.
pub(super) fn rank(
    requests: &mut dyn Iterator<Item = Result<Request, InputError>>,
    standards: &Standards,
) -> Result<Ranking, InputError> {
    let mut ranking = Ranking::default();
    for request in requests {
        let request = request?;
        ranking.add(&request, standards.diagnose(&request));
    }
    Ok(ranking)
}

/// The request to lay out.
struct Chosen {
    request: Option<(Request, Diagnosis)>,
    /// Requests that were left: with the id that was asked for, or any.
    others: usize,
}

/// The first request of the wanted trace, or the first of those with the most severe diagnosis.
fn choose(
    requests: &mut dyn Iterator<Item = Result<Request, InputError>>,
    standards: &Standards,
    wanted: Option<&str>,
) -> Result<Chosen, InputError> {
    let (mut best, mut seen, mut matching) = (None::<(Request, Diagnosis)>, 0, 0);
    for request in requests {
        let request = request?;
        seen += 1;
        if wanted.is_some_and(|id| !request.trace_id.to_string().starts_with(id)) {
            continue;
        }
        matching += 1;
        let diagnosis = standards.diagnose(&request);
        let is_better = |before: &Diagnosis| wanted.is_none() && diagnosis.mode.rank() < before.mode.rank();
        if best.as_ref().is_none_or(|(_, before)| is_better(before)) {
            best = Some((request, diagnosis));
        }
    }
    let others = if matching == 0 { seen } else { matching - 1 };
    Ok(Chosen { request: best, others })
}

impl Section {
    fn print(&self, format: Format) -> std::io::Result<()> {
        let mut out = stdout();
        let mark = if format == Format::Markdown { "## " } else { "" };
        writeln!(out, "{mark}{}\n", self.title)?;
        if self.rows.is_empty() {
            writeln!(out, "none")?;
        } else {
            let mut rows = Rows::wide(&mut out, format, self.header);
            self.rows.iter().take(ROWS_MAX).try_for_each(|row| rows.push(row))?;
            rows.end()?;
        }
        if self.rows.len() > ROWS_MAX {
            writeln!(out, "\nand {} more", self.rows.len() - ROWS_MAX)?;
        }
        writeln!(out)?;
        out.flush()
    }
}
