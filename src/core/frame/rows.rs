//! The requests behind a verdict, in the frame itself, so that the verdict can be computed again from nothing else.
//!
//! A column a dimension stands under the variable it belongs to (`detail.rows`), so that who erases a variable erases its
//! columns; whether each request fails, and in which part of its window it fell, under `verdict.rows`. A column is one byte
//! a request, in the same order everywhere, as zlib (RFC 1950) in base64 (RFC 4648, section 4): a code of `values`, 0 where
//! the telemetry does not tell, 255 for what is folded into `other`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde_json::{Map, Value as Json, json};
use thiserror::Error;

use super::verdict;
use crate::core::attribution::dimension::Dimension;
use crate::core::attribution::{Mark, PARTS, ROWS_MAX, Side, Verdict, Wording};
use crate::core::variable::Variable;
use crate::core::vocabulary::{ABSENT, ABSENT_TEXT, OTHER, OTHER_TEXT};

/// The sides as a frame names them, the baseline first, as verdicts take them.
const SIDES: [&str; 2] = ["baseline", "incident"];

/// Both sides, and what their codes stand for.
#[derive(Clone, Debug)]
pub struct Rows {
    sides: [Side; 2],
    words: [BTreeMap<u8, String>; Dimension::COUNT],
}

/// Why a frame's rows can't be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RowsError {
    /// It has none: too little was compared, or an older version took it.
    #[error("the frame does not hold the requests that were compared")]
    Absent,
    /// They are not whole.
    #[error("the requests that were compared were erased with {0}")]
    Erased(&'static str),
    /// They are not what a frame holds.
    #[error("{0}: no column of as many requests")]
    Damaged(String),
}

impl Rows {
    /// The rows that a verdict is computed from.
    #[must_use]
    pub fn of(before: &Side, now: &Side, word: Wording<'_>) -> Self {
        let sides = [before.thinned(), now.thinned()];
        let words = std::array::from_fn(|index| {
            let codes = sides.iter().flat_map(|side| &side.columns[index]).copied();
            let named: BTreeSet<u8> = codes.filter(|code| *code != ABSENT && *code != OTHER).collect();
            named.into_iter().map(|code| (code, word(Dimension::ALL[index], code))).collect()
        });
        Self { sides, words }
    }

    /// The columns of a variable by dimension, those left out in which the telemetry tells nothing.
    #[must_use]
    pub fn columns(&self, variable: Variable) -> Json {
        let own = Dimension::ALL.into_iter().filter(|it| it.variable() == variable);
        let told =
            own.filter(|it| self.sides.iter().any(|side| side.columns[it.index()].iter().any(|it| *it != ABSENT)));
        let column = |dimension: Dimension| {
            let words = self.words[dimension.index()].iter().map(|(code, word)| (code.to_string(), json!(word)));
            let mut column = json!({ "values": words.collect::<Map<_, _>>() });
            for (name, side) in SIDES.iter().zip(&self.sides) {
                column[*name] = packed(&side.columns[dimension.index()]).into();
            }
            (dimension.as_str().to_owned(), column)
        };
        Json::Object(told.map(column).collect())
    }

    /// Whether each request fails, its part of the window, and what else is told of it.
    #[must_use]
    pub fn outcomes(&self) -> Json {
        let side = |side: &Side| {
            let fails: Vec<u8> = side.fails.iter().map(|fails| u8::from(*fails)).collect();
            let mut outcomes = json!({ "requests": side.len(), "fails": packed(&fails), "parts": packed(&side.parts) });
            for mark in Mark::ALL {
                let column = &side.marks[mark.index()];
                if column.iter().any(|told| *told != 0) {
                    outcomes[mark.as_str()] = packed(column).into();
                }
            }
            outcomes
        };
        let sides = SIDES.iter().zip(&self.sides).map(|(name, it)| ((*name).to_owned(), side(it)));
        Json::Object(sides.collect())
    }

