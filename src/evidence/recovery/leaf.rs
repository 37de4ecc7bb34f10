//! What a leaf says, checked against where it lies and what lies with it.

use serde_json::{Map, Value};

use super::super::wal::Slot;
use super::Leaves;
use crate::core::canonical;
use crate::core::disclosure::Disclosure;
use crate::core::frame::parts::{self, Erased};
use crate::core::manifest::{Leaf, Manifest};
use crate::core::merkle::Hash;

/// Checks what a leaf says against where it lies: its log, its number, the root before it, and the leaves it refers to.
pub(in super::super) fn check_manifest(
    manifest: &Manifest,
    origin: &str,
    seq: u64,
    previous_root: Hash,
    leaves: &Leaves,
) -> Result<(), String> {
    if (manifest.origin.as_str(), manifest.seq) != (origin, seq) {
        return Err(format!("its manifest is of leaf {} of {}", manifest.seq, manifest.origin));
    }
    let expected = if seq == 0 { None } else { Some(previous_root) };
    if manifest.previous_root != expected {
        return Err("its manifest follows another tree".to_owned());
    }
    let is_genesis = matches!(manifest.leaf, Leaf::Genesis { .. });
    if is_genesis != (seq == 0) {
        return Err("a leaf of this type does not belong here".to_owned());
    }
    match &manifest.leaf {
        Leaf::Frame(frame) if leaves.ids.contains_key(frame.frame_id.as_str()) => {
            Err("its frame id is taken".to_owned())
        }
        Leaf::Frame(frame) if !frame.parts.iter().any(|part| part.name == parts::REST) => {
            Err("a frame without the part that says which it is".to_owned())
        }
        Leaf::Erasure(erasure) if erasure.frame >= seq => Err("it erases what is not there yet".to_owned()),
        Leaf::Prune { below, .. } if *below > seq => Err("it prunes what is not there yet".to_owned()),
        _ => Ok(()),
    }
}

/// The canonical bytes of a frame as it is now, checked and put together.
pub(in super::super) fn frame_bytes(
    manifest: &Manifest,
    slots: &[Slot<'_>],
    erased: impl Fn(&str) -> Option<Erased>,
) -> Result<Vec<u8>, String> {
    let frame = check_frame(manifest, slots, erased)?;
    canonical::encode(&Value::Object(frame)).map_err(|error| error.to_string())
}

/// Checks the parts of a frame against its manifest and puts them together: the frame as it is now. `erased` says why a part that is not there may be gone.
pub(super) fn check_frame(
    manifest: &Manifest,
    slots: &[Slot<'_>],
    erased: impl Fn(&str) -> Option<Erased>,
) -> Result<Map<String, Value>, String> {
    let Leaf::Frame(leaf) = &manifest.leaf else { return Err("not a frame's manifest".to_owned()) };
    if leaf.parts.len() != slots.len() {
        return Err("parts are missing".to_owned());
    }
    let mut whole = Vec::new();
    for (part, slot) in leaf.parts.iter().zip(slots) {
        let value = match slot {
            Slot::Open(text) => {
                let disclosure = Disclosure::parse(text).map_err(|error| format!("{}: {error}", part.name))?;
                if disclosure.name != part.name {
                    return Err(format!("{} is disclosed as {}", part.name, disclosure.name));
                }
                Ok(disclosure.value)
            }
            Slot::Blank | Slot::Unreadable => {
                Err(erased(&part.name).ok_or_else(|| format!("{} is gone, and no leaf erased it", part.name))?)
            }
        };
        let said = value.as_ref().ok().and_then(|value| value.get("state")).and_then(Value::as_str);
        if value.is_ok() && parts::is_variable(&part.name) && said != part.state.as_deref() {
            return Err(format!("{} says another state than its manifest", part.name));
        }
        whole.push((part.name.clone(), value));
    }
    let frame = parts::join(whole).ok_or("its parts make no frame")?;
    if (frame.get("origin").and_then(Value::as_str), frame.get("seq").and_then(Value::as_u64))
        != (Some(&manifest.origin), Some(manifest.seq))
    {
        return Err("the frame names another place in a log than its manifest".to_owned());
    }
    let said = [("id", &leaf.frame_id), ("feature", &leaf.feature), ("captured_at", &leaf.captured_at)];
    match said.into_iter().find(|(field, value)| frame.get(*field).is_some_and(|body| body != value.as_str())) {
        Some((field, _)) => Err(format!("frame and manifest differ in {field}")),
        None => Ok(frame),
    }
}
