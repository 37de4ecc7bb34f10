//! Two records of a request side by side, and whether the second is better.

use serde_json::{Value as Json, json};

use crate::toolkit::text::cut;

/// Characters of an answer that are shown.
const ANSWER_CHARS_MAX: usize = 200;
/// Quality that differs by less is the same.
const QUALITY_MIN: f64 = 0.1;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It failed and passes now, or its quality rose by a tenth.
    Improved,
    /// Neither.
    Same,
    /// It passed and fails now, or its quality fell by a tenth.
    Degraded,
}

impl Change {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Improved => "improved",
            Self::Same => "same",
            Self::Degraded => "degraded",
        }
    }
}

/// Two records, the earlier first.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'r> {
    /// The records, as `inspect` prints them.
    pub records: [&'r Json; 2],
}

impl Comparison<'_> {
    /// Whether each passes: by its evaluations where it has any, by its diagnosis where not.
    #[must_use]
    pub fn passes(&self) -> [bool; 2] {
        self.records.map(passes)
    }

    /// Quality of each: the mean of its evaluations' scores, of those without one whether it passed.
    #[must_use]
    pub fn quality(&self) -> [Option<f64>; 2] {
        self.records.map(quality)
    }

    /// What became of it.
    #[must_use]
    pub fn change(&self) -> Change {
        match (self.passes(), self.quality()) {
            ([false, true], _) => Change::Improved,
            ([true, false], _) => Change::Degraded,
            (_, [Some(before), Some(now)]) if now - before >= QUALITY_MIN => Change::Improved,
            (_, [Some(before), Some(now)]) if before - now >= QUALITY_MIN => Change::Degraded,
            _ => Change::Same,
        }
    }

    /// `(what, before, now)` for people; absent values as `-`.
    #[must_use]
    pub fn rows(&self) -> Vec<[String; 3]> {
        let row = |name: &str, of: &dyn Fn(&Json) -> Option<String>| {
            let [before, now] = self.records.map(|it| of(it).unwrap_or_else(|| "-".to_owned()));
            [name.to_owned(), before, now]
        };
        let field = |key: &'static str| move |it: &Json| shown(&it[key]);
        let tokens =
            |it: &Json| Some(format!("{} in, {} out", shown(&it["input_tokens"])?, shown(&it["output_tokens"])?));
        vec![
            row("trace id", &field("trace_id")),
            row("prompt version", &field("prompt_version")),
            row("model", &|it| shown(&it["model"]).or_else(|| shown(&it["model_requested"]))),
            row("temperature", &field("temperature")),
            row("latency ms", &|it| it["latency_ms"].as_f64().map(|it| format!("{it:.0}"))),
            row("time to first token ms", &|it| it["time_to_first_token_ms"].as_f64().map(|it| format!("{it:.0}"))),
            row("tokens", &tokens),
            row("cost USD", &|it| it["cost_usd"].as_f64().map(|it| format!("{it:.6}"))),
            row("quality", &|it| quality(it).map(|it| format!("{it:.2}"))),
            row("evaluations", &|it| Some(evaluations(it)).filter(|it| !it.is_empty())),
            row("diagnosis", &|it| shown(&it["diagnosis"]["line"])),
            row("passes", &|it| Some(if passes(it) { "yes" } else { "no" }.to_owned())),
            row("simulated", &|it| {
                it["replay"]["simulated"].as_bool().map(|it| if it { "SIMULATED" } else { "no" }.to_owned())
            }),
        ]
    }

    /// The first 200 characters of each answer and how many more there are; `-` without one.
    #[must_use]
    pub fn answers(&self) -> [String; 2] {
        let shown = |it: &Json| it["response"].as_str().map(|it| cut(it, ANSWER_CHARS_MAX).into_owned());
        self.records.map(|it| shown(it).unwrap_or_else(|| "-".to_owned()))
    }

    /// Everything, for programs.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let ([before, now], passes, quality) = (self.records, self.passes(), self.quality());
        let difference = |key: &str| Some(now[key].as_f64()? - before[key].as_f64()?);
        json!({
            "change": self.change().as_str(),
            "passes": { "before": passes[0], "now": passes[1] },
            "quality": { "before": quality[0], "now": quality[1] },
            "difference": {
                "latency_ms": difference("latency_ms"), "cost_usd": difference("cost_usd"),
                "input_tokens": difference("input_tokens"), "output_tokens": difference("output_tokens"),
            },
            "before": before, "now": now,
        })
    }
}

fn passes(record: &Json) -> bool {
    let evaluations = record["evaluations"].as_array().map_or(&[][..], Vec::as_slice);
    let healthy = record["diagnosis"]["mode"] == "healthy";
    if evaluations.is_empty() {
        healthy
    } else {
        record["error"].is_null() && evaluations.iter().all(|it| it["passed"] == true)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a handful of evaluations")]
fn quality(record: &Json) -> Option<f64> {
    let score = |it: &Json| it["score"].as_f64().or(it["passed"].as_bool().map(|it| if it { 1.0 } else { 0.0 }));
    let scores: Vec<f64> = record["evaluations"].as_array().into_iter().flatten().filter_map(score).collect();
    (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
}

fn evaluations(record: &Json) -> String {
    let said = record["evaluations"].as_array().into_iter().flatten().map(|it| {
        let verdict = match it["passed"].as_bool() {
            Some(true) => "pass",
            Some(false) => "fail",
            None => "no verdict",
        };
        let score = it["score"].as_f64().map_or_else(String::new, |it| format!(" {it:.2}"));
        format!("{}{score} {verdict}", it["metric"].as_str().unwrap_or("-"))
    });
    said.collect::<Vec<_>>().join(", ")
}

fn shown(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
