//! All tables compiled into one lookup, so that a span's attributes are visited once, with about one hash each.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::payload::KNOWN;
use super::{DIALECTS, Event, Field, Scalar, Settings, is_silent};
use crate::core::message::Json;
use crate::core::span::{List, Listed, LlmSpan};
use crate::otlp::{Attributes, Value};

/// Indexed attributes of one span at most; the rest is not read.
const LISTED_MAX: usize = 4096;

/// What keys and events mean.
#[derive(Debug)]
pub(super) struct Table {
    keys: HashMap<Box<[u8]>, Entry, FixedState>,
    lists: HashMap<&'static [u8], List, FixedState>,
    events: HashMap<&'static [u8], (Event, usize), FixedState>,
    scopes: Vec<(&'static [u8], u32)>,
    /// What to look for inside the JSON of an attribute, by [`Entry::inside`].
    inside: Vec<Vec<(Box<str>, Entry)>>,
}

/// What one attribute key means.
#[derive(Clone, Debug, Default)]
struct Entry {
    /// The field it sets in a dialect, and with which precedence.
    field: Option<(Field, u16)>,
    /// Fields it sets by the user's wish.
    own: Vec<(Field, u16)>,
    /// Its place among the feature keys.
    feature: Option<u8>,
    /// `http.route` names the server's route, but some clients put it on their calls, where it names the provider's.
    not_on_clients: bool,
    /// Dialects that only use it, as bits.
    marks: u32,
    /// Which list of paths to look for inside its value.
    inside: Option<u16>,
}

impl Table {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut table = Self {
            keys: HashMap::default(),
            lists: DIALECTS.iter().flat_map(|it| it.lists).map(|(key, list)| (key.as_bytes(), *list)).collect(),
            events: HashMap::default(),
            scopes: Vec::new(),
            inside: Vec::new(),
        };
        for ((field, key), rank) in settings.fields.iter().zip(0..KNOWN) {
            table.add(key, true, |entry| entry.own.push((*field, rank)));
        }
        let fields = DIALECTS.iter().flat_map(|it| it.fields);
        for ((key, field), rank) in fields.zip(KNOWN + 1..) {
            table.add(key, false, |entry| entry.field = entry.field.or(Some((*field, rank))));
        }
        for (key, rank) in settings.feature.iter().zip(0..=u8::MAX) {
            table.add(key, true, |entry| {
                entry.feature = entry.feature.or(Some(rank));
                entry.not_on_clients = key == "http.route";
            });
        }
        for (at, dialect) in DIALECTS.iter().enumerate() {
            dialect.marks.iter().for_each(|key| table.keys.entry(key.as_bytes().into()).or_default().marks |= 1 << at);
            table.scopes.extend(dialect.scope.map(|scope| (scope.as_bytes(), 1 << at)));
            table.events.extend(dialect.events.iter().map(|(name, event)| (name.as_bytes(), (*event, at))));
        }
        table
    }

    /// Adds a key. One of the user's, `a.b.c`, also means `b.c` inside the JSON of `a` and `c` inside that of `a.b`;
    /// `metadata.x` means `x` wherever a dialect keeps what the application added.
    fn add(&mut self, key: &str, own: bool, change: impl Fn(&mut Entry)) {
        let mut places = vec![key.to_owned()];
        if own && let Some(name) = key.strip_prefix("metadata.") {
            places.extend(DIALECTS.iter().flat_map(|it| it.metadata).map(|prefix| format!("{prefix}{name}")));
        }
        for place in places {
            change(self.keys.entry(place.as_bytes().into()).or_default());
            for (dot, _) in place.match_indices('.').filter(|_| own) {
                let holder = self.keys.entry(place.as_bytes()[..dot].into()).or_default();
                let list = *holder.inside.get_or_insert_with(|| {
                    self.inside.push(Vec::new());
                    u16::try_from(self.inside.len() - 1).unwrap_or(u16::MAX)
                });
                let Some(list) = self.inside.get_mut(usize::from(list)) else { continue };
                let path = &place[dot + 1..];
                let at = list.iter().position(|(found, _)| **found == *path).unwrap_or_else(|| {
                    list.push((path.into(), Entry::default()));
                    list.len() - 1
                });
                change(&mut list[at].1);
            }
        }
    }

