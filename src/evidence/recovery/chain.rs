//! The keys a log signed with, one after the other. Each hands over to the next in a leaf that both sign, so whoever
//! trusts one of them can trust what the others signed in their turn.

use crate::core::note::{Checkpoint, NoteError, VerifierKey};

/// The keys, oldest first; the last is in charge.
#[derive(Clone, Debug)]
pub(in super::super) struct Chain {
    keys: Vec<VerifierKey>,
    /// First leaf that each but the first signed alone.
    since: Vec<u64>,
}

impl Chain {
    /// A log that begins with a key.
    pub(in super::super) fn begin(origin: &str, vkey: &str) -> Result<Self, String> {
        let mut chain = Self { keys: Vec::new(), since: Vec::new() };
        chain.add(origin, vkey)?;
        Ok(chain)
    }

    /// After leaf `seq`, which says so, another key is in charge; the checkpoint of that leaf must be signed by both.
    pub(in super::super) fn rotate(&mut self, origin: &str, vkey: &str, seq: u64) -> Result<(), String> {
        if self.keys.iter().any(|key| key.to_string() == vkey) {
            return Err("a key that was in charge before".to_owned());
        }
        self.add(origin, vkey)?;
        self.since.push(seq + 1);
        Ok(())
    }

    /// The keys that must have signed the checkpoint of leaf `seq`: the one in charge, and the one it hands over to.
    pub(super) fn signers(&self, seq: u64) -> &[VerifierKey] {
        let first = self.since.partition_point(|since| *since <= seq);
        let last = first + usize::from(self.since.get(first) == Some(&(seq + 1)));
        &self.keys[first..=last]
    }

    /// The keys that were in charge before leaf `seq`, oldest first.
    pub(in super::super) fn until(&self, seq: u64) -> Vec<String> {
        let later = self.since.partition_point(|since| *since <= seq);
        self.keys[..=later].iter().map(ToString::to_string).collect()
    }

    fn add(&mut self, origin: &str, vkey: &str) -> Result<(), String> {
        let key = VerifierKey::parse(vkey).map_err(|error| error.to_string())?;
        if key.name() != origin || key.to_string() != vkey {
            return Err(format!("a key of {}", key.name()));
        }
        self.keys.push(key);
        Ok(())
    }

    /// The key in charge.
    pub(in super::super) fn current(&self) -> &VerifierKey {
        self.keys.last().expect("a chain begins with a key")
    }

    /// Whether the log signed, or signs, with this key.
    pub(in super::super) fn has(&self, key: &VerifierKey) -> bool {
        self.keys.contains(key)
    }

    /// Checks a checkpoint that any of the keys signed.
    pub(in super::super) fn open_checkpoint(&self, note: &str) -> Result<Checkpoint, NoteError> {
        let mut last = NoteError::UnknownKey(self.current().name().to_owned());
        for key in self.keys.iter().rev() {
            match key.open_checkpoint(note) {
                Err(NoteError::UnknownKey(_)) => {}
                Err(error) => last = error,
                opened => return opened,
            }
        }
        Err(last)
    }
}
