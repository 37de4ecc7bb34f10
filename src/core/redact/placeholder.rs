//! What stands where something was: `<ENTITY>`, or `<ENTITY:digest>` with a key. Never looked at again.

use std::collections::BTreeMap;
use std::ops::Range;

use super::find::Finding;
use super::{Counts, Redactor, pseudonym};

impl Redactor {
    /// Puts placeholders where something was found. Where two findings overlap the one listed earlier wins; what the
    /// other covers beyond it is found again in the next pass, or taken at once when the user's own pattern found it.
    pub(super) fn replace(&self, text: &str, found: Vec<Finding<'_>>, counts: &mut Counts) -> Option<String> {
        if found.is_empty() {
            return None;
        }
        let mut taken: BTreeMap<usize, (usize, Option<&str>)> =
            self.placeholders(text).into_iter().map(|range| (range.start, (range.end, None))).collect();
        for Finding { entity, range, is_users } in found {
            for free in free(text, &taken, range, is_users) {
                if !self.is_allowed(&text[free.clone()]) {
                    taken.insert(free.start, (free.end, Some(entity)));
                }
            }
        }
        let mut out = String::new();
        let mut copied = 0;
        for (start, (end, entity)) in taken {
            if let Some(entity) = entity {
                out.push_str(&text[copied..start]);
                out.push_str(&self.placeholder(entity, &text[start..end]));
                copied = end;
                counts.add(entity);
            }
        }
        (copied > 0).then(|| out + &text[copied..])
    }

    /// What stands for `value`.
    pub(super) fn placeholder(&self, entity: &str, value: &str) -> String {
        match &self.pseudonym_key {
            Some(key) => format!("<{entity}:{}>", key.digest(entity, value)),
            None => format!("<{entity}>"),
        }
    }

    /// Whether a value is nothing but a placeholder.
    pub(super) fn is_done(&self, value: &str) -> bool {
        self.placeholder_at(value).is_some_and(|length| length == value.len())
    }

    /// Where placeholders stand, with a digest or without.
    fn placeholders(&self, text: &str) -> Vec<Range<usize>> {
        let starts = text.match_indices('<').map(|(at, _)| at);
        starts.filter_map(|at| Some(at..at + self.placeholder_at(&text[at..])?)).collect()
    }

    /// Length of the placeholder that `text` starts with.
    fn placeholder_at(&self, text: &str) -> Option<usize> {
        let inside = text.strip_prefix('<')?;
        let name = inside.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        let (entity, rest) = inside.split_at(name);
        let end = if rest.starts_with('>') { name + 2 } else { name + 2 + digest_length(rest)? };
        self.entities.contains(entity).then_some(end)
    }
}

/// Length of `:digest` before `>`.
fn digest_length(text: &str) -> Option<usize> {
    let digest = text.strip_prefix(':')?.get(..pseudonym::DIGITS)?;
    let is_hex = digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let length = 1 + digest.len();
    (is_hex && text[length..].starts_with('>')).then_some(length)
}

/// The parts of `range` to take: all of it or nothing; of a user's finding each part between what is taken that says
/// anything.
fn free(
    text: &str,
    taken: &BTreeMap<usize, (usize, Option<&str>)>,
    range: Range<usize>,
    is_users: bool,
) -> Vec<Range<usize>> {
    let within = taken.range(..range.end).rev().take_while(|(_, (end, _))| *end > range.start);
    let mut blocks: Vec<Range<usize>> = within.map(|(start, (end, _))| *start..*end).collect();
    if range.is_empty() || !blocks.is_empty() && !is_users {
        return Vec::new();
    }
    if blocks.is_empty() {
        return [range].into();
    }
    blocks.reverse();
    let starts = std::iter::once(range.start).chain(blocks.iter().map(|block| block.end));
    let ends = blocks.iter().map(|block| block.start).chain([range.end]);
    let gaps = starts.zip(ends).map(|(start, end)| start..end.max(start));
    gaps.filter(|gap| text[gap.clone()].contains(char::is_alphanumeric)).collect()
}