    /// Reads the rows of a frame.
    ///
    /// # Errors
    /// [`RowsError`].
    pub fn read(frame: &Json) -> Result<Self, RowsError> {
        let outcomes = &frame["verdict"]["rows"];
        if !outcomes.is_object() {
            return Err(RowsError::Absent);
        }
        let variables = &frame["variables"];
        if let Some(erased) = Variable::ALL.iter().find(|it| variables[it.as_str()]["erased"].is_object()) {
            return Err(RowsError::Erased(erased.as_str()));
        }
        let mut words: [BTreeMap<u8, String>; Dimension::COUNT] = Default::default();
        let mut sides = [Side::default(), Side::default()];
        for (name, side) in SIDES.iter().zip(&mut sides) {
            let outcome = |key: &str| unpacked(&outcomes[*name][key]).ok_or_else(|| damaged("verdict", name, key));
            side.fails = outcome("fails")?.into_iter().map(|fails| fails != 0).collect();
            side.parts = outcome("parts")?.into_iter().map(|part| part.min(PARTS as u8 - 1)).collect();
            if side.parts.len() != side.fails.len() {
                return Err(damaged("verdict", name, "parts"));
            }
            for mark in Mark::ALL {
                let column = &outcomes[*name][mark.as_str()];
                let told = if column.is_null() { Some(vec![0; side.len()]) } else { unpacked(column) };
                let told = told.filter(|told| told.len() == side.len());
                side.marks[mark.index()] = told.ok_or_else(|| damaged("verdict", name, mark.as_str()))?;
            }
            for dimension in Dimension::ALL {
                let column = &variables[dimension.variable().as_str()]["detail"]["rows"][dimension.as_str()];
                let codes = if column.is_null() { Some(vec![ABSENT; side.len()]) } else { unpacked(&column[*name]) };
                let codes = codes.filter(|codes| codes.len() == side.len());
                side.columns[dimension.index()] = codes.ok_or_else(|| damaged("rows", name, dimension.as_str()))?;
                let values = column["values"].as_object().into_iter().flatten();
                let named = values.filter_map(|(code, word)| Some((code.parse().ok()?, word.as_str()?.to_owned())));
                words[dimension.index()].extend(named);
            }
        }
        Ok(Self { sides, words })
    }

    /// Computes the verdict again, as a frame says it: `(verdict, suspects)`.
    #[must_use]
    pub fn verdict(&self) -> (Json, Vec<Json>) {
        let [before, now] = &self.sides;
        let word = |dimension: Dimension, code: u8| match code {
            ABSENT => ABSENT_TEXT.to_owned(),
            OTHER => OTHER_TEXT.to_owned(),
            code => self.words[dimension.index()].get(&code).cloned().unwrap_or_default(),
        };
        let verdict = Verdict::of(before, now, &word);
        (verdict::document(&verdict), verdict.suspects.iter().map(verdict::suspect).collect())
    }
}

fn damaged(place: &str, side: &str, what: &str) -> RowsError {
    RowsError::Damaged(format!("{place}, {side}, {what}"))
}

fn packed(column: &[u8]) -> String {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(column).and_then(|()| encoder.finish());
    STANDARD.encode(written.expect("a vector takes all bytes"))
}

