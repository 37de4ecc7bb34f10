//! What the counts say: shares, scores, and the gaps with what closes them.

use serde_json::{Value as Json, json};

use super::{Completeness, Count, Counts, FIELDS, Field, SHARE_MIN, remedy};

/// The score of one dialect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DialectScore {
    /// Its name.
    pub dialect: &'static str,
    /// Requests written in it.
    pub requests: u64,
    /// Mean share of the fields that apply, from 0 to 1.
    pub score: f64,
}

/// A field that requests of one dialect should carry and too few do.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// The field.
    pub field: &'static Field,
    /// The dialect.
    pub dialect: &'static str,
    /// Share of the requests it applies to that carried it.
    pub share: f64,
    /// Requests that lack it.
    pub lacking: u64,
    /// The setting that closes it.
    pub remedy: &'static str,
}

impl Completeness {
    /// `(field, share of the requests it applies to that carried it)`, fields that apply to none left out.
    #[must_use]
    pub fn shares(&self) -> Vec<(&'static str, f64)> {
        let total = self.total();
        FIELDS.iter().zip(&total.fields).filter_map(|(field, count)| Some((field.name, count.share()?))).collect()
    }

    /// Mean share of the fields that apply, from 0 to 1, each field weighing the same; `None` before the first
    /// request.
    #[must_use]
    pub fn score(&self) -> Option<f64> {
        self.total().score()
    }

    /// The score of each dialect, most requests first.
    #[must_use]
    pub fn dialects(&self) -> Vec<DialectScore> {
        let mut scores: Vec<DialectScore> = self
            .dialects
            .iter()
            .filter_map(|(dialect, counts)| {
                Some(DialectScore { dialect, requests: counts.requests, score: counts.score()? })
            })
            .collect();
        scores.sort_by(|a, b| b.requests.cmp(&a.requests).then(a.dialect.cmp(b.dialect)));
        scores
    }

    /// Every gap of every dialect, those that most requests have first.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        let of = |(dialect, counts): &(&'static str, Counts)| {
            let fields = FIELDS.iter().zip(counts.fields);
            let gaps = fields.filter_map(|(field, count)| gap(dialect, field, count));
            gaps.collect::<Vec<_>>()
        };
        let mut gaps: Vec<Gap> = self.dialects.iter().flat_map(of).collect();
        gaps.sort_by(|a, b| b.lacking.cmp(&a.lacking).then(a.dialect.cmp(b.dialect)));
        gaps
    }

    /// The setting that most requests without the field `name` lack; `None` when it has no gap.
    #[must_use]
    pub fn remedy(&self, name: &str) -> Option<&'static str> {
        self.gaps().iter().find(|gap| gap.field.name == name).map(|gap| gap.remedy)
    }

    /// Whether the field `name` applied to any request.
    #[must_use]
    pub fn applies(&self, name: &str) -> bool {
        self.shares().iter().any(|(field, _)| *field == name)
    }

    /// The report as one object: `requests`, `score`, `dialects`, `fields`, `gaps`.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let total = self.total();
        let dialects: Vec<Json> = self
            .dialects()
            .iter()
            .map(|it| json!({ "dialect": it.dialect, "requests": it.requests, "score": it.score }))
            .collect();
        let fields: Vec<Json> = FIELDS
            .iter()
            .zip(&total.fields)
            .map(|(field, count)| {
                json!({
                    "field": field.name,
                    "group": field.group.as_str(),
                    "requests": count.applies,
                    "share": count.share(),
                })
            })
            .collect();
        json!({
            "requests": total.requests,
            "score": total.score(),
            "dialects": dialects,
            "fields": fields,
            "gaps": self.gaps().iter().map(Gap::to_json).collect::<Vec<_>>(),
        })
    }
}

fn gap(dialect: &'static str, field: &'static Field, count: Count) -> Option<Gap> {
    let share = count.share()?;
    let is_gap = if field.is_sampled { count.present == 0 } else { share < SHARE_MIN };
    let lacking = count.applies - count.present;
    is_gap.then(|| Gap { field, dialect, share, lacking, remedy: remedy(dialect, field.name) })
}

impl Gap {
    /// `{field, dialect, share, remedy}`
    #[must_use]
    pub fn to_json(&self) -> Json {
        json!({ "field": self.field.name, "dialect": self.dialect, "share": self.share, "remedy": self.remedy })
    }
}

impl Counts {
    fn score(&self) -> Option<f64> {
        let worth = |(field, count): (&Field, &Count)| {
            let share = count.share()?;
            Some(if field.is_sampled { f64::from(u8::from(share > 0.0)) } else { share })
        };
        let (sum, fields) = FIELDS
            .iter()
            .zip(&self.fields)
            .filter_map(worth)
            .fold((0.0, 0.0), |(sum, n), share| (sum + share, n + 1.0));
        (fields > 0.0).then(|| sum / fields)
    }
}

impl Count {
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
    fn share(self) -> Option<f64> {
        (self.applies > 0).then(|| self.present as f64 / self.applies as f64)
    }
}
