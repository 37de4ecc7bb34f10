//! What a model's tokens cost, and what a call's tokens come to. Whole numbers all the way: a price is in 1e-18 USD
//! a token, a sum of prices fits 128 bits, and only the result is rounded, to 1e-9 USD.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::{CachedTokens, Unpriced};
use crate::core::request::ModelCall;

/// The highest price a file may state, USD a million tokens or a thousand requests: beyond it somebody mistook the unit.
pub(super) const USD_MAX: f64 = 1e6;

/// Stands for a unit without a price, which is not the price 0.
const NONE: u64 = u64::MAX;

/// What is paid for. A more special unit is a part of its general one; where it has no price of its own, it costs what
/// the general one costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Input,
    Output,
    /// Part of the input.
    CacheRead,
    /// Part of the input.
    CacheWrite,
    /// Part of the output.
    Reasoning,
    /// The call as such.
    Request,
}

/// The token counts of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// With the cached tokens in it.
    pub(super) input: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) cache_read: u64,
    pub(super) cache_write: u64,
    /// Counted in `output`, too.
    pub(super) reasoning: u64,
}

impl Usage {
    /// The counts of a call in genai-prices' convention, which has cached tokens inside the input. Where the telemetry
    /// counts them apart, as Anthropic's API does, they are added here and nowhere else.
    pub(super) fn of(call: &ModelCall) -> Self {
        let cache_read = call.cached_input_tokens.unwrap_or(0);
        let cache_write = call.cache_write_tokens.unwrap_or(0);
        let cached = cache_read.saturating_add(cache_write);
        let usual = CachedTokens::of_provider(call.provider.as_deref());
        let apart = match call.cached_tokens.unwrap_or(usual) {
            // More from the cache than there is in all: this instrumentation passes on what such a provider counts.
            CachedTokens::Inside if usual == CachedTokens::Apart && call.input_tokens.is_some_and(|it| it < cached) => {
                cached
            }
            CachedTokens::Inside => 0,
            CachedTokens::Apart => cached,
        };
        Self {
            input: call.input_tokens.map(|input| input.saturating_add(apart)),
            output: call.output_tokens,
            cache_read,
            cache_write,
            reasoning: call.reasoning_tokens.unwrap_or(0),
        }
    }
}

/// The prices of one model at one time, by [`Unit`].
#[derive(Debug, PartialEq)]
pub(super) struct Rates {
    base: [u64; Unit::ALL.len()],
    tiers: Box<[Tier]>,
}

/// The price of all tokens of a unit once the input is longer than `above` tokens.
#[derive(Debug, PartialEq)]
struct Tier {
    unit: Unit,
    above: u64,
    price: u64,
}

impl Rates {
    /// What the usage comes to, in 1e-9 USD, rounded half up.
    ///
    /// # Errors
    /// [`Unpriced::Model`] when the model is not sold by tokens or calls; [`Unpriced::Usage`] when a count is missing
    /// that costs something, or a part is larger than its whole.
    pub(super) fn nano_usd(&self, usage: &Usage) -> Result<u64, Unpriced> {
        if [Unit::Input, Unit::Output, Unit::Request].iter().all(|unit| !self.has(*unit)) {
            return Err(Unpriced::Model);
        }
        let part = |unit, count| if self.has(unit) { count } else { 0 };
        let cache_read = part(Unit::CacheRead, usage.cache_read);
        let cache_write = part(Unit::CacheWrite, usage.cache_write);
        let reasoning = part(Unit::Reasoning, usage.reasoning);
        let length = self.count(Unit::Input, usage.input)?;
        let input = length.checked_sub(cache_read).and_then(|rest| rest.checked_sub(cache_write));
        let output = self.count(Unit::Output, usage.output)?.checked_sub(reasoning);
        let (Some(input), Some(output)) = (input, output) else { return Err(Unpriced::Usage) };
        let counts = [input, output, cache_read, cache_write, reasoning, 1];
        let sum = Unit::ALL.into_iter().zip(counts).fold(0_u128, |sum, (unit, count)| {
            sum.saturating_add(u128::from(self.price(unit, length)) * u128::from(count))
        });
        Ok(nano_usd(sum))
    }

    fn has(&self, unit: Unit) -> bool {
        self.base[unit as usize] != NONE
    }

    /// A count that may be unknown only where it costs nothing.
    fn count(&self, unit: Unit, count: Option<u64>) -> Result<u64, Unpriced> {
        let free = !self.has(unit) || self.base[unit as usize] == 0;
        count.or(free.then_some(0)).ok_or(Unpriced::Usage)
    }

