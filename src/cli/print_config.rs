//! `freezeframe print-config`: the configuration in effect, as YAML that loads back to it, secrets masked.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::config::{Source, env, load, reference};

/// Arguments of `print-config`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Configuration: a file, or env:VAR for a variable that holds it; embedded defaults without
    #[arg(long, value_name = "FILE|env:VAR")]
    config: Option<String>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let source = super::source(args.config.as_deref());
    let status = print_config(&source, &env::process, &mut io::stdout(), &mut io::stderr())?;
    Ok(ExitCode::from(status))
}

/// Prints to `out`; mistakes go to `errors`. Answers the exit status: 0 printed, 1 the configuration is invalid.
///
/// # Errors
/// When writing fails.
pub fn print_config(
    source: &Source,
    env: &dyn Fn(&str) -> Option<String>,
    out: &mut dyn Write,
    errors: &mut dyn Write,
) -> io::Result<u8> {
    match load(source, env) {
        Ok((config, warnings)) => {
            for warning in warnings {
                errors.write_all(warning.render(&source.name(), "warning").as_bytes())?;
            }
            out.write_all(reference::effective(&config).as_bytes())?;
            Ok(0)
        }
        Err(problems) => {
            writeln!(errors, "{problems}")?;
            Ok(1)
        }
    }
}
