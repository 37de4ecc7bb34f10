//! Providers, their models and their prices, in the form of genai-prices' `data.json`: the built-in table and price
//! files of users are read by the same code. A file in LiteLLM's form becomes the same table ([`super::litellm`]).
//!
//! Finding a model is a walk in the order of the file, as in genai-prices; who asks often keeps the answer
//! ([`super::Prices`] does).

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor, value::MapAccessDeserializer};

use super::clause::{Clause, Lower};
use super::litellm;
use super::rates::{Rates, Usage};
use super::{PriceFileError, Unpriced};
use crate::core::time::UnixNanos;

const DAY_SECONDS: u64 = 86_400;

/// A price table.
#[derive(Debug, PartialEq)]
pub struct Table {
    providers: Box<[Provider]>,
}

/// Who sells models.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Provider {
    pub(super) id: Box<str>,
    /// Other names of the provider.
    #[serde(default)]
    provider_match: Option<Clause>,
    /// Names of models that are this provider's when no provider is named.
    #[serde(default)]
    model_match: Option<Clause>,
    /// Whose models it sells as well, at their prices.
    #[serde(default)]
    fallback_model_providers: Option<Box<[Box<str>]>>,
    pub(super) models: Box<[Model]>,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Model {
    #[serde(rename = "match")]
    matches: Clause,
    prices: Prices,
}

/// The prices of a model through time, at least one.
#[derive(Debug, PartialEq)]
struct Prices(Box<[Dated]>);

#[derive(Debug, PartialEq, Deserialize)]
struct Dated {
    #[serde(rename = "constraint", default)]
    when: When,
    prices: Rates,
}

/// When prices apply.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "Option<Constraint>")]
enum When {
    #[default]
    Always,
    From(UnixNanos),
    /// Seconds of the day, UTC; over midnight when the end is before the start.
    Daily(u64, u64),
}

#[derive(Deserialize)]
struct Constraint {
    start_date: Option<String>,
    start_time: Option<String>,
    end_time: Option<String>,
}

/// Where in a table a model stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    provider: usize,
    model: usize,
}

impl Table {
    /// Reads a price file, in genai-prices' form (a list of providers) or in LiteLLM's (an object of models).
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, PriceFileError> {
        let providers = match text.trim_start().as_bytes().first() {
            Some(b'{') => litellm::parse(text)?,
            _ => serde_json::from_str::<Box<[Provider]>>(text)?,
        };
        let table = Self { providers };
        for provider in &table.providers {
            let clauses = provider.provider_match.iter().chain(&provider.model_match);
            for clause in clauses.chain(provider.models.iter().map(|model| &model.matches)) {
                clause.check().map_err(|reason| PriceFileError::of(&provider.id, reason))?;
            }
        }
        Ok(table)
    }

    /// The built-in table, whose expressions a test has checked.
    pub(super) fn built_in() -> Self {
        let providers = serde_json::from_str(super::BUILT_IN).expect("a test reads the table that is built in");
        Self { providers }
    }

    /// How many models have prices.
    #[must_use]
    pub fn models(&self) -> usize {
        self.providers.iter().map(|provider| provider.models.len()).sum()
    }

    /// What a call of the model at `place` comes to, in 1e-9 USD.
    pub(super) fn nano_usd(&self, place: Place, usage: &Usage, at: UnixNanos) -> Result<u64, Unpriced> {
        let model = self.providers.get(place.provider).and_then(|provider| provider.models.get(place.model));
        model.ok_or(Unpriced::Model)?.prices.at(at).nano_usd(usage)
    }

    /// The model that `name` is at a provider; without one, at the provider whose models are called so.
    pub(super) fn find(&self, provider: Option<&str>, name: &str) -> Option<Place> {
        let name = name.to_lowercase();
        let gateway = provider.filter(|provider| provider.eq_ignore_ascii_case("litellm"));
        if let Some((provider, name)) = gateway.and(name.split_once('/'))
            && let Some(provider) = self.provider(provider)
        {
            return self.model(provider, name);
        }
        let provider = match provider {
            Some(provider) if gateway.is_none() => self.provider(provider),
            _ => self.provider_of_model(&name),
        };
        self.model(provider?, &name)
    }

    /// The first model called so at any provider.
    pub(super) fn find_anywhere(&self, name: &str) -> Option<Place> {
        let name = name.to_lowercase();
        (0..self.providers.len()).find_map(|provider| self.model_as_is(provider, &name))
    }

    /// The id of the provider that a name means, or that sells models called so.
    pub(super) fn provider_id(&self, provider: Option<&str>, model: &str) -> Option<&str> {
        let at = match provider {
            Some(provider) => self.provider(provider),
            None => self.provider_of_model(&model.to_lowercase()),
        };
        Some(&self.providers.get(at?)?.id)
    }

    fn provider(&self, name: &str) -> Option<usize> {
        let name = name.trim().to_lowercase();
        let means = |provider: &Provider| provider.provider_match.as_ref().is_some_and(|clause| clause.matches(&name));
        let providers = &self.providers;
        providers.iter().position(|it| *it.id == *name).or_else(|| providers.iter().position(means))
    }

