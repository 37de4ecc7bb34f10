//! `freezeframe run`: the sidecar.

use std::process::ExitCode;

use anyhow::Context as _;

use crate::app::App;
use crate::config;
use crate::telemetry;
use crate::toolkit::text;

/// Arguments of `run`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Configuration: a file, or env:VAR for a variable that holds it; embedded defaults without
    #[arg(long, value_name = "FILE|env:VAR")]
    config: Option<String>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let source = super::source(args.config.as_deref());
    let (config, warnings) = match config::load(&source, &config::env::process) {
        Ok(loaded) => loaded,
        Err(errors) => {
            eprintln!("{}", text::lines(&errors.to_string()));
            return Ok(ExitCode::from(1));
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(async {
        telemetry::init(&config.telemetry).context("starting logs and traces")?;
        for warning in warnings {
            tracing::warn!("{}", warning.render(&source.name(), "warning"));
        }
        let source_name = source.name();
        let app = App::bind(config, source).await?;
        let line = app.ready_line()?;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), config = source_name, "ready: {line}");
        super::output::say(line)?;
        app.serve().await?;
        telemetry::shutdown();
        anyhow::Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}
