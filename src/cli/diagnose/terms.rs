//! What a command holds requests against, from its arguments.

use std::path::PathBuf;

use super::super::output::complain;
use super::super::recording::{Opened, RecordingArgs};
use crate::toolkit::diagnosis::{Standards, Usual};

/// Arguments of commands that diagnose.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct TermsArgs {
    /// A recording of good requests to compare with; may be repeated. Without, the other requests of the input
    #[arg(long, value_name = "RECORDING", conflicts_with = "no_baseline")]
    baseline: Vec<PathBuf>,
    /// Judge every request by itself; reads the input once, not twice
    #[arg(long)]
    no_baseline: bool,
    /// The prompt version that should be in service
    #[arg(long, value_name = "VERSION")]
    expect_prompt: Option<String>,
}

impl TermsArgs {
    /// What the requests of `input` are held against, which takes a first pass over it or over the baseline.
    pub(in crate::cli) fn standards(
        &self,
        recording: &RecordingArgs,
        input: &mut Opened,
        with_progress: bool,
    ) -> anyhow::Result<Standards> {
        let usual = match (self.no_baseline, &self.baseline[..]) {
            (true, _) => None,
            (false, []) => Some(gather(input)?),
            (false, baseline) => {
                let mut baseline = recording.of_others(baseline.to_vec()).open(with_progress)?;
                let usual = gather(&mut baseline)?;
                baseline.losses.iter().for_each(complain);
                Some(usual)
            }
        };
        Ok(Standards::new(&input.config.rules, self.expect_prompt.as_deref(), usual.as_ref()))
    }
}

fn gather(recording: &mut Opened) -> anyhow::Result<Usual> {
    recording.pass(|requests, _| {
        let mut usual = Usual::default();
        for request in requests {
            usual.add(&request?);
        }
        Ok(usual)
    })
}