    /// The price of a unit for an input of `length` tokens; 0 for a unit without one.
    fn price(&self, unit: Unit, length: u64) -> u64 {
        let reached = |tier: &&Tier| tier.unit == unit && length > tier.above;
        let tier = self.tiers.iter().filter(reached).max_by_key(|tier| tier.above);
        let price = tier.map_or(self.base[unit as usize], |tier| tier.price);
        if price == NONE { 0 } else { price }
    }
}

/// 1e-18 USD as 1e-9 USD, rounded half up, stopping at the end of the range.
fn nano_usd(sum: u128) -> u64 {
    const NANO: u64 = 1_000_000_000;
    // Up to 18 USD a call: a division of 128 bits takes longer than all the rest.
    match u64::try_from(sum) {
        Ok(sum) => sum / NANO + u64::from(sum % NANO >= NANO / 2),
        Err(_) => u64::try_from(sum.saturating_add(u128::from(NANO / 2)) / u128::from(NANO)).unwrap_or(u64::MAX),
    }
}

/// Rates being put together.
#[derive(Debug)]
pub(super) struct Builder {
    base: [u64; Unit::ALL.len()],
    tiers: Vec<Tier>,
}

impl Default for Builder {
    fn default() -> Self {
        Self { base: [NONE; Unit::ALL.len()], tiers: Vec::new() }
    }
}

impl Builder {
    /// Sets the price of a unit, in USD a million tokens or a thousand requests.
    ///
    /// # Errors
    /// When it is not a price.
    pub(super) fn price(&mut self, unit: Unit, usd: f64) -> Result<(), String> {
        self.base[unit as usize] = unit.price(usd)?;
        Ok(())
    }

    /// Sets the price of a unit for inputs of more than `above` tokens.
    ///
    /// # Errors
    /// As [`Builder::price`].
    pub(super) fn tier(&mut self, unit: Unit, above: u64, usd: f64) -> Result<(), String> {
        self.tiers.push(Tier { unit, above, price: unit.price(usd)? });
        Ok(())
    }

    /// Whether nothing has a price.
    pub(super) fn is_empty(&self) -> bool {
        self.base.iter().all(|price| *price == NONE)
    }

    pub(super) fn build(self) -> Rates {
        Rates { base: self.base, tiers: self.tiers.into() }
    }
}

impl Unit {
    const ALL: [Self; 6] =
        [Self::Input, Self::Output, Self::CacheRead, Self::CacheWrite, Self::Reasoning, Self::Request];

    /// The unit that a key of genai-prices prices. Keys of what a call's telemetry does not count (audio, images,
    /// searches, the lifetime of a cache) are `Ok(None)`.
    fn of_key(key: &str) -> Result<Option<Self>, String> {
        const UNCOUNTED: [&str; 7] = ["audio", "image", "video", "text", "tool", "citation", "cache_write_"];
        const OTHER_UNITS: [&str; 5] = ["_kcount", "_hours", "_mchars", "_gpixels", "_kpages"];
        Ok(Some(match key {
            "input_mtok" => Self::Input,
            "output_mtok" => Self::Output,
            "cache_read_mtok" => Self::CacheRead,
            "cache_write_mtok" => Self::CacheWrite,
            "output_reasoning_mtok" => Self::Reasoning,
            "requests_kcount" => Self::Request,
            _ if UNCOUNTED.iter().any(|part| key.contains(part)) => return Ok(None),
            _ if OTHER_UNITS.iter().any(|end| key.ends_with(end)) => return Ok(None),
            _ => return Err(format!("unknown price {key:?}")),
        }))
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the filter bounds it below 2^60")]
    fn price(self, usd: f64) -> Result<u64, String> {
        if !(0.0..=USD_MAX).contains(&usd) {
            return Err(format!("{usd} is no price from 0 to {USD_MAX} USD"));
        }
        // USD a million tokens to 1e-18 USD a token, USD a thousand requests to 1e-18 USD a request.
        let scale = if self == Self::Request { 1e12 * 1e3 } else { 1e12 };
        Ok((usd * scale).round() as u64)
    }
}

/// `{"input_mtok": 2.5, "output_mtok": {"base": 10, "tiers": [{"start": 200000, "price": 15}]}}`
impl<'de> Deserialize<'de> for Rates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RatesVisitor)
    }
}

struct RatesVisitor;

impl<'de> Visitor<'de> for RatesVisitor {
    type Value = Rates;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("prices by unit, as input_mtok and output_mtok")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Rates, A::Error> {
        let mut rates = Builder::default();
        while let Some(key) = map.next_key::<String>()? {
            let Some(unit) = Unit::of_key(&key).map_err(de::Error::custom)? else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let named = |error| de::Error::custom(format_args!("{key}: {error}"));
            let (base, tiers) = match map.next_value()? {
                None => continue,
                Some(Price::Flat(usd)) => (usd, Vec::new()),
                Some(Price::Tiered { base, tiers }) => (base, tiers),
            };
            rates.price(unit, base).map_err(named)?;
            for TierPrice { start, price } in tiers {
                rates.tier(unit, start, price).map_err(named)?;
            }
        }
        Ok(rates.build())
    }
}

