//! The cases that every verifier judges: proofs and checkpoints of three logs, half of them valid, half forged (see
//! [`forge`]).
//!
//! A case is three byte strings: the verifier key, the document, and what the document is about.
//!
//! | kind | document | about |
//! |---|---|---|
//! | `checkpoint` | signed checkpoint | nothing |
//! | `inclusion` | tlog-proof | the leaf |
//! | `consistency` | `old N`, the path, an empty line, a signed checkpoint | the older signed checkpoint |
//!
//! The document of the last kind is the body of C2SP tlog-witness's `add-checkpoint`.
//!
//! The corpus is text, a case a line: `id class expected kind key document about`, the last three in base64 or `-` when
//! empty. The same seed gives the same corpus.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey};
use freezeframe::core::merkle::{Hash, Tree, leaf_hash};
use freezeframe::core::note::{Checkpoint, Signer, base64};
use freezeframe::core::proof::TlogProof;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::forge;

/// Largest tree; its prefixes are all the others.
pub(crate) const LEAVES: u64 = 65_537;
/// Two keys of [`MAIN`] with one key id, found by trying 110,000.
pub(crate) const COLLIDING: [u32; 2] = [90_033, 109_378];
/// The log most cases are about.
pub(crate) const MAIN: &str = "example.com/log";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Checkpoint,
    Inclusion,
    Consistency,
}

/// What the way a case was made says about the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Accept,
    Reject,
    /// It depends on where chance struck; the verifiers must still agree.
    Either,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) class: &'static str,
    pub(crate) expected: Expected,
    pub(crate) kind: Kind,
    pub(crate) vkey: Vec<u8>,
    pub(crate) document: Vec<u8>,
    pub(crate) about: Vec<u8>,
}

/// The line of the corpus, without the id.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = match self.expected {
            Expected::Accept => "accept",
            Expected::Reject => "reject",
            Expected::Either => "either",
        };
        let kind = format!("{:?}", self.kind).to_lowercase();
        let field = |bytes: &[u8]| if bytes.is_empty() { "-".into() } else { base64(bytes) };
        let [vkey, document, about] = [&self.vkey, &self.document, &self.about].map(|it| field(it));
        write!(f, "{} {expected} {kind} {vkey} {document} {about}", self.class)
    }
}

/// A key by number: numbers are all that has to be remembered of it.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    seed: [u8; 32],
}

impl Key {
    pub(crate) fn new(name: &str, number: u32) -> Self {
        let mut seed = [0; 32];
        seed.chunks_mut(4).for_each(|chunk| chunk.copy_from_slice(&number.to_be_bytes()));
        Self { name: name.into(), seed }
    }

    pub(crate) fn signer(&self) -> Signer {
        Signer::from_seed(&self.name, &self.seed).unwrap()
    }

    pub(crate) fn vkey(&self) -> String {
        self.signer().verifier().to_string()
    }

    /// The key id as in a signature line.
    pub(crate) fn id(&self) -> [u8; 4] {
        let vkey = self.vkey();
        let hex = vkey[self.name.len() + 1..].split('+').next().unwrap();
        u32::from_str_radix(hex, 16).unwrap().to_be_bytes()
    }

    /// The signature of any text, with this key id.
    pub(crate) fn sign(&self, text: &str, id: [u8; 4]) -> String {
        let signature = SigningKey::from_bytes(&self.seed).sign(text.as_bytes()).to_bytes();
        format!("\u{2014} {} {}", self.name, base64(&[&id[..], &signature].concat()))
    }
}

/// A log: its key, its tree, and how its leaves differ from another's.
pub(crate) struct Log {
    pub(crate) key: Key,
    pub(crate) tree: Tree,
    tag: &'static str,
}

impl Log {
    fn new(key: Key, tag: &'static str, leaves: u64) -> Self {
        let mut log = Self { key, tree: Tree::default(), tag };
        (0..leaves).for_each(|index| log.tree.push(leaf_hash(&log.leaf(index))));
        log
    }

