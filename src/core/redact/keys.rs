//! What a key says of its value: the lists of the OTel redaction processor, over the keys of JSON at any depth.

use super::pattern::Lazy;
use super::{PatternError, Settings, compile_all};

/// Keys whose values are secrets by their name alone. `token` is not among them: to a language model it is a word.
const BLOCKED_KEYS: &str = r"(?i)^(?:.*[_. -])?(?:password|passwd|pwd|passphrase|authorization|cookie|set-cookie|credentials?|ssn)$|(?:secret|api[_-]?key|access[_-]?key|private[_-]?key|(?:access|refresh|id|auth|bearer|session|api)[_-]?token)$";

/// What becomes of the value under a key, and of everything inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Under {
    /// Left as it is.
    Ignored,
    /// Looked at.
    Plain,
    /// Masked whole.
    Blocked,
}

/// The lists of keys.
#[derive(Debug)]
pub(super) struct Keys {
    built_in: Lazy,
    blocked: Vec<regex::Regex>,
    ignored: Vec<String>,
    ignored_patterns: Vec<regex::Regex>,
    /// `None` allows all.
    allowed: Option<Vec<String>>,
}

impl Keys {
    pub(super) fn new(settings: &Settings) -> Result<Self, PatternError> {
        Ok(Self {
            built_in: Lazy::built_in(BLOCKED_KEYS),
            blocked: compile_all(&settings.blocked_key_patterns, str::to_owned)?,
            ignored: settings.ignored_keys.clone(),
            ignored_patterns: compile_all(&settings.ignored_key_patterns, str::to_owned)?,
            allowed: (!settings.allow_all_keys).then(|| settings.allowed_keys.clone()),
        })
    }

    /// As the processor: ignored keys first, then the allowed ones, then the blocked.
    pub(super) fn of(&self, key: &str) -> Under {
        let listed = |list: &[String]| list.iter().any(|known| known == key);
        if listed(&self.ignored) || self.ignored_patterns.iter().any(|pattern| pattern.is_match(key)) {
            return Under::Ignored;
        }
        let allowed = self.allowed.as_deref().is_none_or(listed);
        let blocked = || self.built_in.get().is_match(key) || self.blocked.iter().any(|pattern| pattern.is_match(key));
        if !allowed || blocked() { Under::Blocked } else { Under::Plain }
    }
}
