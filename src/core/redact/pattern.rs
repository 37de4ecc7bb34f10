//! Regular expressions that are compiled when a text first needs them: most never do, and all of them take megabytes.

use std::borrow::Cow;
use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};

use super::go_syntax;

/// Bytes one compiled pattern of a user may take.
const COMPILED_BYTES_MAX: usize = 4 << 20;

/// A pattern, compiled at its first use. Patterns of ours and of a checked file always compile; where one does not
/// after all it matches nothing.
#[derive(Debug)]
pub(super) struct Lazy {
    pattern: Cow<'static, str>,
    is_go: bool,
    regex: OnceLock<Regex>,
}

impl Lazy {
    /// A pattern of ours. Word boundaries are those of ASCII: a Unicode one takes the automata away on text that is
    /// not ASCII, and with them the speed.
    pub(super) fn built_in(pattern: &'static str) -> Self {
        Self { pattern: pattern.into(), is_go: false, regex: OnceLock::new() }
    }

    /// A user's pattern in Go's syntax.
    pub(super) fn go(pattern: &str) -> Self {
        Self { pattern: pattern.to_owned().into(), is_go: true, regex: OnceLock::new() }
    }

    pub(super) fn get(&self) -> &Regex {
        self.regex.get_or_init(|| self.compile().unwrap_or_else(|_| never()))
    }

    /// Compiles it, keeping nothing.
    ///
    /// # Errors
    /// What the regex crate says, in one line.
    pub(super) fn compile(&self) -> Result<Regex, String> {
        if self.is_go {
            return compile(&go_syntax::translate(&self.pattern));
        }
        compile(&self.pattern.replace(r"\b", r"(?-u:\b)"))
    }
}

/// Compiles a pattern up to [`COMPILED_BYTES_MAX`].
///
/// # Errors
/// What the regex crate says, in one line.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).size_limit(COMPILED_BYTES_MAX).build();
    built.map_err(|error| {
        let text = error.to_string();
        text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
    })
}

fn never() -> Regex {
    Regex::new("[^\0-\u{10ffff}]").expect("a class of nothing")
}
