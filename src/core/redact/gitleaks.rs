//! A user's rules in gitleaks' form, as data: what a `gitleaks.toml` says that means something for a text.
//!
//! gitleaks scans files of a repository; here are only texts. So paths and commits of an allowlist never match, rules
//! that are nothing but a path are not here, and a rule with a path and a pattern is its pattern.

use std::sync::OnceLock;

use aho_corasick::AhoCorasick;

use super::pattern::Lazy;

/// Every rule of a file and of what it extends.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// The rules, in the file's order.
    pub rules: Vec<Rule>,
    /// Allowlists that count for every rule above.
    pub allowlists: Vec<Allowlist>,
    /// Allowlists that count for every built-in kind of secrets.
    pub default_allowlists: Vec<Allowlist>,
    /// Allowlists of one built-in kind, by entity.
    pub built_in_allowlists: Vec<(String, Allowlist)>,
    /// Entities of built-in kinds that are switched off.
    pub disabled: Vec<String>,
    /// Digest of what was read, for the version of the rules; empty when nothing was.
    pub digest: String,
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    /// `acme-api-key`; its entity is `ACME_API_KEY`.
    pub id: String,
    /// What it looks like, in Go's syntax.
    pub regex: String,
    /// The group that holds the secret; 0 is the first that caught something, else the whole match.
    pub secret_group: usize,
    /// One of these occurs, in any case, wherever the pattern is looked for; with none it always is.
    pub keywords: Vec<String>,
    /// Bits a byte that a secret must exceed; 0 asks for none.
    pub entropy: f64,
    /// What is no secret after all.
    pub allowlists: Vec<Allowlist>,
}

/// What is no secret after all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Allowlist {
    /// Patterns in Go's syntax.
    pub regexes: Vec<String>,
    /// What the patterns are tried on.
    pub target: Target,
    /// Words the secret holds, in any case.
    pub stop_words: Vec<String>,
    /// Whether a pattern and a word must both match.
    pub both: bool,
}

/// What the patterns of an allowlist are tried on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// The secret.
    #[default]
    Secret,
    /// All that the rule's pattern matched.
    Match,
    /// The lines it stands in.
    Line,
}

impl Rule {
    /// The name in placeholders and counts: the id in capitals, everything but letters and digits as `_`.
    #[must_use]
    pub fn entity(&self) -> String {
        let upper = self.id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
        upper.collect()
    }

    /// Why it can't be used, if it can't. Compiles every pattern once and keeps none.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        match Lazy::go(&self.regex).compile() {
            Err(reason) => return Some(reason),
            Ok(regex) if self.secret_group >= regex.captures_len() => {
                return Some(format!("secretGroup {} of {} groups", self.secret_group, regex.captures_len() - 1));
            }
            Ok(_) => {}
        }
        self.allowlists.iter().find_map(Allowlist::fault)
    }
}

impl Allowlist {
    /// Why it can't be used, if it can't.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.regexes.iter().find_map(|regex| {
            let reason = Lazy::go(regex).compile().err()?;
            Some(format!("allowlist {regex:?}: {reason}"))
        })
    }
}

/// What a rule caught: byte ranges of the text.
pub(super) struct Caught<'t> {
    pub(super) secret: &'t str,
    pub(super) whole: regex::Match<'t>,
    pub(super) text: &'t str,
}

/// An allowlist whose patterns are compiled when the first secret is held against it.
#[derive(Debug)]
pub(super) struct Allowed {
    regexes: Vec<Lazy>,
    target: Target,
    stop_words: Vec<String>,
    stop: OnceLock<Option<AhoCorasick>>,
    both: bool,
}

impl Allowed {
    pub(super) fn new(list: &Allowlist) -> Self {
        Self {
            regexes: list.regexes.iter().map(|regex| Lazy::go(regex)).collect(),
            target: list.target,
            stop_words: list.stop_words.clone(),
            stop: OnceLock::new(),
            both: list.both,
        }
    }

    /// Whether what was caught is no secret.
    pub(super) fn holds(&self, caught: &Caught<'_>) -> bool {
        let text = match self.target {
            Target::Secret => caught.secret,
            Target::Match => caught.whole.as_str(),
            Target::Line => lines_of(caught),
        };
        let by_pattern = || self.regexes.iter().any(|regex| regex.get().is_match(text));
        let by_word = || self.stop_words().is_some_and(|words| words.is_match(caught.secret));
        if self.both { by_pattern() && by_word() } else { by_pattern() || by_word() }
    }

    fn stop_words(&self) -> Option<&AhoCorasick> {
        let build = || AhoCorasick::builder().ascii_case_insensitive(true).build(&self.stop_words).ok();
        if self.stop_words.is_empty() { None } else { self.stop.get_or_init(build).as_ref() }
    }
}

