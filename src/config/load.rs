//! From a source to a [`Config`], or to everything that is wrong with it.

use std::io;
use std::path::{Path, PathBuf};

use super::error::{ConfigErrors, Problems, Warning};
use super::fields::{self, Draft};
use super::rules::RuleLists;
use super::{Config, compile, env, yaml};

/// Where a configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The embedded defaults.
    Default,
    /// A YAML file.
    File(PathBuf),
    /// An environment variable that holds YAML (`--config env:VAR`).
    Env(String),
    /// YAML.
    Text(String),
}

/// What loading asks of the world; tests bring their own.
#[expect(missing_debug_implementations, reason = "two function references")]
#[derive(Clone, Copy)]
pub struct Outside<'a> {
    /// Reads an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Reads a file: the configuration itself, token files, and a glance at TLS files.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
}

/// Loads, expands, checks and compiles a configuration, reading files from disk.
///
/// # Errors
/// Everything that is wrong, in one run.
pub fn load(source: &Source, env: &dyn Fn(&str) -> Option<String>) -> Result<(Config, Vec<Warning>), ConfigErrors> {
    load_from(source, Outside { env, read: &|path| std::fs::read_to_string(path) })
}

/// [`load`] with the files of the caller.
///
/// # Errors
/// As [`load`].
pub fn load_from(source: &Source, outside: Outside<'_>) -> Result<(Config, Vec<Warning>), ConfigErrors> {
    let mut problems = Problems::default();
    let text = source.text(outside, &mut problems);
    let mut draft = Draft { rules: RuleLists::built_in(), ..Draft::of(&Config::default()) };
    match yaml::parse(&text) {
        Ok(mut root) => {
            env::expand(&mut root, outside.env, &mut problems);
            fields::read(&root, &mut draft, &mut problems);
        }
        Err(error) => problems.error(error.at, "", error.message, "YAML"),
    }
    let config = compile::compile(draft, outside, &mut problems);
    for list in [&mut problems.errors, &mut problems.warnings] {
        list.sort_by_key(|problem| (problem.at.is_none(), problem.at));
    }
    if problems.errors.is_empty() {
        return Ok((config, problems.warnings));
    }
    Err(ConfigErrors { source: source.name(), errors: problems.errors, warnings: problems.warnings })
}

impl Source {
    /// Reads the argument of `--config`: a file name, or `env:VAR`.
    #[must_use]
    pub fn parse(argument: &str) -> Self {
        match argument.strip_prefix("env:") {
            Some(name) => Self::Env(name.to_owned()),
            None => Self::File(PathBuf::from(argument)),
        }
    }

    /// What messages call it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Default => "default".to_owned(),
            Self::File(path) => path.display().to_string(),
            Self::Env(name) => format!("env:{name}"),
            Self::Text(_) => "config".to_owned(),
        }
    }

    fn text(&self, outside: Outside<'_>, problems: &mut Problems) -> String {
        match self {
            Self::Default => String::new(),
            Self::Text(text) => text.clone(),
            Self::File(path) => (outside.read)(path).unwrap_or_else(|error| {
                problems.error(None, "", error.to_string(), "a readable file of UTF-8 text");
                String::new()
            }),
            Self::Env(name) => (outside.env)(name).unwrap_or_else(|| {
                problems.error(None, "", format!("{name} is not set"), "an environment variable that holds YAML");
                String::new()
            }),
        }
    }
}
