//! The ways to forge or damage a case: [`FORGERIES`] change a part of a document that is otherwise well made, often
//! signing again with the right key so that nothing but the rule in question can refuse it; [`DAMAGE`] changes bytes anywhere.

use freezeframe::core::merkle::{Hash, empty_root, leaf_hash};
use freezeframe::core::note::base64;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::{IndexedMutRandom as _, IndexedRandom as _};

use super::corpus::Expected::{self, Accept, Either, Reject};
use super::corpus::Kind::{self, Checkpoint, Consistency, Inclusion};
use super::corpus::{COLLIDING, Case, Key, LEAVES, Log, MAIN, Recipe, World, checkpoint_text};

const ALL: &[Kind] = &[Checkpoint, Inclusion, Consistency];
const PROOFS: &[Kind] = &[Inclusion, Consistency];
const IN: &[Kind] = &[Inclusion];
const CON: &[Kind] = &[Consistency];
const POINT: &[Kind] = &[Checkpoint];

/// Name, expected verdict, kinds it applies to, the change.
type Forgery = (&'static str, Expected, &'static [Kind], fn(&mut Recipe, &World, &mut StdRng));
/// Name, the change.
type Damage = (&'static str, fn(&mut Vec<u8>, &mut StdRng));

/// Spellings of a number that are none, made of its decimal digits.
const SPELLINGS: [fn(&str) -> String; 9] = [
    |n| format!("0{n}"),
    |n| format!("+{n}"),
    |n| format!(" {n}"),
    |n| format!("{n} "),
    |n| format!("-{n}"),
    |n| format!("{n}.0"),
    |n| format!("0x{n}"),
    |n| format!("{n}_0"),
    |n| n.chars().filter_map(|digit| char::from_u32(0xff10 + digit.to_digit(10)?)).collect(),
];
/// Around the limits of signed and unsigned 64 bits, and beyond.
const HUGE: [&str; 7] = [
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "18446744073709551617",
    "100000000000000000000000000000",
    "999999999999999999",
];
/// Version lines that are not ours.
const VERSIONS: [&str; 4] = ["c2sp.org/tlog-proof@v2", "c2sp.org/tlog-proof@v1 ", "", "C2SP.org/tlog-proof@v1"];
/// Signature lines that make a note malformed.
const BAD_LINES: [&str; 12] = [
    "\u{2014} witness AAAAAA==",
    "\u{2014} witness AAAAAAB=",
    "\u{2014} witness AAAAAAA",
    "\u{2014} witness AAAAAAA= ",
    "\u{2014}  AAAAAAA=",
    "\u{2014} witness",
    "\u{2014} wit+ness AAAAAAA=",
    "\u{2014} wit\u{a0}ness AAAAAAA=",
    "\u{2014} wit\u{2003}ness AAAAAAA=",
    "\u{2014} wit\u{7f}ness AAAAAAA=",
    "\u{2013} witness AAAAAAA=",
    "witness AAAAAAA=",
];
/// A signature with the identity for its R, made by the holder of the first of [`COLLIDING`] for a checkpoint of size
/// one and root zero: it satisfies the equation, but strict Ed25519 refuses it.
const IDENTITY_S: &str = "10cba15e66dddaf75970e34e4e5fb164a1195f5b10f490aff76a46be57de790a";

#[rustfmt::skip]
const FORGERIES: [Forgery; 54] = [
    ("index-other", Reject, IN, |it, _, rng| it.head[1] = format!("index {}", other(it.index, it.size + 2, rng))),
    ("index-spelling", Reject, IN, |it, _, rng| it.head[1] = format!("index {}", spell(it.index, rng))),
    ("index-huge", Reject, IN, |it, _, rng| it.head[1] = format!("index {}", HUGE.choose(rng).unwrap())),
    ("size-unsigned", Reject, ALL, |it, _, rng| it.set_line(1, &other(it.size, it.size + 9, rng).to_string())),
    ("size-signed", Either, ALL, |it, _, rng| { it.set_line(1, &other(it.size, it.size * 2 + 2, rng).to_string()); it.sign_again(); }),
    ("size-spelling", Reject, ALL, |it, _, rng| { it.set_line(1, &spell(it.size, rng)); it.sign_again(); }),
    ("size-huge", Either, ALL, |it, _, rng| { it.set_line(1, HUGE.choose(rng).unwrap()); it.sign_again(); }),
    ("root-unsigned", Reject, ALL, |it, _, rng| it.set_line(2, &random_hash(rng))),
    ("root-signed", Reject, PROOFS, |it, _, rng| { it.set_line(2, &random_hash(rng)); it.sign_again(); }),
    ("root-short", Reject, ALL, |it, _, rng| { it.set_line(2, &base64(&rng.random::<[u8; 31]>())); it.sign_again(); }),
    ("root-spare-bits", Reject, ALL, |it, _, _| { it.set_line(2, &spare_bits(it.text.split('\n').nth(2).unwrap())); it.sign_again(); }),
    ("origin-other", Reject, ALL, |it, _, _| { it.set_line(0, "example.com/other"); it.sign_again(); }),
    ("origin-empty", Reject, ALL, |it, _, _| { it.set_line(0, ""); it.sign_again(); }),
    ("extension-line", Reject, ALL, |it, _, _| { it.text += "extension\n"; it.sign_again(); }),
    ("empty-line", Reject, ALL, |it, _, rng| edit_text(it, |all| all.insert(rng.random_range(0..4), ""))),
    ("line-missing", Reject, ALL, |it, _, rng| edit_text(it, |all| { all.remove(rng.random_range(0..3)); })),
    ("version-other", Reject, IN, |it, _, rng| it.head[0] = (*VERSIONS.choose(rng).unwrap()).into()),
    ("extra-line", Reject, IN, |it, _, rng| it.head.insert(rng.random_range(1..3), "extra QQ==".into())),
    ("head-line-missing", Reject, PROOFS, |it, _, rng| drop(it.head.remove(rng.random_range(0..it.head.len())))),
    ("path-of-other-index", Reject, IN, path_of_other_index),
    ("path-of-other-log", Reject, PROOFS, |it, world, rng| it.path = Recipe::new(&world.fork, it.kind, it.size.min(1025), 2, rng).path),
    ("path-shorter", Reject, PROOFS, |it, _, rng| if !it.path.is_empty() { it.path.remove(rng.random_range(0..it.path.len())); }),
    ("path-longer", Reject, PROOFS, |it, _, rng| it.path.insert(rng.random_range(0..=it.path.len()), random_hash(rng))),
    ("path-too-long", Reject, PROOFS, |it, _, rng| it.path.resize(65, random_hash(rng))),
    ("path-order", Reject, PROOFS, |it, _, _| it.path.reverse()),
    ("path-short-hash", Reject, PROOFS, |it, _, rng| it.path.insert(rng.random_range(0..=it.path.len()), base64(&rng.random::<[u8; 33]>()))),
    ("path-spare-bits", Reject, PROOFS, |it, _, rng| if let Some(hash) = it.path.choose_mut(rng) { *hash = spare_bits(hash); }),
    ("leaf-other", Reject, IN, |it, world, rng| it.about = world.fork.leaf([0, 1, 2, 4, 5].choose(rng).unwrap() + 7 * (it.index / 7))),
    ("leaf-as-its-hash", Reject, IN, |it, _, _| it.about = leaf_hash(&it.about).to_vec()),
    ("node-as-leaf", Reject, IN, node_as_leaf),
    ("checkpoint-of-other-log", Reject, ALL, |it, world, rng| checkpoint_of(it, of_other_name(it, world), rng)),
    ("checkpoint-of-fork", Either, ALL, |it, world, rng| checkpoint_of(it, &world.fork, rng)),
    ("older-of-fork", Reject, CON, |it, world, _| it.about = world.fork.checkpoint((it.index + 1).min(1025)).into_bytes()),
    ("older-of-other-log", Reject, CON, |it, world, _| it.about = of_other_name(it, world).checkpoint(it.index + 1).into_bytes()),
    ("older-size-other", Reject, CON, |it, _, rng| it.head[0] = format!("old {}", other(it.index + 1, it.size, rng))),
    ("older-size-spelling", Reject, CON, |it, _, rng| it.head[0] = format!("old {}", spell(it.index + 1, rng))),
    ("older-is-newer", Reject, CON, older_is_newer),
    ("older-is-empty", Accept, CON, |it, _, _| older_is_empty(it, empty_root(), vec![])),
    ("older-is-empty-root", Reject, CON, |it, _, rng| older_is_empty(it, rng.random(), vec![])),
    ("older-is-empty-path", Reject, CON, |it, _, rng| older_is_empty(it, empty_root(), vec![random_hash(rng)])),
    ("key-other", Reject, ALL, |it, _, _| it.vkey = Key::new(&it.key.name, 99).vkey()),
    ("key-renamed", Reject, ALL, |it, _, rng| it.vkey = it.vkey.replacen(*["e", ".", "/"].choose(rng).unwrap(), "x", 1)),
    ("key-uppercase", Reject, ALL, |it, _, _| it.vkey = uppercase_id(&it.vkey)),
    ("key-newline", Accept, ALL, |it, _, _| it.vkey.push('\n')),
    ("key-newlines", Reject, ALL, |it, _, _| it.vkey.push_str("\n\n")),
    ("key-weak", Reject, ALL, weak_key),
    ("signature-by-other-key", Reject, ALL, |it, _, _| { it.key = Key::new(&it.key.name, 99); it.sign_again(); }),
    ("signature-with-stolen-id", Reject, ALL, |it, _, _| it.lines[it.own] = Key::new(&it.key.name, 99).sign(&it.text, it.key.id())),
    ("signature-of-colliding-key", Reject, ALL, |it, _, _| it.lines[it.own] = colliding(it)),
    ("signature-twice", Reject, ALL, two_signatures),
    ("signature-identity", Reject, POINT, identity_r),
    ("signatures-80", Accept, ALL, |it, _, rng| it.cosign(80 - it.lines.len(), rng)),
    ("signatures-81", Reject, ALL, |it, _, rng| it.cosign(81 - it.lines.len(), rng)),
    ("signature-line-bad", Reject, ALL, |it, _, rng| it.insert_line(BAD_LINES.choose(rng).unwrap(), rng)),
];

#[rustfmt::skip]
const DAMAGE: [Damage; 28] = [
    ("bit-flip", |it, rng| flip(it, rng)),
    ("bit-flip", |it, rng| flip(it, rng)),
    ("bit-flip", |it, rng| flip(it, rng)),
    ("bit-flip", |it, rng| flip(it, rng)),
    ("bit-flips", |it, rng| (0..rng.random_range(2..9)).for_each(|_| flip(it, rng))),
    ("byte-replaced", |it, rng| { let at = rng.random_range(0..it.len()); it[at] = rng.random(); }),
    ("byte-inserted", |it, rng| it.insert(rng.random_range(0..=it.len()), rng.random())),
    ("byte-deleted", |it, rng| { it.remove(rng.random_range(0..it.len())); }),
    ("truncated", |it, rng| it.truncate(rng.random_range(0..it.len()))),
    ("truncated", |it, rng| it.truncate(rng.random_range(0..it.len()))),
    ("beheaded", |it, rng| { it.drain(..rng.random_range(1..=it.len())); }),
    ("lines-swapped", swap_lines),
    ("line-dropped", |it, rng| lines(it, |all| { all.remove(rng.random_range(0..all.len())); })),
    ("line-duplicated", |it, rng| lines(it, |all| { let at = rng.random_range(0..all.len()); all.insert(at, all[at].clone()); })),
    ("trailing-bytes", |it, rng| (0..rng.random_range(1..5)).for_each(|_| it.push(rng.random()))),
    ("trailing-newline", |it, _| it.push(b'\n')),
    ("no-final-newline", |it, _| if it.last() == Some(&b'\n') { it.pop(); }),
    ("crlf", |it, _| replace(it, "\n", "\r\n")),
    ("cr", |it, rng| lines(it, |all| { let at = rng.random_range(0..all.len()); all[at].push(b'\r'); })),
    ("trailing-space", |it, rng| lines(it, |all| { let at = rng.random_range(0..all.len()); all[at].push(b' '); })),
    ("leading", |it, rng| { it.splice(0..0, ["\u{feff}", " ", "\n", "\t", "\0"].choose(rng).unwrap().bytes()); }),
    ("control-inserted", |it, rng| it.insert(rng.random_range(0..=it.len()), *[0, 9, 11, 13, 27, 31, 127].choose(rng).unwrap())),
    ("dash", |it, rng| replace(it, "\u{2014}", ["-", "\u{2013}", "\u{2012}", "\u{2015}", "\u{2212}", "--", ""].choose(rng).unwrap())),
    ("space", |it, rng| replace(it, " ", ["\u{a0}", "\u{2003}", "  ", "\t", "", "\u{3000}"].choose(rng).unwrap())),
    ("base64-unpadded", |it, _| replace(it, "=", "")),
    ("base64-url", |it, _| { replace(it, "/", "_"); replace(it, "+", "-"); }),
    ("base64-spare-bits", spare_bits_of_a_line),
    ("utf8-broken", |it, rng| it.insert(rng.random_range(0..=it.len()), *[0x80, 0xc0, 0xed, 0xff].choose(rng).unwrap())),
];

/// The forged case of this number.
pub(crate) fn forged(world: &World, number: u64, rng: &mut StdRng) -> Case {
    let ways = FORGERIES.len() + DAMAGE.len();
    // Prime to the number of ways, so that the first few cases are a mixture already.
    let way = usize::try_from(number).unwrap() * 37 % ways;
    let kinds = FORGERIES.get(way).map_or(ALL, |forgery| forgery.2);
    let kind = *kinds.choose(rng).unwrap();
    let log = if rng.random_ratio(1, 4) { &world.foreign } else { &world.main };
    let mut recipe = Recipe::new(log, kind, World::size(rng), rng.random_range(0..7), rng);
    let cosigners = *[0, 0, 0, 1, 3].choose(rng).unwrap();
    recipe.cosign(cosigners, rng);
    let before = recipe.case("unchanged", Accept);
    let after = match FORGERIES.get(way) {
        Some((class, expected, _, forge)) => {
            forge(&mut recipe, world, rng);
            recipe.case(class, *expected)
        }
        None => damaged(&before, DAMAGE[way - FORGERIES.len()], cosigners > 0, rng),
    };
    if (&after.vkey, &after.document, &after.about) == (&before.vkey, &before.document, &before.about) {
        before
    } else {
        after
    }
}

/// Damages mostly the document, sometimes the key or what the document is about.
fn damaged(before: &Case, (class, damage): Damage, is_cosigned: bool, rng: &mut StdRng) -> Case {
    let mut case = Case { class, expected: Reject, ..before.clone() };
    let field = match rng.random_range(0..8) {
        0 => &mut case.vkey,
        1 | 2 if !case.about.is_empty() => &mut case.about,
        _ => {
            // Damage to a signature nobody asked about is none.
            case.expected = if is_cosigned { Either } else { Reject };
            &mut case.document
        }
    };
    damage(field, rng);
    if case.vkey.strip_suffix(b"\n") == Some(&before.vkey) {
        case.expected = Accept;
    }
    case
}

fn flip(bytes: &mut [u8], rng: &mut StdRng) {
    let at = rng.random_range(0..bytes.len());
    bytes[at] ^= 1 << rng.random_range(0..8);
}

/// Changes the list of lines; what follows the last newline is a line, too, unless it's empty.
fn lines(bytes: &mut Vec<u8>, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let is_ended = bytes.last() == Some(&b'\n');
    let end = bytes.len() - usize::from(is_ended);
    let mut all: Vec<Vec<u8>> = bytes[..end].split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    change(&mut all);
    *bytes = all.join(&b'\n');
    if is_ended {
        bytes.push(b'\n');
    }
}

/// Replaces all of a text; other bytes than text are left alone.
fn replace(bytes: &mut Vec<u8>, from: &str, to: &str) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        *bytes = text.replace(from, to).into_bytes();
    }
}