/// The lines that a match touches.
fn lines_of<'t>(caught: &Caught<'t>) -> &'t str {
    let start = caught.text[..caught.whole.start()].rfind('\n').map_or(0, |at| at + 1);
    let end = caught.text[caught.whole.end()..].find('\n').map_or(caught.text.len(), |at| caught.whole.end() + at);
    &caught.text[start..end]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Redactor, Settings};
    use super::*;

    fn list(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn rule(regex: &str) -> Rule {
        Rule { id: "acme-key".to_owned(), regex: regex.to_owned(), ..Rule::default() }
    }

    fn redactor(rules: Rules) -> Redactor {
        Redactor::new(&Settings { rules: Arc::new(rules), ..Settings::default() }).unwrap()
    }

    fn redact(rule: Rule, text: &str) -> String {
        redactor(Rules { rules: vec![rule], ..Rules::default() }).redact(text).text.into_owned()
    }

    /// Proves what a rule takes out: the group it names, the first that caught something, or all; with a keyword only
    /// where it occurs, with an entropy only above it.
    #[test]
    fn what_a_rule_takes_out() {
        let text = "acme id=A17 key=ZQ81";
        for (rule, redacted) in [
            (rule("id=(A\\d+) key=(\\w+)"), "acme id=<ACME_KEY> key=ZQ81"),
            (Rule { secret_group: 2, ..rule("id=(A\\d+) key=(\\w+)") }, "acme id=A17 key=<ACME_KEY>"),
            (rule("key=()(\\w+)"), "acme id=A17 key=<ACME_KEY>"),
            (rule("key=\\w+"), "acme id=A17 <ACME_KEY>"),
            (Rule { keywords: list(&["ACME"]), ..rule("key=(\\w+)") }, "acme id=A17 key=<ACME_KEY>"),
            (Rule { keywords: list(&["apex"]), ..rule("key=(\\w+)") }, text),
            (Rule { entropy: 2.0, ..rule("key=(\\w+)") }, text),
            (Rule { entropy: 1.9, ..rule("key=(\\w+)") }, "acme id=A17 key=<ACME_KEY>"),
        ] {
            assert_eq!(redact(rule.clone(), text), redacted, "{rule:?}");
        }
    }

    /// Proves allowlists: what their patterns are tried on, words in any case, and both at once.
    #[test]
    fn what_an_allowlist_lets_stand() {
        let text = "first key=AB\nsecond key=CD # test";
        let (all, cd, none) =
            ("first key=<ACME_KEY>\nsecond key=<ACME_KEY> # test", "first key=AB\nsecond key=<ACME_KEY> # test", text);
        let (regexes, stop_words) = (|it: &[&str]| list(it), |it: &[&str]| list(it));
        for (allowlist, redacted) in [
            (Allowlist { regexes: regexes(&["^A"]), ..Allowlist::default() }, cd),
            (Allowlist { regexes: regexes(&["^key=A"]), ..Allowlist::default() }, all),
            (Allowlist { regexes: regexes(&["^key=A"]), target: Target::Match, ..Allowlist::default() }, cd),
            (Allowlist { regexes: regexes(&["first"]), target: Target::Line, ..Allowlist::default() }, cd),
            (Allowlist { regexes: regexes(&["x", "test$", "^f"]), target: Target::Line, ..Allowlist::default() }, none),
            (Allowlist { stop_words: stop_words(&["ab"]), ..Allowlist::default() }, cd),
            (Allowlist { regexes: regexes(&["B"]), stop_words: stop_words(&["cd"]), ..Allowlist::default() }, none),
            (
                Allowlist {
                    regexes: regexes(&["B"]),
                    stop_words: stop_words(&["cd"]),
                    both: true,
                    ..Allowlist::default()
                },
                all,
            ),
            (
                Allowlist {
                    regexes: regexes(&["A"]),
                    stop_words: stop_words(&["ab"]),
                    both: true,
                    ..Allowlist::default()
                },
                cd,
            ),
        ] {
            let rule = Rule { allowlists: vec![allowlist.clone()], ..rule("key=(\\w+)") };
            assert_eq!(redact(rule, text), redacted, "{allowlist:?}");
            let rules =
                Rules { rules: vec![self::rule("key=(\\w+)")], allowlists: vec![allowlist], ..Rules::default() };
            assert_eq!(redactor(rules).redact(text).text, redacted);
        }
    }

    /// Proves that built-in kinds can be switched off and let stand what an allowlist names.
    #[test]
    fn built_in_kinds_can_be_changed() {
        let text = "password=hunter2; postgres://a:hunter2@db/x";
        let words = Allowlist { stop_words: list(&["hunter"]), ..Allowlist::default() };
        let (off, own) = (vec!["PASSWORD".to_owned()], vec![("URL_PASSWORD".to_owned(), words.clone())]);
        for (rules, redacted) in [
            (Rules::default(), "password=<PASSWORD>; postgres://a:<URL_PASSWORD>@db/x"),
            (Rules { disabled: off, ..Rules::default() }, "password=hunter2; postgres://a:<URL_PASSWORD>@db/x"),
            (Rules { built_in_allowlists: own, ..Rules::default() }, "password=<PASSWORD>; postgres://a:hunter2@db/x"),
            (Rules { default_allowlists: vec![words.clone()], ..Rules::default() }, text),
            (
                Rules { allowlists: vec![words], ..Rules::default() },
                "password=<PASSWORD>; postgres://a:<URL_PASSWORD>@db/x",
            ),
        ] {
            assert_eq!(redactor(rules).redact(text).text, redacted);
        }
    }

    /// Proves that a rule that can't be used says why, and that one that slipped through finds nothing.
    #[test]
    fn faults_are_told() {
        assert_eq!(rule("key=(\\w+)").fault(), None);
        assert_eq!(
            rule("(?=x)").fault().as_deref(),
            Some("look-around, including look-ahead and look-behind, is not supported")
        );
        assert_eq!(Rule { secret_group: 2, ..rule("(a)") }.fault().as_deref(), Some("secretGroup 2 of 1 groups"));
        assert!(rule("(?:[\\pL]{500}){500}").fault().is_some());
        let list = Allowlist { regexes: list(&["(open"]), ..Allowlist::default() };
        let fault = Rule { allowlists: vec![list], ..rule("a") }.fault().unwrap();
        assert!(fault.starts_with("allowlist \"(open\": unclosed group"), "{fault}");
        assert_eq!(redact(rule("(open"), "(open a"), "(open a");
    }
}
