//! Which judge: one of the configuration, one of the command line, or the first changed by the second.

use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::chat::EndpointError;
use crate::cli::{client, source};
use crate::config::{self, Judge, Secret};
use crate::judge::JudgeClient;

/// The judge, and how it is asked.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Which {
    /// A configuration with judges: a file, or env:VAR
    #[arg(long, value_name = "FILE")]
    config: Option<String>,
    /// The judge of the configuration; not needed where there is one only
    #[arg(long, value_name = "NAME", requires = "config")]
    judge: Option<String>,
    /// Its name
    #[arg(long)]
    name: Option<String>,
    /// An API like OpenAI's: its base URL, or that of its chat completions
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// The model that judges
    #[arg(long)]
    model: Option<String>,
    /// What makes a good answer
    #[arg(long, value_name = "TEXT")]
    rubric: Option<String>,
    /// Scores from here on pass
    #[arg(long, value_name = "SCORE", value_parser = share)]
    threshold: Option<f64>,
    /// What this configuration is called
    #[arg(long)]
    version: Option<String>,
    /// Sampling temperature; none leaves it to the model
    #[arg(long, value_name = "NUMBER|none", value_parser = temperature)]
    temperature: Option<Temperature>,
    /// Environment variable with the endpoint's key, where the configuration has none
    #[arg(long, value_name = "NAME", default_value = "OPENAI_API_KEY")]
    api_key_env: String,
    /// Send the key over plain http, too
    #[arg(long)]
    insecure: bool,
    /// Seconds that one attempt may take
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: Option<u64>,
}

/// A temperature, or that none is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Temperature(Option<f64>);

impl Which {
    /// The judge, ready to be asked.
    pub(super) fn client(&self) -> anyhow::Result<JudgeClient> {
        let mut judge = self.configured()?;
        let put = |place: &mut String, said: &Option<String>| said.iter().for_each(|it| place.clone_from(it));
        put(&mut judge.name, &self.name);
        put(&mut judge.endpoint, &self.endpoint);
        put(&mut judge.model, &self.model);
        put(&mut judge.rubric, &self.rubric);
        judge.threshold = self.threshold.unwrap_or(judge.threshold);
        judge.version = self.version.clone().or(judge.version);
        judge.temperature = self.temperature.map_or(judge.temperature, |Temperature(it)| it);
        judge.timeout = self.timeout.map_or(judge.timeout, Duration::from_secs);
        judge.insecure |= self.insecure;
        // The key of the configuration is for the endpoint of the configuration.
        if self.endpoint.is_some() || judge.api_key.is_none() {
            judge.api_key = config::env::process(&self.api_key_env).filter(|it| !it.is_empty()).map(Secret);
        }
        for (what, text) in [("--endpoint", &judge.endpoint), ("--model", &judge.model), ("--rubric", &judge.rubric)] {
            if text.trim().is_empty() {
                bail!("{what} is missing: say it, or name a judge of a configuration");
            }
        }
        let timeout = judge.timeout;
        JudgeClient::new(judge, client::with_timeout(timeout)?).map_err(|error| match error {
            EndpointError::Plain(_) => anyhow::Error::new(error).context("without --insecure"),
            error => error.into(),
        })
    }

    fn configured(&self) -> anyhow::Result<Judge> {
        let Some(config) = &self.config else {
            return Ok(Judge { name: "golden".to_owned(), ..Judge::default() });
        };
        let (config, _) = config::load(&source(Some(config)), &config::env::process)?;
        let names: Vec<&str> = config.judges.iter().map(|it| it.name.as_str()).collect();
        let found = match &self.judge {
            Some(name) => config.judges.iter().find(|it| it.name == *name),
            None => config.judges.first().filter(|_| names.len() == 1),
        };
        found.cloned().with_context(|| match &self.judge {
            Some(name) => format!("no judge {name:?} in the configuration; there are: {}", names.join(", ")),
            None => format!("which judge? --judge NAME, one of: {}", names.join(", ")),
        })
    }
}

/// A number from 0 to 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|it| (0.0..=1.0).contains(it)).ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

fn temperature(text: &str) -> Result<Temperature, String> {
    match text {
        "none" => Ok(Temperature(None)),
        text => {
            let number = text.parse().ok().filter(|it| (0.0..=2.0).contains(it));
            number.map(|it| Temperature(Some(it))).ok_or_else(|| "expected a number from 0 to 2, or none".to_owned())
        }
    }
}