/// The same bytes for a careless decoder: sets the lowest spare bit before the padding that ends a text.
fn spare_bits(text: &str) -> String {
    let body = text.trim_end_matches('=');
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let value = body.bytes().last().and_then(|last| alphabet.iter().position(|byte| *byte == last));
    match value {
        Some(value) if body.len() < text.len() => {
            format!("{}{}{}", &body[..body.len() - 1], char::from(alphabet[value ^ 1]), &text[body.len()..])
        }
        _ => text.into(),
    }
}

fn swap_lines(bytes: &mut Vec<u8>, rng: &mut StdRng) {
    lines(bytes, |all| {
        let (one, other) = (rng.random_range(0..all.len()), rng.random_range(0..all.len()));
        all.swap(one, other);
    });
}

fn spare_bits_of_a_line(bytes: &mut Vec<u8>, rng: &mut StdRng) {
    lines(bytes, |all| {
        let at = rng.random_range(0..all.len());
        all[at] = spare_bits(&String::from_utf8_lossy(&all[at])).into_bytes();
    });
}

fn spell(number: u64, rng: &mut StdRng) -> String {
    SPELLINGS.choose(rng).unwrap()(&number.to_string())
}

/// Another number up to `max`, mostly near.
fn other(number: u64, max: u64, rng: &mut StdRng) -> u64 {
    let near = if rng.random() { number + 1 } else { number.saturating_sub(1) };
    let other = if rng.random_ratio(1, 3) { rng.random_range(0..=max) } else { near };
    if other == number { number + 1 } else { other }
}

