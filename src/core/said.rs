//! What attributes say of a judge and of a prompt's components, wherever they stand: on a span, an event, a log record,
//! a resource or a declaration.

use super::dialect::{Field, Scalar};
use super::message::{Json, cut, of_value};
use super::request::Judge;
use super::span::{List, LlmSpan};

/// Bytes kept of a name, a label or a version.
pub(crate) const WORD_BYTES_MAX: usize = 256;
/// Components of one prompt.
const COMPONENTS_MAX: usize = 64;

/// Values of the drill's mark that say there is none, as templated settings have them.
const NO_DRILL: [&str; 4] = ["", "false", "0", "no"];

/// Whether a drill's mark says that there is one.
pub(crate) fn is_drill(mark: &str) -> bool {
    !NO_DRILL.contains(&mark)
}

/// The text of a field, cut at the limit.
pub(crate) fn word(said: &LlmSpan<'_>, field: Field) -> Option<Box<str>> {
    said.get(field).map(|it| short(&it.text()))
}

/// A text cut at the limit.
pub(crate) fn short(text: &str) -> Box<str> {
    cut(text, WORD_BYTES_MAX).into()
}

/// The configuration of a judge.
pub(crate) fn judge(said: &LlmSpan<'_>) -> Judge {
    Judge {
        name: word(said, Field::EvaluatorName),
        kind: word(said, Field::EvaluatorType),
        model: word(said, Field::EvaluatorModel),
        version: word(said, Field::EvaluatorVersion),
        prompt: word(said, Field::EvaluatorPrompt),
        rubric_version: word(said, Field::RubricVersion),
        dataset_version: word(said, Field::DatasetVersion),
        threshold: said.get(Field::Threshold).and_then(Scalar::f64),
        calibrated_at: said.get(Field::CalibratedAt).and_then(Scalar::time),
        agreement: said.get(Field::Agreement).and_then(Scalar::f64),
    }
}

/// `(component, version)` in order of component: of JSON, `[{"name", "version"}]` or `{name: version}`, and of flat
/// attributes.
pub(crate) fn components(said: &LlmSpan<'_>) -> Vec<(Box<str>, Box<str>)> {
    let flat = said.listed.iter().filter(|it| it.list == List::Components);
    let flat = flat.filter_map(|it| Some((short(it.path), short(&Scalar::of(it.value)?.text()))));
    let mut found: Vec<_> = flat.collect();
    if let Some(json) = of_value(said.fields.value(Field::PromptComponents)) {
        let json = Json::new(&json);
        let items = json.items();
        let version = |item: Json<'_>| {
            ["version", "hash", "sha256"].iter().find_map(|key| Some(short(&item.get(key)?.text_or_raw())))
        };
        found.extend(items.iter().filter_map(|it| Some((short(&it.get("name")?.text_or_raw()), version(*it)?))));
        let named = json.entries().into_iter();
        found.extend(named.map(|(name, it)| (short(&name), version(it).unwrap_or_else(|| short(&it.text_or_raw())))));
    }
    found.sort_unstable();
    found.dedup_by(|a, b| a.0 == b.0);
    found.truncate(COMPONENTS_MAX);
    found
}