/// A column of at most [`ROWS_MAX`] requests; `None` for anything else.
fn unpacked(column: &Json) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(column.as_str()?).ok()?;
    let mut rows = Vec::new();
    ZlibDecoder::new(&bytes[..]).take(ROWS_MAX as u64 + 1).read_to_end(&mut rows).ok()?;
    (rows.len() <= ROWS_MAX).then_some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A prompt that fails, beside another index that does not.
    fn sides() -> [Side; 2] {
        let mut sides = [Side::default(), Side::default()];
        for (now, side) in sides.iter_mut().enumerate() {
            for request in 0..1_200_u32 {
                let mut codes = [ABSENT; Dimension::COUNT];
                let is_new = now == 1 && request % 3 == 0;
                codes[Dimension::RequestClass.index()] = 1 + u8::try_from(request % 4).unwrap();
                codes[Dimension::PromptVersion.index()] = if is_new { 2 } else { 1 };
                codes[Dimension::IndexVersion.index()] = if now == 1 && request % 2 == 0 { OTHER } else { 7 };
                let fails = if is_new { request % 5 < 3 } else { request % 20 == 0 };
                side.push(&codes, fails, u8::try_from(request / 200).unwrap());
            }
        }
        sides
    }

    fn word(dimension: Dimension, code: u8) -> String {
        format!("{}-{code}", dimension.as_str())
    }

    fn frame(rows: &Rows) -> Json {
        let variables =
            Variable::ALL.map(|it| (it.as_str().to_owned(), json!({ "detail": { "rows": rows.columns(it) } })));
        json!({ "verdict": { "rows": rows.outcomes() }, "variables": Json::Object(variables.into_iter().collect()) })
    }

    /// Proves that the verdict of the rows in a frame is the verdict of the requests, and that a column nobody tells takes no
    /// place.
    #[test]
    fn a_frame_holds_what_its_verdict_needs() {
        let [before, now] = sides();
        let verdict = Verdict::of(&before, &now, &word);
        let frame = frame(&Rows::of(&before, &now, &word));
        let (again, suspects) = Rows::read(&frame).unwrap().verdict();
        assert_eq!(again, verdict::document(&verdict));
        assert_eq!((again["answer"].as_str(), again["value"].as_str()), (Some("one"), Some("prompt_version-2")));
        assert_eq!(suspects, verdict.suspects.iter().map(verdict::suspect).collect::<Vec<_>>());
        assert_eq!(frame["variables"]["judge"]["detail"]["rows"], json!({}));
    }

    /// Proves that more requests than a frame keeps change no word of its verdict and leave its rates those of all, and that
    /// values nobody reports are called the same again.
    #[test]
    fn more_than_a_frame_keeps() {
        let mut sides = [Side::default(), Side::default()];
        for (now, side) in sides.iter_mut().enumerate() {
            for request in 0..2 * u32::try_from(ROWS_MAX).unwrap() + 77 {
                let mut codes = [ABSENT; Dimension::COUNT];
                codes[Dimension::Feature.index()] = 1;
                let is_told = request % 10 < if now == 1 { 2 } else { 9 };
                codes[Dimension::Tier.index()] = if is_told { 3 } else { ABSENT };
                let fails = if is_told { request % 40 == 0 } else { request % 7 < 3 };
                side.push(&codes, fails, u8::try_from(request / 30_000).unwrap());
            }
        }
        let [before, now] = sides;
        let word = |dimension: Dimension, code: u8| match code {
            ABSENT => ABSENT_TEXT.to_owned(),
            code => word(dimension, code),
        };
        let verdict = Verdict::of(&before, &now, &word);
        assert_eq!(verdict.explanation.as_ref().map(|it| it.rates), Some([before.rate(), now.rate()]));
        let said = verdict::document(&verdict);
        let (again, suspects) = Rows::read(&frame(&Rows::of(&before, &now, &word))).unwrap().verdict();
        for key in ["answer", "variables", "value", "dimension", "explained", "confidence", "z", "shares"] {
            assert_eq!(again[key], said[key], "{key}");
        }
        assert_eq!((said["variables"][0].as_str(), said["value"].as_str()), (Some("traffic_mix"), Some(ABSENT_TEXT)));
        let names = |suspects: &[Json]| suspects.iter().map(|it| it["value"].clone()).collect::<Vec<_>>();
        assert_eq!(names(&suspects), names(&verdict.suspects.iter().map(verdict::suspect).collect::<Vec<_>>()));
    }

    /// Proves that rows that are not there, not whole or not what they say are told apart, and never read as others.
    #[test]
    fn rows_that_are_not_whole_are_not_read() {
        let [before, now] = sides();
        let whole = frame(&Rows::of(&before, &now, &word));
        let read = |place: &str, value: Json| {
            let mut frame = whole.clone();
            *frame.pointer_mut(place).unwrap() = value;
            Rows::read(&frame).err()
        };
        assert_eq!(read("/verdict/rows", Json::Null), Some(RowsError::Absent));
        assert_eq!(read("/variables/judge", json!({ "erased": {} })), Some(RowsError::Erased("judge")));
        let column = "/variables/prompt_revision/detail/rows/prompt_version/incident";
        for (place, value) in [
            (column, json!(packed(&[1; 1_199]))),
            (column, json!(packed(&vec![1; ROWS_MAX + 1]))),
            (column, json!("no base64")),
            (column, json!(STANDARD.encode("no zlib"))),
            (column, Json::Null),
            ("/verdict/rows/baseline/parts", json!(packed(&[1; 3]))),
        ] {
            assert!(matches!(read(place, value), Some(RowsError::Damaged(_))), "{place}");
        }
    }
}