fn random_hash(rng: &mut StdRng) -> String {
    base64(&rng.random::<[u8; 32]>())
}

/// Changes the lines of the checkpoint, the empty one after the last newline included, and signs the result.
fn edit_text(it: &mut Recipe, change: impl FnOnce(&mut Vec<&str>)) {
    let text = it.text.clone();
    let mut lines = text.split('\n').collect();
    change(&mut lines);
    it.text = lines.join("\n");
    it.sign_again();
}

/// The log that this is not about.
fn of_other_name<'a>(it: &Recipe, world: &'a World) -> &'a Log {
    if it.key.name == MAIN { &world.foreign } else { &world.main }
}

fn checkpoint_of(it: &mut Recipe, log: &Log, rng: &mut StdRng) {
    let theirs = Recipe::new(log, it.kind, it.size.min(log.tree.size()), 0, rng);
    (it.text, it.lines) = (theirs.text, theirs.lines);
}

fn path_of_other_index(it: &mut Recipe, world: &World, rng: &mut StdRng) {
    let index = other(it.index, it.size, rng) % it.size;
    if index != it.index {
        let path = world.main.tree.inclusion_proof(index, it.size).unwrap();
        it.path = path.iter().map(|hash| base64(hash)).collect();
    }
}

/// A larger tree as the older; at the largest there is, the same tree with a path to itself.
fn older_is_newer(it: &mut Recipe, world: &World, rng: &mut StdRng) {
    let log = if it.key.name == MAIN { &world.main } else { &world.foreign };
    let old = (it.size + 1).min(LEAVES);
    it.head[0] = format!("old {old}");
    it.about = log.checkpoint(old).into_bytes();
    if old == it.size {
        it.path = vec![random_hash(rng)];
    }
}

