//! The arguments of every replay: under what conditions, against what, for how much.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::session::Session;
use crate::chat::Endpoint;
use crate::cli::client;
use crate::cli::recording::RecordingArgs;
use crate::core::request::Request;
use crate::engine::Pricing;
use crate::toolkit::diagnosis::{Standards, Usual};
use crate::toolkit::replay::{Budget, Evaluator, Overrides, Prompted, Prompts};

/// Requests that are replayed at most.
const REQUESTS_MAX: usize = 10_000;
/// Repetitions at most.
const REPEAT_MAX: u32 = 1_000;

/// What is different, and who answers.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Conditions {
    /// Another version of the prompt: from --prompts, else as another request of the recording has it
    #[arg(long, value_name = "VERSION")]
    prompt_version: Option<String>,
    /// The prompt version that should be in service, for the diagnosis
    #[arg(long, value_name = "VERSION")]
    expect_prompt: Option<String>,
    /// Prompts: a directory of VERSION.txt or VERSION.md, or a registry's export (JSON of name, version, prompt)
    #[arg(long, value_name = "PATH")]
    prompts: Option<PathBuf>,
    /// Fills {{NAME}} in the prompt; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = client::pair)]
    variables: Vec<(String, String)>,
    /// Another model
    #[arg(long)]
    model: Option<String>,
    /// Another sampling temperature
    #[arg(long)]
    temperature: Option<f64>,
    /// Another nucleus
    #[arg(long)]
    top_p: Option<f64>,
    /// Another limit of output tokens
    #[arg(long)]
    max_tokens: Option<u64>,
    /// An API like OpenAI's: its base URL, or that of its chat completions
    #[arg(long, value_name = "URL", conflicts_with = "simulate")]
    endpoint: Option<String>,
    /// Ask nobody: show what a replay looks like, by a rule that says nothing of quality. Labelled everywhere
    #[arg(long)]
    simulate: bool,
    /// Environment variable with the endpoint's key
    #[arg(long, value_name = "NAME", default_value = "OPENAI_API_KEY")]
    api_key_env: String,
    /// Header of every request; may be repeated
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = client::pair)]
    headers: Vec<(String, String)>,
    /// Send the key over plain http, too
    #[arg(long)]
    insecure: bool,
    /// Stream the answer, which tells the time to its first token
    #[arg(long)]
    stream: bool,
    /// Seconds that one attempt may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// US dollars that may be spent; before each call its estimate must fit
    #[arg(long, value_name = "USD")]
    budget: Option<f64>,
    /// Send nothing: print what would be sent and what it is estimated to cost
    #[arg(long)]
    dry_run: bool,
    /// Ask so many times, for a rate with its interval instead of one lucky answer
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(REPEAT_MAX)))]
    repeat: u32,
    /// Hold answers against exact:TEXT, contains:TEXT, not-contains:TEXT, json-schema:FILE, overlap, overlap:SHARE or
    /// judge:RUBRIC; may be repeated
    #[arg(long = "expect", value_name = "EVALUATOR")]
    evaluators: Vec<String>,
    /// The model that judges by a rubric
    #[arg(long, value_name = "MODEL")]
    judge_model: Option<String>,
}

/// What was asked for: the requests, and how they are replayed.
pub(super) struct Wanted {
    pub(super) requests: Vec<Request>,
    pub(super) session: Session,
}

impl Conditions {
    pub(super) fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// Reads the recording and everything the conditions name.
    pub(super) fn read(&self, recording: &RecordingArgs) -> anyhow::Result<Wanted> {
        if self.endpoint.is_none() && !self.simulate && !self.dry_run {
            bail!("who answers? --endpoint URL names an API like OpenAI's, --simulate asks nobody and says so");
        }
        let mut prompts = self.prompts.as_deref().map(Prompts::read).transpose()?.unwrap_or_default();
        let (requests, pricing, rules) = recording.each_request_with(true, |requests, config| {
            let requests: Vec<Request> = requests.take(REQUESTS_MAX + 1).collect::<Result<_, _>>()?;
            Ok((requests, Pricing::new(&config.cost), config.rules.clone()))
        })?;
        if requests.len() > REQUESTS_MAX {
            bail!("more than {REQUESTS_MAX} requests: replay fewer at a time");
        }
        requests.iter().for_each(|request| prompts.learn(request));
        let mut usual = Usual::default();
        requests.iter().for_each(|request| usual.add(request));
        let endpoint = self.endpoint.as_deref().map(|url| {
            let timeout = Duration::from_secs(self.timeout);
            let key = crate::config::env::process(&self.api_key_env);
            let (client, headers) = (client::with_timeout(timeout)?, client::headers(&self.headers)?);
            let endpoint = Endpoint::new(client, url, key.as_deref(), headers, self.insecure);
            anyhow::Ok(endpoint.context("--endpoint")?.streamed(self.stream))
        });
        let session = Session {
            endpoint: endpoint.transpose()?,
            overrides: Overrides {
                prompt: self.prompt(&prompts)?,
                model: self.model.clone(),
                temperature: self.temperature,
                top_p: self.top_p,
                max_tokens: self.max_tokens,
            },
            evaluators: self.evaluators()?,
            judge_model: self.judge_model.clone(),
            repeat: self.repeat,
            budget: Mutex::new(Budget::new(self.budget)),
            pricing: Mutex::new(pricing),
            standards: Standards::new(&rules, self.expect_prompt.as_deref(), Some(&usual)),
        };
        Ok(Wanted { requests, session })
    }

    /// A simulation needs no text of the prompt.
    fn prompt(&self, prompts: &Prompts) -> anyhow::Result<Option<Prompted>> {
        let Some(version) = &self.prompt_version else { return Ok(None) };
        let text = match prompts.text(version, &self.variables) {
            Ok(text) => Some(text),
            Err(_) if self.simulate && self.prompts.is_none() => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Some(Prompted { version: version.clone(), text }))
    }

    fn evaluators(&self) -> anyhow::Result<Vec<Evaluator>> {
        let evaluators: Vec<Evaluator> =
            self.evaluators.iter().map(|it| Evaluator::parse(it)).collect::<Result<_, _>>()?;
        let asks = evaluators.iter().any(|it| matches!(it, Evaluator::Rubric(_)));
        if asks && self.simulate {
            bail!("judge: nobody is asked in a simulation");
        }
        if asks && self.judge_model.is_none() {
            bail!("judge: name the model that judges with --judge-model");
        }
        Ok(evaluators)
    }
}
