//! Price files in the form of LiteLLM's `model_prices_and_context_window.json`: an object of models by name, prices in
//! USD a token.
//!
//! Read are the prices of text tokens: input, output, cached and reasoning, with those `_above_200k_tokens`. Left out
//! are models sold otherwise (images, seconds, pages) and prices that depend on what telemetry does not say (batches,
//! service tiers, the lifetime of a cache entry).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::rates::{Builder, Unit};
use super::table::{Model, Provider};

/// Modes that are paid by text token; entries of others are left out.
const MODES: [&str; 8] =
    ["chat", "completion", "responses", "embedding", "rerank", "realtime", "moderation", "evaluation"];

/// The entry that explains the others.
const SAMPLE: &str = "sample_spec";

/// The name of the provider of entries that name none: they are anybody's.
pub(super) const ANYBODY: &str = "";

/// Reads a file.
///
/// # Errors
/// What is wrong, and where.
pub(super) fn parse(text: &str) -> Result<Box<[Provider]>, serde_json::Error> {
    serde_json::from_str(text).map(|File(providers)| providers)
}

struct File(Box<[Provider]>);

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FileVisitor)
    }
}

struct FileVisitor;

impl<'de> Visitor<'de> for FileVisitor {
    type Value = File;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("models by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<File, A::Error> {
        let mut models: BTreeMap<String, Vec<Model>> = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == SAMPLE {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let entry: Entry = map.next_value()?;
            if entry.rates.is_empty() || entry.otherwise {
                continue;
            }
            let name = without_provider(&name, &entry.provider);
            let model = Model::named(name, entry.rates.build());
            models.entry(provider(&entry.provider).to_owned()).or_default().push(model);
        }
        Ok(File(models.into_iter().map(|(id, models)| Provider::named(&id, models)).collect()))
    }
}

/// One model.
#[derive(Default)]
struct Entry {
    provider: String,
    rates: Builder,
    /// Whether it is sold by something else than text tokens.
    otherwise: bool,
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a model with input_cost_per_token and output_cost_per_token")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let mut entry = Entry::default();
        while let Some(key) = map.next_key::<String>()? {
            match (&*key, unit(&key)) {
                ("litellm_provider", _) => entry.provider = map.next_value::<Option<_>>()?.unwrap_or_default(),
                ("mode", _) => {
                    let mode: Option<String> = map.next_value()?;
                    entry.otherwise = mode.is_some_and(|mode| !MODES.contains(&&*mode));
                }
                (_, None) => {
                    map.next_value::<IgnoredAny>()?;
                }
                (_, Some((unit, above))) => {
                    let Some(usd) = map.next_value::<Option<f64>>()? else { continue };
                    let scale = if unit == Unit::Request { 1e3 } else { 1e6 };
                    let set = match above {
                        Some(above) => entry.rates.tier(unit, above, usd * scale),
                        None => entry.rates.price(unit, usd * scale),
                    };
                    set.map_err(|_| de::Error::custom(format_args!("{key}: {usd} is no price of one")))?;
                }
            }
        }
        Ok(entry)
    }
}

/// What a key prices, and above how many tokens of input.
fn unit(key: &str) -> Option<(Unit, Option<u64>)> {
    let (base, above) = match key.split_once("_above_") {
        Some((base, above)) => (base, Some(above.strip_suffix("k_tokens")?.parse::<u64>().ok()?.checked_mul(1000)?)),
        None => (key, None),
    };
    let unit = match base {
        "input_cost_per_token" => Unit::Input,
        "output_cost_per_token" => Unit::Output,
        "cache_read_input_token_cost" => Unit::CacheRead,
        "cache_creation_input_token_cost" => Unit::CacheWrite,
        "output_cost_per_reasoning_token" => Unit::Reasoning,
        "input_cost_per_request" => Unit::Request,
        _ => return None,
    };
    Some((unit, above))
}

/// LiteLLM's name of a provider as that of genai-prices, so that both are found by the names telemetry uses.
fn provider(litellm: &str) -> &str {
    const FAMILIES: [(&str, &str); 13] = [
        ("bedrock", "aws"),
        ("amazon_nova", "aws"),
        ("sagemaker", "aws"),
        ("vertex_ai", "google"),
        ("gemini", "google"),
        ("azure", "azure"),
        ("text-completion-openai", "openai"),
        ("fireworks_ai", "fireworks"),
        ("together_ai", "together"),
        ("cohere", "cohere"),
        ("moonshot", "moonshotai"),
        ("voyage", "voyageai"),
        ("xai", "x-ai"),
    ];
    let family = FAMILIES.iter().find(|(prefix, _)| litellm.starts_with(prefix));
    family.map_or(litellm, |(_, id)| id)
}

/// `azure/gpt-4o` of `azure` is `gpt-4o` there.
fn without_provider<'a>(name: &'a str, provider: &str) -> &'a str {
    match name.split_once('/') {
        Some((prefix, rest)) if !prefix.is_empty() && provider.starts_with(prefix) => rest,
        _ => name,
    }
}