fn older_is_empty(it: &mut Recipe, root: Hash, path: Vec<String>) {
    it.head[0] = "old 0".into();
    it.path = path;
    it.about = it.key.signer().sign_checkpoint(0, root).into_bytes();
}

fn uppercase_id(vkey: &str) -> String {
    let (name, rest) = vkey.split_once('+').unwrap();
    format!("{name}+{}{}", rest[..8].to_uppercase(), &rest[8..])
}

/// A signature by the key that has the id of the main log's; by any other key for another log.
fn colliding(recipe: &Recipe) -> String {
    let key = Key::new(&recipe.key.name, COLLIDING[1]);
    key.sign(&recipe.text, recipe.key.id())
}

/// A second line with the key's name and id, genuine or not.
fn two_signatures(it: &mut Recipe, _: &World, rng: &mut StdRng) {
    let line = if rng.random() { colliding(it) } else { it.lines[it.own].clone() };
    it.insert_line(&line, rng);
}

/// Presents an inner node as a leaf: the input of its hash, with the path from there. Only the bytes that tell leaves
/// from nodes stand in the way.
fn node_as_leaf(it: &mut Recipe, world: &World, rng: &mut StdRng) {
    let size = 1 << rng.random_range(1..=10_u32);
    *it = Recipe::new(&world.main, Inclusion, size, 0, rng);
    let pair = [0, 1].map(|index| leaf_hash(&world.main.leaf(index)));
    it.about = pair.concat();
    it.path.remove(0);
    it.text = checkpoint_text(MAIN, size / 2, world.main.root(size));
    it.sign_again();
}