    /// Empty, text, binary, and as long as a node's input.
    pub(crate) fn leaf(&self, index: u64) -> Vec<u8> {
        let text = format!("{{\"origin\":\"{}\",\"seq\":{index},\"tag\":\"{}\"}}", self.key.name, self.tag);
        match index % 7 {
            3 => Vec::new(),
            4 => format!("{text}\n\n").into_bytes(),
            5 => [&[0, 1, 0xff, 0xc0][..], text.as_bytes()].concat(),
            6 => [leaf_hash(text.as_bytes()), leaf_hash(b"")].concat(),
            _ => text.into_bytes(),
        }
    }

    pub(crate) fn root(&self, size: u64) -> Hash {
        self.tree.root_at(size).unwrap()
    }

    pub(crate) fn checkpoint(&self, size: u64) -> String {
        self.key.signer().sign_checkpoint(size, self.root(size))
    }
}

/// The logs.
pub(crate) struct World {
    pub(crate) main: Log,
    /// The same key, another history.
    pub(crate) fork: Log,
    /// Another log, whose name isn't ASCII.
    pub(crate) foreign: Log,
}

impl World {
    pub(crate) fn new() -> Self {
        let main = Key::new(MAIN, COLLIDING[0]);
        Self {
            fork: Log::new(main.clone(), "fork", 1025),
            main: Log::new(main, "main", LEAVES),
            foreign: Log::new(
                Key::new("\u{436}\u{443}\u{440}\u{43d}\u{430}\u{43b}.example/\u{30ed}\u{30b0}", 7),
                "foreign",
                LEAVES,
            ),
        }
    }

    /// A tree size for a case that's about something else: all sizes, with a taste for edges.
    pub(crate) fn size(rng: &mut StdRng) -> u64 {
        match rng.random_range(0..10) {
            0 | 1 => rng.random_range(1..10),
            2 => rng.random_range(65_535..=LEAVES),
            3 => (1 << rng.random_range(1..=10)) + rng.random_range(0..=1),
            _ => rng.random_range(1..=1025),
        }
    }
}

/// The parts of a document, which is still valid and can be forged part by part.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) kind: Kind,
    pub(crate) key: Key,
    pub(crate) vkey: String,
    /// Lines before the path.
    pub(crate) head: Vec<String>,
    pub(crate) path: Vec<String>,
    /// The checkpoint without signatures.
    pub(crate) text: String,
    /// Signature lines, among them that of `key` at `own`.
    pub(crate) lines: Vec<String>,
    pub(crate) own: usize,
    pub(crate) about: Vec<u8>,
    pub(crate) index: u64,
    pub(crate) size: u64,
}

impl Recipe {
    /// A checkpoint, a proof of inclusion for one of seven classes of indexes, or one of consistency with an older size
    /// of these classes.
    pub(crate) fn new(log: &Log, kind: Kind, size: u64, class: u64, rng: &mut StdRng) -> Self {
        let largest = 1 << size.ilog2();
        let index = match class % 7 {
            0 => 0,
            1 => size - 1,
            2 => size / 2,
            3 => largest - 1,
            4 => largest.min(size - 1),
            5 => (size - (1 << size.trailing_zeros())).min(size - 1),
            _ => rng.random_range(0..size),
        };
        let old = index + 1;
        let note = log.checkpoint(size);
        let (text, line) = note.split_once("\n\n").unwrap();
        let (head, path, about) = match kind {
            Kind::Checkpoint => (vec![], vec![], vec![]),
            Kind::Inclusion => {
                let path = log.tree.inclusion_proof(index, size).unwrap();
                let proof = TlogProof { index, path: path.clone(), checkpoint: note.clone() }.to_string();
                (proof.lines().take(2).map(str::to_owned).collect(), path, log.leaf(index))
            }
            Kind::Consistency => {
                let path = log.tree.consistency_proof(old, size).unwrap();
                (vec![format!("old {old}")], path, log.checkpoint(old).into_bytes())
            }
        };
        let path = path.iter().map(|hash| base64(hash)).collect();
        let (key, vkey) = (log.key.clone(), log.key.vkey());
        let (text, lines) = (format!("{text}\n"), vec![line.trim_end().to_owned()]);
        Self { kind, key, vkey, head, path, text, lines, own: 0, about, index, size }
    }

