//! Two of the verifiers: our own, and `signed_note` with `tlog_tiles` (Cloudflare's port of Go's, on another Ed25519),
//! written to our rules where the specifications leave room. The others are in `tests/verifiers`.

use freezeframe::core::merkle::verify_consistency;
use freezeframe::core::note::{Checkpoint, VerifierKey, hash_from_base64};
use freezeframe::core::proof::TlogProof;
use signed_note::{Note, Signature, StandardVerifier, Verifier, VerifierList};
use tlog_tiles::tlog::{self, Hash};

use super::corpus::{Case, Kind};

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Our verdict.
pub(crate) fn ours(case: &Case) -> bool {
    accepted(case).unwrap_or(false)
}

fn accepted(case: &Case) -> Option<bool> {
    let key = VerifierKey::parse(text(&case.vkey)?).ok()?;
    let document = text(&case.document)?;
    Some(match case.kind {
        Kind::Checkpoint => key.open_checkpoint(document).is_ok(),
        Kind::Inclusion => TlogProof::parse(document).ok()?.verify(&case.about, &key).is_ok(),
        Kind::Consistency => {
            let (head, note) = document.split_once("\n\n")?;
            let mut lines = head.split('\n');
            let size = lines.next()?.strip_prefix("old ")?;
            let path: Vec<_> = lines.map(hash_from_base64).collect::<Option<_>>()?;
            let (old, new) = (key.open_checkpoint(text(&case.about)?).ok()?, key.open_checkpoint(note).ok()?);
            let Checkpoint { size: old_size, root: old_root, .. } = old;
            let is_old = old_size.to_string() == size && path.len() <= 64;
            is_old && verify_consistency(old_size, &old_root, new.size, &new.root, &path)
        }
    })
}

/// The y coordinates of the points of small order, from RFC 8032's curve: 0, 1, -1 and the two of order eight.
const SMALL_ORDER: [&str; 5] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
];

fn is_small_order(point: &[u8]) -> bool {
    let sign = |at| if at == 31 { 0x7f } else { 0xff };
    let y: String = point.iter().enumerate().map(|(at, byte)| format!("{:02x}", byte & sign(at))).collect();
    SMALL_ORDER.contains(&&*y)
}

/// The verdict of the crates.
pub(crate) fn crates(case: &Case) -> bool {
    crates_accept(case).is_some()
}

fn crates_accept(case: &Case) -> Option<()> {
    let vkey = text(&case.vkey)?;
    let vkey = vkey.strip_suffix('\n').unwrap_or(vkey);
    let key = StandardVerifier::new(vkey).ok()?;
    let encoded = vkey.strip_prefix(&format!("{}+{:08x}+", key.name(), key.key_id()))?;
    let point = signed_note_base64(encoded)?;
    let is_good = !is_small_order(&point[1..]) && !key.name().contains(char::is_control);
    let document = text(&case.document).filter(|_| is_good)?;
    if case.kind == Kind::Checkpoint {
        return checkpoint(document, &key).map(drop);
    }
    let (head, note) = document.split_once("\n\n")?;
    let (size, root) = checkpoint(note, &key)?;
    let mut lines = head.split('\n');
    if case.kind == Kind::Inclusion && lines.next() != Some("c2sp.org/tlog-proof@v1") {
        return None;
    }
    let word = if case.kind == Kind::Inclusion { "index " } else { "old " };
    let number = lines.next()?.strip_prefix(word)?;
    let number = number.parse::<u64>().ok().filter(|it| it.to_string() == number)?;
    let path: Vec<Hash> = lines.map(|line| Hash::parse_hash(line).ok()).collect::<Option<_>>()?;
    if path.len() > 64 {
        return None;
    }
    if case.kind == Kind::Inclusion {
        return tlog::check_record(&path, size, root, number, tlog::record_hash(&case.about)).ok();
    }
    let (old_size, old_root) = checkpoint(text(&case.about)?, &key)?;
    let is_empty = old_size == 0 && path.is_empty() && old_root == tlog::EMPTY_HASH;
    let is_prefix = is_empty || tlog::check_tree(&path, size, root, old_size, old_root).is_ok();
    (number == old_size && is_prefix).then_some(())
}

/// Our rules beyond the specification: 80 lines, one by the key, no control characters in names, three lines of text,
/// the origin is the key's name, and strict Ed25519.
fn checkpoint(bytes: &str, key: &StandardVerifier) -> Option<(u64, Hash)> {
    let note = Note::from_bytes(bytes.as_bytes()).ok()?;
    let lines = bytes.strip_suffix('\n')?.rsplit_once("\n\n")?.1.split('\n');
    let lines: Vec<_> = lines.map(|line| Signature::from_bytes(line.as_bytes()).ok()).collect::<Option<_>>()?;
    let own = lines.iter().filter(|line| line.name() == key.name() && line.id() == key.key_id());
    let is_single = own.count() == 1 && lines.len() <= 80;
    let is_named = !lines.iter().any(|line| line.name().contains(char::is_control));
    let (verified, _) = note.verify(&VerifierList::new(vec![Box::new(key.clone())])).ok()?;
    let is_strict = !is_small_order(verified[0].signature().get(..32)?);
    let read = tlog_tiles::checkpoint::Checkpoint::from_bytes(note.text()).ok()?;
    let is_ours = read.origin() == key.name() && read.extension().is_empty() && read.to_bytes() == note.text();
    (is_single && is_named && is_strict && is_ours).then(|| (read.size(), *read.hash()))
}

fn signed_note_base64(text: &str) -> Option<Vec<u8>> {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    BASE64_STANDARD.decode(text).ok()
}
