//! Each dimension by itself: its values on both sides, and how many of their requests fail. What people tabulate by hand
//! first, and what the figures of suspects can be checked against.

use std::collections::BTreeMap;

use super::dimension::Dimension;
use super::table::Side;
use super::verdict::Wording;
use crate::core::vocabulary::{ABSENT, OTHER};

/// Values that stand by name; the rest is folded into `other`.
const VALUES_SHOWN: usize = 10;

/// One dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breakdown {
    /// Which one.
    pub dimension: Dimension,
    /// Its values, most requests first, the rest folded together at the end.
    pub values: Vec<Part>,
}

/// Requests with one value: how many, and how many of those fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The value as shown; `None` for what the telemetry does not tell.
    pub value: Option<String>,
    /// In the incident window.
    pub incident: (usize, usize),
    /// In the baseline.
    pub baseline: (usize, usize),
}

/// Every dimension that the telemetry tells of on either side.
pub(super) fn breakdowns(before: &Side, now: &Side, word: Wording<'_>) -> Vec<Breakdown> {
    let of = |dimension: Dimension| {
        let mut counts: BTreeMap<u8, [(usize, usize); 2]> = BTreeMap::new();
        for (at, side) in [now, before].into_iter().enumerate() {
            for (code, fails) in side.columns[dimension.index()].iter().zip(&side.fails) {
                add(&mut counts.entry(*code).or_default()[at], (1, usize::from(*fails)));
            }
        }
        let is_told = counts.keys().any(|code| *code != ABSENT);
        is_told.then(|| Breakdown { dimension, values: shown(counts, &|code| word(dimension, code)) })
    };
    Dimension::ALL.into_iter().filter_map(of).collect()
}

fn shown(counts: BTreeMap<u8, [(usize, usize); 2]>, word: &dyn Fn(u8) -> String) -> Vec<Part> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(code, [now, before])| (*code == OTHER, std::cmp::Reverse(now.0.max(before.0)), *code));
    let part = |(code, [incident, baseline]): &(u8, [(usize, usize); 2])| Part {
        value: (*code != ABSENT).then(|| word(*code)),
        incident: *incident,
        baseline: *baseline,
    };
    let (named, rest) = counts.split_at(counts.len().min(VALUES_SHOWN));
    let folded = rest.iter().map(part).reduce(|mut sum, it| {
        add(&mut sum.incident, it.incident);
        add(&mut sum.baseline, it.baseline);
        Part { value: Some(word(OTHER)), ..sum }
    });
    named.iter().map(part).chain(folded).collect()
}

fn add(sum: &mut (usize, usize), more: (usize, usize)) {
    *sum = (sum.0 + more.0, sum.1 + more.1);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that no request is lost, that what is not told stands by itself, and that a dimension nobody tells of is left out.
    #[test]
    fn every_request_is_in_one_part() {
        let (mut before, mut now) = (Side::default(), Side::default());
        for request in 0..200_u8 {
            let mut codes = [ABSENT; Dimension::COUNT];
            codes[Dimension::Route.index()] = if request < 20 { ABSENT } else { request % 15 };
            now.push(&codes, request % 4 == 0, 0);
            before.push(&codes, false, 0);
        }
        let found = breakdowns(&before, &now, &|_, code| if code == OTHER { "other".into() } else { code.to_string() });
        let [Breakdown { dimension: Dimension::Route, values }] = &found[..] else { panic!("{found:?}") };
        assert_eq!(values.len(), VALUES_SHOWN + 1);
        assert_eq!(values.iter().map(|it| it.incident.0).sum::<usize>(), 200);
        assert_eq!(values.iter().map(|it| it.incident.1).sum::<usize>(), 50);
        assert_eq!(values.iter().map(|it| it.baseline).fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1)), (200, 0));
        assert_eq!(values.iter().filter(|it| it.value.is_none()).count(), 1);
        assert_eq!(values[VALUES_SHOWN].value.as_deref(), Some("other"));
    }
}
