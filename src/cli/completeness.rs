//! How complete the telemetry of a recording is, by feature and dialect, and the settings that close its gaps.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::output::{Format, Rows, print_json, print_table, say, stdout};
use crate::core::completeness::{Completeness, Gap, Observation};
use crate::core::request::Request;
use crate::engine::registry::{ALL, OTHER};

/// Features told apart; the rest falls under `_other`.
const FEATURES_MAX: usize = 256;
/// Settings under a table of requests, those that close most first.
const SETTINGS_SHOWN: usize = 3;

/// Counts requests by feature.
#[derive(Debug, Default)]
pub(super) struct Census {
    all: Completeness,
    features: BTreeMap<Box<str>, Completeness>,
}

/// One setting and the gaps it closes.
struct Setting<'a> {
    gaps: Vec<&'a Gap>,
    lacking: u64,
}

impl Census {
    pub(super) fn observe(&mut self, request: &Request) {
        let seen = Observation::of(request);
        let has_room = self.features.len() < FEATURES_MAX || self.features.contains_key(&request.feature);
        let feature = if has_room { &*request.feature } else { OTHER };
        self.features.entry(feature.into()).or_default().add(seen);
        self.all.add(seen);
    }

    /// The report alone.
    pub(super) fn print(&self, format: Format) -> std::io::Result<()> {
        let all = (self.features.len() > 1).then_some((ALL, &self.all));
        let features: Vec<(&str, &Completeness)> =
            all.into_iter().chain(self.features.iter().map(|(name, it)| (&**name, it))).collect();
        if format == Format::Json {
            let features: Vec<Json> = features.iter().map(|(name, it)| document(name, it)).collect();
            return print_json(&json!({ "features": features }));
        }
        let scores = features.iter().flat_map(|(name, completeness)| {
            completeness
                .dialects()
                .into_iter()
                .map(|it| vec![(*name).to_owned(), it.dialect.to_owned(), it.requests.to_string(), percent(it.score)])
        });
        print_table(format, &["feature", "dialect", "requests", "score"], scores)?;
        say("")?;
        let rows = features.iter().flat_map(|(name, completeness)| {
            let gaps = completeness.gaps();
            let row = |it: Setting<'_>| {
                vec![(*name).to_owned(), it.dialect().to_owned(), it.fields(), it.remedy().to_owned()]
            };
            settings(&gaps).into_iter().map(row).collect::<Vec<_>>()
        });
        let mut table =
            Rows::wide(stdout(), format, &["feature", "dialect", "fields and their share", "what closes the gap"]);
        rows.into_iter().try_for_each(|row| table.push(row))?;
        table.end()
    }

    /// A few lines under a table of requests: each dialect's score and the settings that close most.
    pub(super) fn print_footer(&self) -> std::io::Result<()> {
        let gaps = self.all.gaps();
        for score in self.all.dialects() {
            let (dialect, requests) = (score.dialect, score.requests);
            let noun = if requests == 1 { "request" } else { "requests" };
            say(format_args!("\n{dialect}: {} of the minimum telemetry, {requests} {noun}", percent(score.score)))?;
            let settings = settings(&gaps).into_iter().filter(|it| it.dialect() == dialect);
            for setting in settings.take(SETTINGS_SHOWN) {
                say(format_args!("- {}: {}", setting.fields(), setting.remedy()))?;
            }
        }
        Ok(())
    }
}

/// The gaps by what closes them, the setting that closes most first.
fn settings(gaps: &[Gap]) -> Vec<Setting<'_>> {
    let mut settings: Vec<Setting<'_>> = Vec::new();
    for gap in gaps {
        let same = |it: &&mut Setting<'_>| it.dialect() == gap.dialect && it.remedy() == gap.remedy;
        match settings.iter_mut().find(same) {
            Some(setting) => {
                setting.gaps.push(gap);
                setting.lacking += gap.lacking;
            }
            None => settings.push(Setting { gaps: vec![gap], lacking: gap.lacking }),
        }
    }
    settings.sort_by_key(|it| std::cmp::Reverse(it.lacking));
    settings
}

impl Setting<'_> {
    fn dialect(&self) -> &'static str {
        self.gaps[0].dialect
    }

    fn remedy(&self) -> &'static str {
        self.gaps[0].remedy
    }

    /// `prompt_sha256 0 %, response 40 %`
    fn fields(&self) -> String {
        let fields: Vec<String> =
            self.gaps.iter().map(|it| format!("{} {}", it.field.name, percent(it.share))).collect();
        fields.join(", ")
    }
}

fn document(feature: &str, completeness: &Completeness) -> Json {
    let mut document = completeness.to_json();
    document["feature"] = feature.into();
    document
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
