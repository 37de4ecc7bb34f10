//! `freezeframe incident export`: the samples of an incident as regression cases.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::builder::PossibleValuesParser;

use super::super::output::{complain, say};
use super::Source;
use crate::toolkit::export::{self, FORMATS, Format, Options};

/// Arguments of `export`.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Incident id
    id: String,
    #[command(flatten)]
    source: Source,
    /// The tool it is for
    #[arg(long, value_parser = PossibleValuesParser::new(FORMATS.map(|it| it.name)), default_value = FORMATS[0].name)]
    format: String,
    /// Where to write it: a file, a directory, or `-` for standard output
    #[arg(long, short, value_name = "FILE|DIR", default_value = ".")]
    output: PathBuf,
    /// Also the healthy samples, their answers as recorded behaviour
    #[arg(long)]
    include_healthy: bool,
    /// The provider promptfoo asks, such as openai:chat:gpt-4o; default: the recorded model at `OPENAI_BASE_URL`
    #[arg(long, value_name = "PROVIDER")]
    provider: Option<String>,
}

pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let format = Format::named(&args.format).context("no such format")?;
    let found = export::of(&args.source.frame(&args.id)?, args.include_healthy).map_err(anyhow::Error::msg)?;
    found.skipped.iter().for_each(|it| complain(format_args!("left out: {it}")));
    if found.cases.is_empty() {
        complain("the frame has no sample to export");
        return Ok(ExitCode::SUCCESS);
    }
    let options = Options { provider: args.provider.as_deref() };
    let text = format.write(&found.cases, &options).map_err(anyhow::Error::msg)?;
    if args.output == Path::new("-") {
        std::io::stdout().write_all(text.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let path = if args.output.is_dir() { args.output.join(file_name(&args.id, format)) } else { args.output.clone() };
    std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    say(path.display())?;
    Ok(ExitCode::SUCCESS)
}

/// An id is a UUID; whatever else was typed stays out of the path.
fn file_name(id: &str, format: &Format) -> String {
    let id: String = id.chars().filter(|it| it.is_ascii_alphanumeric() || *it == '-').collect();
    format!("freezeframe-{id}.{}.{}", format.name, format.extension)
}
