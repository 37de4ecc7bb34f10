//! Digests of bytes that repeat on every call: system parts, tool definitions, resources. Each is computed once and
//! then found by its bytes, which costs a hash and a comparison.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use sha2::{Digest, Sha256};

use super::record::Origin;
use crate::core::message::{Json, cut, instructions};
use crate::core::request::ToolSchema;
use crate::core::schema;

/// Bytes of keys in one table at most; a full table is emptied.
const BYTES_MAX: usize = 1024 * 1024;

/// Tools of one definition at most.
const TOOLS_MAX: usize = 256;

/// A system part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct System {
    /// As rendered, cut at the content limit.
    pub(super) text: Box<str>,
    /// SHA-256 of all of it, normalised.
    pub(super) sha256: [u8; 32],
}

/// What was computed before.
#[derive(Debug, Default)]
pub(super) struct Memo {
    instructions: Table<Option<Arc<str>>>,
    systems: Table<Arc<System>>,
    tools: Table<Arc<[ToolSchema]>>,
    origins: Table<Arc<Origin>>,
}

impl Memo {
    /// The text of a system part sent apart from the messages, from its JSON.
    pub(super) fn instructions(&mut self, json: &str) -> Option<Arc<str>> {
        self.instructions.get(json.as_bytes(), || instructions(Json::new(json)).map(Into::into))
    }

    /// The digest of a system part: trimmed, with `\n` as the only line end.
    pub(super) fn system(&mut self, text: &str, bytes_max: usize) -> Arc<System> {
        self.systems.get(text.as_bytes(), || {
            let normalised = text.trim().replace("\r\n", "\n").replace('\r', "\n");
            let sha256 = Sha256::digest(normalised.as_bytes()).into();
            Arc::new(System { text: cut(&normalised, bytes_max).into(), sha256 })
        })
    }

    /// The schemas in a JSON text of tool definitions; the digest is of all of a schema, its text is cut at the limit.
    pub(super) fn tools(&mut self, json: &str, bytes_max: usize) -> Arc<[ToolSchema]> {
        self.tools.get(json.as_bytes(), || {
            let mut tools = schema::schemas(json);
            tools.truncate(TOOLS_MAX);
            for tool in tools.iter_mut().filter(|tool| tool.json.len() > bytes_max) {
                tool.json = cut(&tool.json, bytes_max).into();
            }
            tools.into()
        })
    }

    /// What a resource says.
    pub(super) fn origin(&mut self, resource: &[u8], read: impl FnOnce() -> Origin) -> Arc<Origin> {
        self.origins.get(resource, || Arc::new(read()))
    }
}

#[derive(Debug)]
struct Table<V> {
    found: HashMap<Box<[u8]>, V, FixedState>,
    bytes: usize,
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self { found: HashMap::default(), bytes: 0 }
    }
}

impl<V: Clone> Table<V> {
    fn get(&mut self, key: &[u8], compute: impl FnOnce() -> V) -> V {
        if let Some(value) = self.found.get(key) {
            return value.clone();
        }
        let value = compute();
        let cost = key.len() + 128;
        if self.bytes + cost > BYTES_MAX {
            self.found.clear();
            self.bytes = 0;
        }
        if cost <= BYTES_MAX {
            self.bytes += cost;
            self.found.insert(key.into(), value.clone());
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that the identity of a system part ignores what a renderer changes by accident, and nothing else.
    #[test]
    fn system_identity_ignores_line_ends_and_margins() {
        let mut memo = Memo::default();
        let one = memo.system("You help.\nBe kind.", 100).sha256;
        assert_eq!(memo.system("  You help.\r\nBe kind.\n", 100).sha256, one);
        assert_eq!(memo.system("You help.\nBe kind.", 3).sha256, one, "cutting does not change the identity");
        assert_ne!(memo.system("You help.\nBe kind!", 100).sha256, one);
    }

    /// Proves that the table stays within its limit whatever it is asked.
    #[test]
    fn a_full_table_starts_over() {
        let mut table = Table::default();
        for n in 0..20_000u32 {
            assert_eq!(table.get(&n.to_le_bytes(), || n), n);
            assert!(table.bytes <= BYTES_MAX && table.found.len() <= BYTES_MAX / 128);
        }
        assert_eq!(table.get(&vec![0; 2 * BYTES_MAX], || 7), 7);
    }
}
