//! Baselines as bytes: canonical JSON (RFC 8785) with a format that says what it is.
//!
//! ```json
//! {"features":{"support":{"quality":[[492800,3600,288,3600]]}},"format":"freezeframe.baseline.v1"}
//! ```
//!
//! An hour is `[hours since the epoch, learned seconds, failures, samples]`, oldest first.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::Baselines;
use super::seasonal::{HOURS_MAX, Hour, Seasonal};
use crate::core::canonical;
use crate::core::signal::Signal;

/// What the bytes say they are.
pub const FORMAT: &str = "freezeframe.baseline.v1";

/// Why bytes are no baselines. Nothing is taken from such bytes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RestoreError {
    /// Not JSON, or not of this shape.
    #[error("not a baseline: {0}")]
    Damaged(String),
    /// Written by a version with another format.
    #[error("the format is {0:?}, not {FORMAT:?}")]
    Format(String),
}

impl Baselines {
    /// The baselines of all features as bytes, the same for the same content.
    #[must_use]
    pub fn snapshot<'a>(features: impl IntoIterator<Item = (&'a String, &'a Self)>) -> Vec<u8> {
        let hours = |series: &Seasonal| -> Json {
            series.hours.iter().map(|it| json!([it.hour, it.seconds, it.bad, it.of])).collect()
        };
        let signals = |one: &Self| -> Map<String, Json> {
            one.series.iter().map(|(signal, series)| (signal.as_str().to_owned(), hours(series))).collect()
        };
        let features: Map<String, Json> =
            features.into_iter().map(|(name, one)| (name.clone(), signals(one).into())).collect();
        canonical::encode(&json!({"format": FORMAT, "features": features})).expect("whole numbers and strings are JSON")
    }

    /// What [`Baselines::snapshot`] wrote, by feature, of which there are at most `features_max`. A signal that this
    /// version does not know is left out.
    ///
    /// # Errors
    /// When anything is not as it was written. Features beyond `features_max` are left out.
    pub fn restore(bytes: &[u8], features_max: usize) -> Result<BTreeMap<String, Self>, RestoreError> {
        let damaged = |what: &str| RestoreError::Damaged(what.to_owned());
        let json: Json = serde_json::from_slice(bytes).map_err(|error| RestoreError::Damaged(error.to_string()))?;
        let format = json["format"].as_str().ok_or_else(|| damaged("it has no format"))?;
        if format != FORMAT {
            return Err(RestoreError::Format(format.to_owned()));
        }
        let features = json["features"].as_object().ok_or_else(|| damaged("it has no features"))?;
        let mut restored = BTreeMap::new();
        for (name, signals) in features.iter().take(features_max) {
            let signals = signals.as_object().ok_or_else(|| damaged("a feature without signals"))?;
            let mut one = Self::default();
            for (signal, hours) in signals {
                let series = seasonal(hours).ok_or_else(|| RestoreError::Damaged(format!("{signal} of {name}")))?;
                if let Some(signal) = Signal::parse(signal) {
                    one.series.insert(signal, series);
                }
            }
            restored.insert(name.clone(), one);
        }
        Ok(restored)
    }
}

fn seasonal(hours: &Json) -> Option<Seasonal> {
    let hours = hours.as_array().filter(|hours| hours.len() <= HOURS_MAX)?;
    let hours: Option<std::collections::VecDeque<Hour>> = hours.iter().map(hour).collect();
    let in_order = |hours: &std::collections::VecDeque<Hour>| {
        hours.iter().zip(hours.iter().skip(1)).all(|(before, after)| before.hour < after.hour)
    };
    hours.filter(in_order).map(|hours| Seasonal { hours })
}

fn hour(json: &Json) -> Option<Hour> {
    let [hour, seconds, bad, of] = json.as_array()?.as_slice() else { return None };
    let number = |json: &Json| json.as_u64().and_then(|n| u32::try_from(n).ok());
    let hour = Hour { hour: number(hour)?, seconds: number(seconds)?, bad: number(bad)?, of: number(of)? };
    (hour.bad <= hour.of).then_some(hour)
}
