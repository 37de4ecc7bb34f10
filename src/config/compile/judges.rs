//! Judges: what each must have, where its key may go, and its golden set.

use std::sync::Arc;

use super::{is_near, secret};
use crate::config::error::Problems;
use crate::config::judges::JudgeDraft;
use crate::config::load::Outside;
use crate::config::units::show_size;
use crate::config::{Golden, Judge};
use crate::core::golden::{SET_BYTES_MAX, Set};

/// The judges in effect.
pub(super) fn compile(drafts: Vec<JudgeDraft>, outside: Outside<'_>, problems: &mut Problems) -> Vec<Judge> {
    let mut judges: Vec<Judge> = Vec::new();
    for (index, mut draft) in drafts.into_iter().enumerate() {
        let prefix = format!("judges[{index}]");
        let key = &mut draft.judge.api_key;
        secret(key, draft.api_key_file.as_ref(), &format!("{prefix}.api_key"), outside, problems);
        let judge = &draft.judge;
        for (name, text) in
            [("name", &judge.name), ("endpoint", &judge.endpoint), ("model", &judge.model), ("rubric", &judge.rubric)]
        {
            if text.is_empty() {
                problems.require(&prefix, name, "nothing".to_owned(), "every judge has one");
            }
        }
        if !judge.name.is_empty() && judges.iter().any(|other| other.name == judge.name) {
            let field = format!("{prefix}.name");
            let found = format!("{:?} a second time", judge.name);
            problems.error(problems.place(&field), &field, found, "one judge of each name");
        }
        if judge.endpoint.contains(['?', '#']) {
            let field = format!("{prefix}.endpoint");
            problems.error(problems.place(&field), &field, "a query", "the base URL alone; a key belongs into api_key");
        }
        if judge.api_key.is_some() && !judge.insecure && !is_near(&judge.endpoint) {
            let field = format!("{prefix}.endpoint");
            let found = "a key that would go over plain http to another machine";
            problems.error(problems.place(&field), &field, found, "https, or insecure: true");
        }
        let golden = draft.golden().and_then(|(path, every)| {
            let set = golden(&path, &format!("{prefix}.golden.path"), outside, problems)?;
            Some(Golden { path, every, set: Arc::new(set) })
        });
        judges.push(Judge { golden, ..draft.judge });
    }
    judges
}

fn golden(path: &std::path::Path, field: &str, outside: Outside<'_>, problems: &mut Problems) -> Option<Set> {
    let read = match (outside.read)(path) {
        Ok(text) if text.len() > SET_BYTES_MAX => Err(format!("more than {}", show_size(SET_BYTES_MAX as u64))),
        Ok(text) => Set::parse(&text).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match read {
        Ok(set) => Some(set),
        Err(error) => {
            let found = format!("{}: {error}", path.display());
            problems.error(problems.place(field), field, found, "JSON lines of id, question, answer and label");
            None
        }
    }
}