/// A key for which everybody can sign: the identity, with R the identity and S zero.
fn weak_key(it: &mut Recipe, _: &World, _: &mut StdRng) {
    use sha2::{Digest, Sha256};
    let mut identity = [0; 33];
    (identity[0], identity[1]) = (1, 1);
    let name = &it.key.name;
    let id = Sha256::new().chain_update(name).chain_update(b"\n").chain_update(identity).finalize();
    let hex: String = id[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    it.vkey = format!("{name}+{hex}+{}", base64(&identity));
    let signature = [&id[..4], &identity[1..], &[0; 32]].concat();
    it.lines[it.own] = format!("\u{2014} {name} {}", base64(&signature));
}

fn identity_r(it: &mut Recipe, world: &World, rng: &mut StdRng) {
    *it = Recipe::new(&world.main, Checkpoint, 1, 0, rng);
    it.text = checkpoint_text(MAIN, 1, [0; 32]);
    let s = (0..32).map(|at| u8::from_str_radix(&IDENTITY_S[2 * at..2 * at + 2], 16).unwrap());
    let r = (0..32).map(|at| u8::from(at == 0));
    let signature: Vec<u8> = it.key.id().into_iter().chain(r).chain(s).collect();
    it.lines[it.own] = format!("\u{2014} {MAIN} {}", base64(&signature));
}