    /// Adds signatures of keys that the verifier does not know, around its own.
    pub(crate) fn cosign(&mut self, count: usize, rng: &mut StdRng) {
        for number in 0..count {
            let name = if number % 3 == 2 { self.key.name.clone() } else { format!("witness.example/{number}") };
            let key = Key::new(&name, 1_000_000 + u32::try_from(number).unwrap());
            let at = rng.random_range(0..=self.lines.len());
            self.own += usize::from(at <= self.own);
            self.lines.insert(at, key.sign(&self.text, key.id()));
        }
    }

    /// Signs the text as it is now, as `key` and with its id.
    pub(crate) fn sign_again(&mut self) {
        self.lines[self.own] = self.key.sign(&self.text, self.key.id());
    }

    /// Adds a signature line anywhere.
    pub(crate) fn insert_line(&mut self, line: &str, rng: &mut StdRng) {
        self.lines.insert(rng.random_range(0..=self.lines.len()), line.into());
    }

    /// Replaces a line of the checkpoint, without signing it.
    pub(crate) fn set_line(&mut self, number: usize, line: &str) {
        let mut lines: Vec<&str> = self.text.split('\n').collect();
        lines[number] = line;
        self.text = lines.join("\n");
    }

    pub(crate) fn case(&self, class: &'static str, expected: Expected) -> Case {
        let mut document = String::new();
        if self.kind != Kind::Checkpoint {
            self.head.iter().chain(&self.path).for_each(|line| document += &format!("{line}\n"));
            document.push('\n');
        }
        document += &format!("{}\n", self.text);
        self.lines.iter().for_each(|line| document += &format!("{line}\n"));
        let (vkey, document) = (self.vkey.clone().into_bytes(), document.into_bytes());
        Case { class, expected, kind: self.kind, vkey, document, about: self.about.clone() }
    }
}

/// The corpus: every other case is valid, the rest takes turns at the ways to forge one.
pub(crate) fn corpus(world: &World, cases: usize, seed: u64) -> Vec<Case> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..cases as u64)
        .map(|number| {
            if number % 2 == 0 {
                valid(world, number / 2, &mut rng)
            } else {
                forge::forged(world, number / 2, &mut rng)
            }
        })
        .collect()
}

/// The valid case of this number. 5,140 of them are every size from 1 to 1,025 and around 65,536 five times: three proofs
/// of inclusion, a proof of consistency and a checkpoint.
fn valid(world: &World, number: u64, rng: &mut StdRng) -> Case {
    // Prime to the number of sizes, so that the first few cases are a mixture already.
    let (round, size) = (number / 1028, number * 411 % 1028 + 1);
    let size = if size > 1025 { size - 1026 + LEAVES - 2 } else { size };
    let kind = match (number + round) % 5 {
        0..3 => Kind::Inclusion,
        3 => Kind::Consistency,
        _ => Kind::Checkpoint,
    };
    let log = if rng.random_ratio(1, 4) { &world.foreign } else { &world.main };
    let mut recipe = Recipe::new(log, kind, size, number, rng);
    let cosigners = *[0, 0, 0, 1, 3, 15].choose(rng).unwrap();
    recipe.cosign(cosigners, rng);
    recipe.case("valid", Expected::Accept)
}

/// The text of a checkpoint that says what was measured; used by forgers.
pub(crate) fn checkpoint_text(origin: &str, size: u64, root: Hash) -> String {
    Checkpoint { origin: origin.into(), size, root }.to_string()
}
