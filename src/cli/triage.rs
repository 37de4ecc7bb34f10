//! `freezeframe triage`: class, severity and response time, by the decision tree, from a frame, an alert, or answers.

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Value as Json, json};

use super::incident::Where;
use super::output::{Format, heading, print_json, print_table, say, sentence};
use crate::core::triage::{self, Answered, End, Findings, Hypothesis, Play, Question, Recognised, Walk};
use crate::toolkit::whole;

/// Bytes of a document that is read.
const DOCUMENT_BYTES_MAX: u64 = 128 << 20;

/// Arguments of `triage`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// A freeze frame, an alert or the webhook of Alertmanager as JSON; `-` for standard input
    #[arg(conflicts_with = "incident")]
    document: Option<String>,
    /// The frame of this incident, of a directory or of a running sidecar
    #[arg(long, value_name = "ID")]
    incident: Option<String>,
    /// An answer of yours, which counts more than what the document says; may be repeated
    #[arg(long = "answer", value_name = "QUESTION=yes|no", value_parser = answer)]
    answers: Vec<(String, bool)>,
    /// Print the tree with the path taken instead
    #[arg(long, value_enum)]
    draw: Option<Drawing>,
    #[command(flatten)]
    place: Where,
}

/// `--draw`
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Drawing {
    /// A Mermaid flowchart
    Mermaid,
    /// An SVG image
    Svg,
}

fn answer(text: &str) -> Result<(String, bool), String> {
    let (name, value) = text.split_once('=').ok_or("expected QUESTION=yes or QUESTION=no")?;
    let names: Vec<&str> = triage::questions().iter().map(|question| question.name).collect();
    if !names.contains(&name) {
        return Err(format!("no question {name}; there are {}", names.join(", ")));
    }
    match value {
        "yes" => Ok((name.to_owned(), true)),
        "no" => Ok((name.to_owned(), false)),
        _ => Err("expected yes or no".into()),
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let document = document(args)?;
    let findings = document.as_ref().map(Findings::of).transpose().map_err(anyhow::Error::msg)?;
    let answered = |question: &'static Question| -> Option<Answered> {
        let own = args.answers.iter().rev().find(|(name, _)| name == question.name);
        let own = own.map(|(_, yes)| Answered { yes: *yes, why: "your answer".into(), is_known: true });
        own.or_else(|| findings.as_ref().map(|findings| findings.answer(question)))
    };
    let walk = triage::walk(|question| answered(question).map(|answered| answered.yes));
    match args.draw {
        Some(Drawing::Mermaid) => say(triage::mermaid(&walk.path).trim_end())?,
        Some(Drawing::Svg) => say(triage::svg(&walk.path).trim_end())?,
        None => print(args.place.format, &walk, answered, document.as_ref())?,
    }
    // Half a walk is a question back to whoever asked.
    Ok(if walk.end.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn document(args: &Args) -> anyhow::Result<Option<Json>> {
    let bytes = match (&args.document, &args.incident) {
        (Some(path), _) => whole::text(path.as_ref(), DOCUMENT_BYTES_MAX)?.into_bytes(),
        (None, Some(id)) => args.place.frame(id)?,
        (None, None) => return Ok(None),
    };
    serde_json::from_slice(&bytes).context("the document is no JSON").map(Some)
}

fn print(
    format: Format,
    walk: &Walk,
    answered: impl Fn(&'static Question) -> Option<Answered>,
    document: Option<&Json>,
) -> anyhow::Result<()> {
    let why = |question| answered(question).map(|answered| answered.why).unwrap_or_default();
    let play = match walk.end {
        Ok(End::Incident { class, .. }) => Play::of(class),
        Ok(End::NotAnIncident { .. }) | Err(_) => None,
    };
    let hypotheses = match walk.end {
        Ok(End::Incident { class, .. }) => document.map(|frame| triage::hypotheses(class, frame)).unwrap_or_default(),
        Ok(End::NotAnIncident { .. }) | Err(_) => Vec::new(),
    };
    let patterns = document.map(triage::patterns).unwrap_or_default();
    if format == Format::Json {
        let path = walk.path.iter().map(|(question, yes)| {
            json!({ "question": question.name, "text": question.text, "answer": yes, "why": why(question) })
        });
        print_json(&as_json(walk, path.collect(), &patterns, &hypotheses, play))?;
        return Ok(());
    }
    match &walk.end {
        Ok(end) => {
            sentence(format, &end.title())?;
            sentence(format, end.why())?;
            if let End::Incident { severity, .. } = end {
                say(format_args!("look at it within: {}", severity.response_time()))?;
            }
        }
        Err(question) => {
            sentence(format, &format!("not decided: {}", question.text))?;
            say(format_args!("look at {}, then add --answer {}=yes or no", question.look, question.name))?;
        }
    }
    say("")?;
    let row = |(question, yes): &(&'static Question, bool)| {
        let yes = if *yes { "yes" } else { "no" };
        vec![question.name.to_owned(), question.text.to_owned(), yes.to_owned(), why(question)]
    };
    print_table(format, &["question", "asks", "answer", "because"], walk.path.iter().map(row))?;
    if !patterns.is_empty() {
        say("")?;
        let row = |it: &Recognised| {
            let question = Play::of_pattern(it.pattern).map_or("", |play| play.question);
            vec![it.pattern.as_str().to_owned(), it.evidence.clone(), question.to_owned()]
        };
        print_table(format, &["pattern", "figures", "the postmortem will ask"], patterns.iter().map(row))?;
    }
    if !hypotheses.is_empty() {
        say("")?;
        let row = |it: &Hypothesis| vec![it.text.to_owned(), it.standing.as_str().to_owned(), it.evidence.clone()];
        print_table(format, &["hypothesis", "comparison", "figures"], hypotheses.iter().map(row))?;
    }
    if let Some(play) = play {
        for (title, lines) in [("check", play.checklist), ("stop the bleeding", play.mitigation)] {
            heading(format, title)?;
            (1..).zip(lines).try_for_each(|(n, line)| say(format_args!("{n}. {line}")))?;
        }
        say(format_args!("\nthe postmortem will ask: {}", play.question))?;
    }
    Ok(())
}

fn as_json(
    walk: &Walk,
    path: Vec<Json>,
    patterns: &[Recognised],
    hypotheses: &[Hypothesis],
    play: Option<&Play>,
) -> Json {
    let incident = match walk.end {
        Ok(End::Incident { class, severity, .. }) => Some((class, severity)),
        Ok(End::NotAnIncident { .. }) | Err(_) => None,
    };
    let hypothesis =
        |it: &Hypothesis| json!({ "text": it.text, "standing": it.standing.as_str(), "evidence": it.evidence });
    let pattern = |it: &Recognised| json!({ "pattern": it.pattern.as_str(), "evidence": it.evidence });
    json!({
        "class": incident.map(|(class, _)| class.as_str()),
        "severity": incident.map(|(_, severity)| severity.as_str()),
        "response_time": incident.map(|(_, severity)| severity.response_time()),
        "is_incident": walk.end.map(|end| matches!(end, End::Incident { .. })).ok(),
        "why": walk.end.map(|end| end.why()).ok(),
        "path": path,
        "next": walk.end.err().map(|it| json!({ "question": it.name, "text": it.text, "look": it.look })),
        "patterns": patterns.iter().map(pattern).collect::<Vec<_>>(),
        "hypotheses": hypotheses.iter().map(hypothesis).collect::<Vec<_>>(),
        "question": play.map(|play| play.question),
        "checklist": play.map(|play| play.checklist),
        "mitigation": play.map(|play| play.mitigation),
    })
}