    /// The dialects, as bits, whose spans have this scope.
    pub(super) fn of_scope(&self, scope: &[u8]) -> u32 {
        self.scopes.iter().filter(|(name, _)| *name == scope).fold(0, |bits, (_, bit)| bits | bit)
    }

    /// What an event of this name tells, and the place of its dialect.
    pub(super) fn event(&self, name: &[u8]) -> Option<(Event, usize)> {
        self.events.get(name).copied()
    }

    /// Reads attributes into a span. `client` tells whether they are of an outgoing call.
    pub(super) fn read<'a>(&self, attributes: Attributes<'a>, client: bool, span: &mut LlmSpan<'a>) {
        for (key, value) in attributes {
            match self.keys.get(key) {
                Some(entry) => self.apply(entry, value, client, span),
                None => self.read_listed(key, value, span),
            }
        }
    }

    #[inline]
    fn apply<'a>(&self, entry: &Entry, value: Value<'a>, client: bool, span: &mut LlmSpan<'a>) {
        if let Some((field, rank)) = entry.field {
            span.fields.set(field, rank, value);
        }
        entry.own.iter().for_each(|(field, rank)| span.fields.set(*field, *rank, value));
        span.dialects.0 |= entry.marks;
        if let Some(rank) = entry.feature
            && span.feature.is_none_or(|(best, _)| rank < best)
            && !(client && entry.not_on_clients)
            && let Some(Scalar::Text(text)) = Scalar::of(value)
            && !text.trim().is_empty()
        {
            span.feature = Some((rank, text.trim()));
        }
        if let Some(paths) = entry.inside.and_then(|list| self.inside.get(usize::from(list))) {
            for (path, entry) in paths {
                if let Some(found) = dig(value, path) {
                    self.apply(entry, found, client, span);
                }
            }
        }
    }

    fn read_listed<'a>(&self, key: &'a [u8], value: Value<'a>, span: &mut LlmSpan<'a>) {
        if span.listed.len() >= LISTED_MAX {
            return;
        }
        let found = match split_index(key) {
            Some((prefix, index, path)) => self.lists.get(prefix).map(|list| (*list, index, path)),
            // `gen_ai.prompt.component.<name>.version`
            None => key
                .strip_prefix(b"gen_ai.prompt.component.")
                .and_then(|rest| rest.strip_suffix(b".version"))
                .map(|name| (List::Components, 0, name)),
        };
        if let Some((list, index, path)) = found
            && let Ok(path) = std::str::from_utf8(path)
        {
            span.listed.push(Listed { list, index, path, value });
        }
    }
}

/// The scalar under a dotted path inside a JSON text or a map.
fn dig<'a>(value: Value<'a>, path: &str) -> Option<Value<'a>> {
    match value {
        Value::Str(bytes) if bytes.starts_with(b"{") && !is_silent(bytes) => {
            dig_json(Json::new(std::str::from_utf8(bytes).ok()?), path)
        }
        Value::KvList(entries) => entries.into_iter().find_map(|(key, value)| {
            let key = std::str::from_utf8(key).ok()?;
            match path.strip_prefix(key)? {
                "" => Some(value),
                rest => dig(value, rest.strip_prefix('.')?),
            }
        }),
        _ => None,
    }
}

fn dig_json<'a>(json: Json<'a>, path: &str) -> Option<Value<'a>> {
    json.entries().into_iter().find_map(|(key, value)| match path.strip_prefix(&*key)? {
        "" => value.scalar().map(Value::from),
        rest => dig_json(value, rest.strip_prefix('.')?),
    })
}

/// `llm.input_messages.0.message.role` into prefix, 0, `message.role`.
pub(super) fn split_index(key: &[u8]) -> Option<(&[u8], u32, &[u8])> {
    let dot = key.windows(2).position(|pair| pair[0] == b'.' && pair[1].is_ascii_digit())?;
    let rest = key.get(dot + 1..)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let index = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let path = rest[digits..].strip_prefix(b".")?;
    Some((&key[..dot], index, path))
}
