//! What a model call costs when its telemetry does not say: a price table of genai-prices that is built in, and a file
//! of the user's own whose entries win.
//!
//! ```text
//! call -> reported cost?            -> that
//!         own file knows the model? -> its price
//!         built-in table does?      -> its price
//!         otherwise                 -> no cost, and Unpriced::Model to count. Never 0.
//! ```
//!
//! The table (`table.json`) and the answers it is tested against are made by `generate.py` from the `genai-prices`
//! package, MIT, see `LICENSE-genai-prices`; `table.meta.json` says from which version, when, and with which hashes.
//! It is read when the first call without a reported cost comes, once in the life of the process.
//!
//! Deliberately absent: fetching prices (the table is as old as the program, own prices go into the file), and prices
//! by what telemetry does not say: batches, service tiers, the lifetime of a cache entry, searches, audio, images.

mod clause;
mod litellm;
mod rates;
mod table;
mod terms;

use std::hash::Hash;
use std::sync::{Arc, OnceLock};

use foldhash::fast::FixedState;
use hashbrown::{Equivalent, HashMap};

pub use table::Table;
pub use terms::{CachedTokens, CostSource};

use self::rates::Usage;
use self::table::Place;
use crate::core::request::ModelCall;

const BUILT_IN: &str = include_str!("table.json");

/// Names whose place in the tables is remembered; when there are more, remembering starts anew.
const REMEMBERED_MAX: usize = 256;

/// Names longer than this, in bytes, are looked up each time.
const REMEMBERED_BYTES_MAX: usize = 512;

/// Names of the GenAI conventions that genai-prices does not know, and its own for them.
const ALIASES: [(&str, &str); 4] =
    [("azure.ai.inference", "azure"), ("az.ai.inference", "azure"), ("gcp.gen_ai", "google"), ("x_ai", "x-ai")];

/// What the conventions write for a provider without a name.
const NO_PROVIDER: &str = "_other";

/// Why a call has no cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpriced {
    /// No table has a price of tokens for the model.
    Model,
    /// The telemetry does not say enough: no model, no count of tokens that cost something, or a part that is larger
    /// than its whole.
    Usage,
}

/// Why a price file can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct PriceFileError {
    /// `line 3, column 14`, or the provider.
    pub place: String,
    /// What is wrong there.
    pub reason: String,
}

/// The tables, and where the models of late were found in them.
#[derive(Debug)]
pub struct Prices {
    own: Option<Arc<Table>>,
    found: HashMap<Names<Box<str>>, Option<Found>, FixedState>,
}

#[derive(Clone, Copy, Debug)]
enum Found {
    Own(Place),
    BuiltIn(Place),
}

/// What a call says of its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Names<T> {
    provider: Option<T>,
    served: Option<T>,
    requested: Option<T>,
}

impl Prices {
    /// Prices of the user's `own` file, and of the built-in table for the rest.
    #[must_use]
    pub fn new(own: Option<Arc<Table>>) -> Self {
        Self { own, found: HashMap::default() }
    }

    /// What a call costs by the tables, in billionths of a US dollar, whatever cost it reports.
    ///
    /// The price is that of the model that answered, else of the one asked for, at the time of the call. A price that
    /// is dated later than the call does not count; for a call before all dates the first does.
    ///
    /// # Errors
    /// When there is no cost to tell.
    pub fn cost(&mut self, call: &ModelCall) -> Result<(u64, CostSource), Unpriced> {
        let names = Names {
            provider: call.provider.as_deref(),
            served: call.model_served.as_deref(),
            requested: call.model_requested.as_deref(),
        };
        let usage = Usage::of(call);
        if names.names().next().is_none() || (usage.input.is_none() && usage.output.is_none()) {
            return Err(Unpriced::Usage);
        }
        match self.find(names).ok_or(Unpriced::Model)? {
            Found::Own(place) => {
                let own = self.own.as_ref().ok_or(Unpriced::Model)?;
                Ok((own.nano_usd(place, &usage, call.started_at)?, CostSource::Override))
            }
            Found::BuiltIn(place) => Ok((built_in().nano_usd(place, &usage, call.started_at)?, CostSource::Table)),
        }
    }

    fn find(&mut self, names: Names<&str>) -> Option<Found> {
        if let Some(found) = self.found.get(&names) {
            return *found;
        }
        let found = look_up(self.own.as_deref(), names);
        if names.bytes() <= REMEMBERED_BYTES_MAX {
            if self.found.len() >= REMEMBERED_MAX {
                self.found.clear();
            }
            self.found.insert(names.owned(), found);
        }
        found
    }
}

/// Looks in the own file for both names, then in the built-in table.
fn look_up(own: Option<&Table>, names: Names<&str>) -> Option<Found> {
    let provider = names.provider.filter(|name| !name.eq_ignore_ascii_case(NO_PROVIDER));
    let own = own.and_then(|own| names.names().find_map(|model| find_own(own, provider, model)));
    own.map(Found::Own).or_else(|| names.names().find_map(|model| find_built_in(provider, model)).map(Found::BuiltIn))
}

fn find_built_in(provider: Option<&str>, model: &str) -> Option<Place> {
    built_in().find(provider, model).or_else(|| built_in().find(Some(alias(provider?)?), model))
}

/// The file's provider may be called as the telemetry calls it, or as the built-in table does; one without a name is
/// anybody's; and a call that names no provider takes any that has the model.
fn find_own(own: &Table, provider: Option<&str>, model: &str) -> Option<Place> {
    let known = || {
        let name = provider.map(|name| alias(name).unwrap_or(name));
        own.find(Some(built_in().provider_id(name, model)?), model)
    };
    let named = || provider.is_none().then(|| own.find_anywhere(model)).flatten();
    own.find(provider, model).or_else(known).or_else(|| own.find(Some(litellm::ANYBODY), model)).or_else(named)
}

fn alias(provider: &str) -> Option<&'static str> {
    ALIASES.iter().find(|(name, _)| provider.eq_ignore_ascii_case(name)).map(|(_, id)| *id)
}

fn built_in() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(Table::built_in)
}

impl<'a> Names<&'a str> {
    /// The model's names, the more certain first.
    fn names(self) -> impl Iterator<Item = &'a str> {
        self.served.into_iter().chain(self.requested.filter(|it| self.served != Some(it)))
    }

    fn bytes(self) -> usize {
        [self.provider, self.served, self.requested].iter().flatten().map(|name| name.len()).sum()
    }

    fn owned(self) -> Names<Box<str>> {
        Names {
            provider: self.provider.map(Into::into),
            served: self.served.map(Into::into),
            requested: self.requested.map(Into::into),
        }
    }
}

impl Equivalent<Names<Box<str>>> for Names<&str> {
    fn equivalent(&self, key: &Names<Box<str>>) -> bool {
        self.provider == key.provider.as_deref()
            && self.served == key.served.as_deref()
            && self.requested == key.requested.as_deref()
    }
}

impl PriceFileError {
    fn of(provider: &str, reason: String) -> Self {
        Self { place: format!("provider {provider:?}"), reason }
    }
}

impl From<serde_json::Error> for PriceFileError {
    fn from(error: serde_json::Error) -> Self {
        let text = error.to_string();
        let (line, column) = (error.line(), error.column());
        let reason = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
        Self { place: format!("line {line}, column {column}"), reason: reason.to_owned() }
    }
}

#[cfg(test)]
mod tests;
