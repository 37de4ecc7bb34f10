//! A slot: the one place a field's value is read into and shown from. Its variant is the field's type, so reading,
//! showing, the allowed range and the word in the reference can't disagree.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::error::did_you_mean;
use super::units::{parse_duration, parse_size, show_duration, show_size};
use super::yaml::Value;
use super::{MASK, Secret, WITNESSED_LOGS_MAX, WITNESSES_MAX, Witness, witness};
use crate::core::breaker::Cap;
use crate::core::dialect::Field;
use crate::core::note::VerifierKey;

/// Bytes of a text of several lines.
const PROSE_BYTES_MAX: usize = 16 << 10;

/// Where a value lives, with the range it must keep to.
pub(super) enum Slot<'a> {
    Flag(&'a mut bool),
    /// One of two words.
    Either(&'a mut bool, [&'static str; 2]),
    /// One of several words.
    Word(&'a mut dyn Word),
    Count(&'a mut usize, RangeInclusive<usize>),
    Size(&'a mut usize, RangeInclusive<usize>),
    Bytes(&'a mut u64, RangeInclusive<u64>),
    Time(&'a mut Duration, RangeInclusive<Duration>),
    Share(&'a mut f64),
    Number(&'a mut Option<f64>),
    /// `3` or `30%`.
    Cap(&'a mut Cap),
    /// `host:port` to listen on.
    Address(&'a mut String),
    /// `http://` or `https://`; unset is empty.
    Url(&'a mut String),
    Text(&'a mut String),
    /// Several lines.
    Prose(&'a mut String),
    MaybeText(&'a mut Option<String>),
    MaybeUrl(&'a mut Option<String>),
    Path(&'a mut PathBuf),
    MaybePath(&'a mut Option<PathBuf>),
    Secret(&'a mut Option<Secret>),
    Texts(&'a mut Vec<String>),
    Urls(&'a mut Vec<String>),
    Pairs(&'a mut Vec<(String, String)>),
    SecretPairs(&'a mut Vec<(String, Secret)>),
    /// Attribute keys by the field they set.
    Keys(&'a mut Vec<(Field, String)>),
    /// Witnesses by URL and key.
    Witnesses(&'a mut Vec<Witness>),
    /// Keys of logs.
    Logs(&'a mut Vec<VerifierKey>),
}

/// A value as text, before YAML's quoting.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shown {
    Unset,
    Bare(String),
    Text(String),
    List(Vec<String>),
    Pairs(Vec<(String, String)>),
    Lists(Vec<(String, Vec<String>)>),
    Maps(Vec<Vec<(&'static str, String)>>),
}

/// Why a value was refused, and what would be allowed.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) found: String,
    pub(super) allowed: String,
    pub(super) hint: Option<String>,
}

impl Slot<'_> {
    /// Puts `value` in.
    pub(super) fn read(&mut self, value: &Value) -> Result<(), Refusal> {
        let secret = matches!(self, Self::Secret(_) | Self::SecretPairs(_));
        let done = match self {
            Self::Flag(slot) => set(*slot, flag(value)),
            Self::Either(slot, words) => {
                set(*slot, text(value).and_then(|word| words.iter().position(|known| *known == word)).map(|at| at == 1))
            }
            Self::Word(slot) => text(value).is_some_and(|word| slot.choose(word)),
            Self::Count(slot, range) => set(*slot, number(value).filter(|count| range.contains(count))),
            Self::Size(slot, range) => {
                set(*slot, size(value).and_then(|size| usize::try_from(size).ok()).filter(|size| range.contains(size)))
            }
            Self::Bytes(slot, range) => set(*slot, size(value).filter(|size| range.contains(size))),
            Self::Time(slot, range) => set(*slot, duration(value).filter(|time| range.contains(time))),
            Self::Share(slot) => set(*slot, number::<f64>(value).filter(|share| (0.0..=1.0).contains(share))),
            Self::Number(slot) => match value {
                Value::Null => set(*slot, Some(None)),
                _ => set(*slot, number::<f64>(value).filter(|number| number.is_finite()).map(Some)),
            },
            Self::Cap(slot) => set(*slot, cap(value)),
            Self::Address(slot) => set(*slot, line(value).filter(|text| is_address(text))),
            Self::Url(slot) => set(
                *slot,
                optional(value).filter(|text| text.as_deref().is_none_or(is_url)).map(Option::unwrap_or_default),
            ),
            Self::Text(slot) => set(*slot, line(value).filter(|text| !text.is_empty())),
            Self::Prose(slot) => set(*slot, prose(value)),
            Self::MaybeText(slot) => set(*slot, optional(value)),
            Self::MaybeUrl(slot) => set(*slot, optional(value).filter(|text| text.as_deref().is_none_or(is_url))),
            Self::Path(slot) => set(*slot, line(value).filter(|text| !text.is_empty()).map(PathBuf::from)),
            Self::MaybePath(slot) => set(*slot, optional(value).map(|path| path.map(PathBuf::from))),
            Self::Secret(slot) => set(*slot, optional(value).map(|text| text.map(Secret))),
            Self::Texts(slot) => set(*slot, texts(value)),
            Self::Urls(slot) => set(*slot, texts(value).filter(|urls| urls.iter().all(|url| is_url(url)))),
            Self::Pairs(slot) => set(*slot, pairs(value)),
            Self::SecretPairs(slot) => {
                set(*slot, pairs(value).map(|pairs| pairs.into_iter().map(|(key, text)| (key, Secret(text))).collect()))
            }
            Self::Keys(slot) => set(*slot, keys(value)),
            Self::Witnesses(slot) => set(*slot, witness::witnesses(value).ok()),
            Self::Logs(slot) => set(*slot, witness::logs(value).ok()),
        };
        let found = || if secret { MASK.to_owned() } else { value.describe() };
        if done { Ok(()) } else { Err(Refusal { found: found(), allowed: self.allowed(), hint: self.hint(value) }) }
    }

    fn hint(&self, value: &Value) -> Option<String> {
        let meant = |words: &[&'static str], word: &str| did_you_mean(word, words.iter().copied());
        match (self, value) {
            (Self::Either(_, words), Value::Text(word)) => {
                meant(words, word).map(|word| format!("did you mean {word}?"))
            }
            (Self::Word(slot), Value::Text(word)) => {
                meant(&slot.words(), word).map(|word| format!("did you mean {word}?"))
            }
            (Self::Keys(_), Value::Map(entries)) => {
                let unknown =
                    entries.iter().map(|(key, _)| key.name.as_str()).find(|name| Field::from_name(name).is_none());
                let known: Vec<_> = Field::ALL.iter().map(|field| field.as_str()).collect();
                unknown.map(|name| match did_you_mean(name, known.iter().copied()) {
                    Some(meant) => format!("there is no field {name:?}; did you mean {meant}?"),
                    None => format!("there is no field {name:?}"),
                })
            }
            (Self::Witnesses(_), _) => witness::witnesses(value).err(),
            (Self::Logs(_), _) => witness::logs(value).err(),
            (Self::Time(..), Value::Number(number)) => Some(format!("add a unit, as {number}s")),
            (Self::Text(_) | Self::MaybeText(_) | Self::Secret(_), Value::Number(_) | Value::Flag(_)) => {
                Some("put it in quotes".to_owned())
            }
            _ => None,
        }
    }

    /// What is in it, secrets masked.
    pub(super) fn show(&self) -> Shown {
        let optional = |text: Option<String>| text.filter(|text| !text.is_empty()).map_or(Shown::Unset, Shown::Text);
        match self {
            Self::Flag(slot) => Shown::Bare(slot.to_string()),
            Self::Either(slot, words) => Shown::Bare(words[usize::from(**slot)].to_owned()),
            Self::Word(slot) => slot.chosen().map_or(Shown::Unset, |word| Shown::Bare(word.to_owned())),
            Self::Count(slot, _) => Shown::Bare(slot.to_string()),
            Self::Size(slot, _) => Shown::Bare(show_size(**slot as u64)),
            Self::Bytes(slot, _) => Shown::Bare(show_size(**slot)),
            Self::Time(slot, _) => Shown::Bare(show_duration(**slot)),
            Self::Share(slot) => Shown::Bare(slot.to_string()),
            Self::Number(slot) => slot.map_or(Shown::Unset, |number| Shown::Bare(number.to_string())),
            Self::Cap(slot) => Shown::Bare(slot.to_string()),
            Self::Address(slot) | Self::Text(slot) | Self::Prose(slot) => Shown::Text((*slot).clone()),
            Self::Url(slot) => optional(Some(without_userinfo(slot))),
            Self::MaybeText(slot) => optional((*slot).clone()),
            Self::MaybeUrl(slot) => optional(slot.as_deref().map(without_userinfo)),
            Self::Path(slot) => Shown::Text(slot.display().to_string()),
            Self::MaybePath(slot) => optional(slot.as_ref().map(|path| path.display().to_string())),
            Self::Secret(slot) => optional(slot.as_ref().map(|_| MASK.to_owned())),
            Self::Texts(slot) => Shown::List((*slot).clone()),
            Self::Urls(slot) => Shown::List(slot.iter().map(|url| without_userinfo(url)).collect()),
            Self::Pairs(slot) => Shown::Pairs((*slot).clone()),
            Self::SecretPairs(slot) => {
                Shown::Pairs(slot.iter().map(|(key, _)| (key.clone(), MASK.to_owned())).collect())
            }
            Self::Keys(slot) => {
                let lists = slot.chunk_by(|a, b| a.0 == b.0);
                let keys = |list: &[(Field, String)]| list.iter().map(|(_, key)| key.clone()).collect();
                Shown::Lists(lists.map(|list| (list[0].0.as_str().to_owned(), keys(list))).collect())
            }
            Self::Witnesses(slot) => Shown::Maps(
                slot.iter()
                    .map(|one| vec![("url", without_userinfo(&one.url)), ("vkey", one.key.to_string())])
                    .collect(),
            ),
            Self::Logs(slot) => Shown::List(slot.iter().map(ToString::to_string).collect()),
        }
    }

    /// The type's name in the reference.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Flag(_) => "bool",
            Self::Either(..) | Self::Word(_) => "choice",
            Self::Count(..) => "count",
            Self::Size(..) | Self::Bytes(..) => "size",
            Self::Time(..) => "duration",
            Self::Share(_) | Self::Number(_) => "number",
            Self::Cap(_) => "count or share",
            Self::Address(_) => "address",
            Self::Url(_) | Self::MaybeUrl(_) => "URL",
            Self::Text(_) | Self::Prose(_) | Self::MaybeText(_) => "string",
            Self::Path(_) | Self::MaybePath(_) => "path",
            Self::Secret(_) => "secret",
            Self::Texts(_) => "list of strings",
            Self::Urls(_) => "list of URLs",
            Self::Pairs(_) => "map",
            Self::SecretPairs(_) => "map of secrets",
            Self::Keys(_) => "map of lists",
            Self::Witnesses(_) => "list of maps",
            Self::Logs(_) => "list of keys",
        }
    }

    /// What may be put in, as a phrase.
    pub(super) fn allowed(&self) -> String {
        let between = |from: String, to: String| format!("from {from} to {to}");
        match self {
            Self::Flag(_) => "true or false".to_owned(),
            Self::Either(_, words) => words.join(" or "),
            Self::Word(slot) => format!("one of {}", slot.words().join(", ")),
            Self::Count(_, range) => {
                format!("a whole number {}", between(range.start().to_string(), range.end().to_string()))
            }
            Self::Size(_, range) => {
                format!("a size {}", between(show_size(*range.start() as u64), show_size(*range.end() as u64)))
            }
            Self::Bytes(_, range) => format!("a size {}", between(show_size(*range.start()), show_size(*range.end()))),
            Self::Time(_, range) => {
                format!("a duration {}", between(show_duration(*range.start()), show_duration(*range.end())))
            }
            Self::Share(_) => "a number from 0 to 1".to_owned(),
            Self::Number(_) => "a number".to_owned(),
            Self::Cap(_) => "a whole number from 0, or a whole percentage from 1% to 100%".to_owned(),
            Self::Address(_) => "host:port, as 127.0.0.1:4317, [::1]:4317 or 0.0.0.0:0".to_owned(),
            Self::Url(_) | Self::MaybeUrl(_) => "a URL, http://host:port or https://host:port".to_owned(),
            Self::Text(_) => "a string of one line, quoted when it looks like a number".to_owned(),
            Self::Prose(_) => format!("a string of any lines, at most {}", show_size(PROSE_BYTES_MAX as u64)),
            Self::MaybeText(_) | Self::Secret(_) => "a string of one line, or nothing".to_owned(),
            Self::Path(_) | Self::MaybePath(_) => "a path".to_owned(),
            Self::Texts(_) => "a list of strings".to_owned(),
            Self::Urls(_) => "a list of URLs, http://host:port or https://host:port".to_owned(),
            Self::Pairs(_) | Self::SecretPairs(_) => "name: string pairs".to_owned(),
            Self::Keys(_) => "names of fields, each with a list of attribute keys".to_owned(),
            Self::Witnesses(_) => format!("at most {WITNESSES_MAX} entries {{url: URL, vkey: VKEY}}"),
            Self::Logs(_) => format!("a list of at most {WITNESSED_LOGS_MAX} vkeys of logs"),
        }
    }
}

/// A closed set of words.
pub(super) trait Word {
    /// Every word, in order.
    fn words(&self) -> Vec<&'static str>;
    /// The word chosen, if any.
    fn chosen(&self) -> Option<&'static str>;
    /// Chooses; `false` when there is no such word.
    fn choose(&mut self, word: &str) -> bool;
}

fn set<T>(slot: &mut T, value: Option<T>) -> bool {
    value.map(|value| *slot = value).is_some()
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// One line of text: no control characters, so nothing can break a header, a label or a log line.
fn line(value: &Value) -> Option<String> {
    text(value).filter(|text| !text.chars().any(char::is_control)).map(str::to_owned)
}

/// A text of any lines, not empty.
fn prose(value: &Value) -> Option<String> {
    let is_fit = |it: char| !it.is_control() || matches!(it, '\n' | '\t');
    let text = text(value)?.trim();
    (!text.is_empty() && text.len() <= PROSE_BYTES_MAX && text.chars().all(is_fit)).then(|| text.to_owned())
}

/// Nothing and the empty string are both "not set".
fn optional(value: &Value) -> Option<Option<String>> {
    match value {
        Value::Null => Some(None),
        _ => line(value).map(|text| Some(text).filter(|text| !text.is_empty())),
    }
}

fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Flag(flag) => Some(*flag),
        _ => text(value).and_then(|text| text.parse().ok()),
    }
}

fn number<T: std::str::FromStr>(value: &Value) -> Option<T> {
    match value {
        Value::Number(number) => number.parse().ok(),
        _ => text(value).and_then(|text| text.trim().parse().ok()),
    }
}

fn size(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => parse_size(number),
        _ => text(value).and_then(parse_size),
    }
}

fn duration(value: &Value) -> Option<Duration> {
    match value {
        Value::Number(number) => parse_duration(number),
        _ => text(value).and_then(parse_duration),
    }
}

fn cap(value: &Value) -> Option<Cap> {
    match text(value).and_then(|text| text.strip_suffix('%')) {
        Some(percent) => {
            let percent = percent.parse::<u8>().ok().filter(|percent| (1..=100).contains(percent));
            percent.map(|percent| Cap::Share(f64::from(percent) / 100.0))
        }
        None => number(value).map(Cap::Features),
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::List(items) => items.iter().map(|item| line(&item.value)).collect(),
        _ => None,
    }
}

/// `field: [key, ...]`; of one field all keys stand together.
fn keys(value: &Value) -> Option<Vec<(Field, String)>> {
    let entries = match value {
        Value::Null => return Some(Vec::new()),
        Value::Map(entries) => entries,
        _ => return None,
    };
    let mut found = Vec::new();
    for (key, item) in entries {
        let field = Field::from_name(&key.name)?;
        let keys = texts(&item.value).filter(|keys| keys.iter().all(|key| !key.is_empty()))?;
        found.extend(keys.into_iter().map(|key| (field, key)));
    }
    Some(found)
}

fn pairs(value: &Value) -> Option<Vec<(String, String)>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Map(entries) => {
            entries.iter().map(|(key, item)| line(&item.value).map(|text| (key.name.clone(), text))).collect()
        }
        _ => None,
    }
}

fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let host_fits = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        }
    };
    host_fits && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

pub(super) fn is_url(text: &str) -> bool {
    text.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    })
}
/// A URL with its user and password masked.
fn without_userinfo(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority = rest.find('/').unwrap_or(rest.len());
    match rest[..authority].rfind('@') {
        Some(at) => format!("{scheme}://{MASK}{}", &rest[at..]),
        None => url.to_owned(),
    }
}