    fn provider_of_model(&self, name: &str) -> Option<usize> {
        let sells = |provider: &Provider| provider.model_match.as_ref().is_some_and(|clause| clause.matches(name));
        self.providers.iter().position(sells)
    }

    /// As it is called, else with its date dashed: gateways write `gpt-5.2-20251211` for `gpt-5.2-2025-12-11`.
    fn model(&self, provider: usize, name: &str) -> Option<Place> {
        self.model_as_is(provider, name).or_else(|| match dashed(name) {
            Cow::Owned(name) => self.model_as_is(provider, &name),
            Cow::Borrowed(_) => None,
        })
    }

    /// Among the provider's own models, else among those it resells.
    fn model_as_is(&self, provider: usize, name: &str) -> Option<Place> {
        let own = |provider: usize| {
            let model = self.providers[provider].models.iter().position(|model| model.matches.matches(name))?;
            Some(Place { provider, model })
        };
        let resold = self.providers[provider].fallback_model_providers.iter().flatten();
        own(provider)
            .or_else(|| resold.filter_map(|id| self.providers.iter().position(|it| it.id == *id)).find_map(own))
    }
}

impl Provider {
    /// A provider under one name.
    pub(super) fn named(id: &str, models: Vec<Model>) -> Self {
        let (id, models) = (id.into(), models.into());
        Self { id, provider_match: None, model_match: None, fallback_model_providers: None, models }
    }
}

impl Model {
    /// A model under one name, at the same prices for ever.
    pub(super) fn named(name: &str, prices: Rates) -> Self {
        let prices = Prices([Dated { when: When::Always, prices }].into());
        Self { matches: Clause::Equals(Lower::from(name.to_owned())), prices }
    }
}

impl Prices {
    /// The last that apply; the first when none does.
    fn at(&self, at: UnixNanos) -> &Rates {
        let dated = self.0.iter().rev().find(|dated| dated.when.holds(at));
        &dated.unwrap_or(&self.0[0]).prices
    }
}

impl When {
    fn holds(&self, at: UnixNanos) -> bool {
        let second = at.0 / 1_000_000_000 % DAY_SECONDS;
        match *self {
            Self::Always => true,
            Self::From(start) => at >= start,
            Self::Daily(start, end) if end < start => second >= start || second < end,
            Self::Daily(start, end) => (start..end).contains(&second),
        }
    }
}

impl TryFrom<Option<Constraint>> for When {
    type Error = String;

    fn try_from(constraint: Option<Constraint>) -> Result<Self, String> {
        let Some(constraint) = constraint else { return Ok(Self::Always) };
        match constraint {
            Constraint { start_date: Some(date), .. } => {
                let start = UnixNanos::parse(&format!("{date}T00:00:00Z"));
                start.map(Self::From).ok_or_else(|| format!("start_date: {date:?} is no date"))
            }
            Constraint { start_time: Some(start), end_time: Some(end), .. } => {
                Ok(Self::Daily(second_of_day(&start)?, second_of_day(&end)?))
            }
            _ => Err("a constraint without start_date, or start_time and end_time".to_owned()),
        }
    }
}

/// `16:30:00Z`, `00:30:00+08:00`, or without a zone, which is UTC.
fn second_of_day(time: &str) -> Result<u64, String> {
    // The second day, so that no offset reaches before the epoch.
    let at = ["", "Z"].iter().find_map(|zone| UnixNanos::parse(&format!("1970-01-02T{time}{zone}")));
    at.map(|at| at.0 / 1_000_000_000 % DAY_SECONDS).ok_or_else(|| format!("{time:?} is no time of day"))
}

/// The name with its first `-20251211` as `-2025-12-11`, when that is a date and the end of a part.
fn dashed(name: &str) -> Cow<'_, str> {
    for (at, _) in name.match_indices("-20") {
        let (Some(date), rest) = (name.get(at + 1..at + 9), name.get(at + 9..).unwrap_or_default()) else { break };
        let ends = rest.is_empty() || rest.starts_with(['-', ':']);
        if ends && date.bytes().all(|byte| byte.is_ascii_digit()) {
            let dashed = format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]);
            if dashed.parse::<jiff::civil::Date>().is_ok() {
                return format!("{}{dashed}{rest}", &name[..=at]).into();
            }
        }
    }
    name.into()
}

/// An object of rates, or a list of such with constraints.
impl<'de> Deserialize<'de> for Prices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PricesVisitor)
    }
}

struct PricesVisitor;

impl<'de> Visitor<'de> for PricesVisitor {
    type Value = Prices;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("prices by unit, or a list of such with constraints")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Prices, A::Error> {
        let prices = Rates::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Prices([Dated { when: When::Always, prices }].into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Prices, A::Error> {
        let mut dated = Vec::new();
        while let Some(next) = list.next_element()? {
            dated.push(next);
        }
        if dated.is_empty() {
            return Err(serde::de::Error::custom("a model without prices"));
        }
        Ok(Prices(dated.into()))
    }
}