#[derive(serde::Deserialize)]
#[serde(untagged, expecting = "a price in USD, or a base price with tiers was expected")]
enum Price {
    Flat(f64),
    Tiered { base: f64, tiers: Vec<TierPrice> },
}

#[derive(serde::Deserialize)]
struct TierPrice {
    start: u64,
    price: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(json: &str) -> Rates {
        serde_json::from_str(json).unwrap()
    }

    fn usage(input: u64, output: u64) -> Usage {
        Usage { input: Some(input), output: Some(output), ..Usage::default() }
    }

    /// Proves the arithmetic by hand: parts at their own price, or at that of their whole; rounding half up.
    #[test]
    fn tokens_come_to_what_they_cost() {
        let plain = rates(r#"{"input_mtok": 2.5, "output_mtok": 10}"#);
        let parts = rates(r#"{"input_mtok": 3, "cache_read_mtok": 0.3, "cache_write_mtok": 3.75, "output_mtok": 15}"#);
        let all = Usage { cache_read: 11, cache_write: 7, reasoning: 3, ..usage(47, 8) };
        assert_eq!(plain.nano_usd(&usage(1000, 500)), Ok(2_500_000 + 5_000_000));
        assert_eq!(plain.nano_usd(&all), Ok(47 * 2_500 + 8 * 10_000));
        assert_eq!(parts.nano_usd(&all), Ok(29 * 3_000 + 11 * 300 + 7 * 3_750 + 8 * 15_000));
        assert_eq!(rates(r#"{"input_mtok": 0.0005, "output_mtok": 0}"#).nano_usd(&usage(1, 9)), Ok(1));
        assert_eq!(rates(r#"{"requests_kcount": 5}"#).nano_usd(&usage(9, 9)), Ok(5_000_000));
        assert_eq!(rates(r#"{"input_mtok": 1000000}"#).nano_usd(&usage(u64::MAX, 0)), Ok(u64::MAX));
    }

    /// Proves that a tier counts for all tokens of its unit, and by the whole input, from one token above its start.
    #[test]
    fn tiers_are_cliffs() {
        let rates = rates(
            r#"{"input_mtok": {"base": 1, "tiers": [{"start": 100, "price": 2}, {"start": 200, "price": 4}]}, "cache_read_mtok": 0.5, "output_mtok": {"base": 10, "tiers": [{"start": 100, "price": 20}]}}"#,
        );
        for (input, output, cost) in [(100, 1, 110_000), (101, 1, 222_000), (200, 0, 400_000), (201, 0, 804_000)] {
            assert_eq!(rates.nano_usd(&usage(input, output)), Ok(cost), "{input}");
        }
    }

    /// Proves that what can't be told is no cost: missing counts, impossible ones, models sold by other units.
    #[test]
    fn what_cannot_be_told_is_no_cost() {
        let rates_of = rates;
        let rates = rates_of(r#"{"input_mtok": 1, "cache_read_mtok": 0.1, "output_mtok": 1}"#);
        let embedding = rates_of(r#"{"input_mtok": 1}"#);
        let input = Usage { input: Some(5), ..Usage::default() };
        assert_eq!(rates.nano_usd(&input), Err(Unpriced::Usage));
        assert_eq!(embedding.nano_usd(&input), Ok(5_000));
        assert_eq!(rates.nano_usd(&Usage { cache_read: 6, ..usage(5, 1) }), Err(Unpriced::Usage));
        assert_eq!(embedding.nano_usd(&Usage { cache_read: 6, ..usage(5, 1) }), Ok(5_000));
        for other in ["{}", r#"{"input_audio_hours": 1, "web_searches_kcount": 10}"#, r#"{"input_mtok": null}"#] {
            assert_eq!(rates_of(other).nano_usd(&usage(5, 1)), Err(Unpriced::Model), "{other}");
        }
    }

    /// Proves that a slip in a price is an error that names it.
    #[test]
    fn slips_are_named() {
        for (json, named) in [
            (r#"{"inputs_mtok": 1}"#, "unknown price \"inputs_mtok\""),
            (r#"{"input_mtok": -1}"#, "input_mtok: -1 is no price"),
            (r#"{"input_mtok": 1e7}"#, "input_mtok: 10000000 is no price"),
            (r#"{"input_mtok": "1"}"#, "a price in USD, or a base price with tiers was expected"),
            (r#"{"output_mtok": {"base": 1, "tiers": [{"start": 1, "price": -2}]}}"#, "output_mtok: -2 is no price"),
            ("[]", "prices by unit"),
        ] {
            let error = serde_json::from_str::<Rates>(json).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("line 1 column"), "{json}: {error}");
        }
    }
}
