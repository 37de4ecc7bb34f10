//! Witnesses and logs of the `evidence` section: lists whose entries are keys, refused with the entry that is wrong.

use super::slot::is_url;
use super::yaml::{Node, Value};
use super::{WITNESSED_LOGS_MAX, WITNESSES_MAX, Witness};
use crate::core::cosignature::WitnessKey;
use crate::core::note::VerifierKey;

/// `evidence.witnesses`, or what is wrong with it.
pub(super) fn witnesses(value: &Value) -> Result<Vec<Witness>, String> {
    let mut found: Vec<Witness> = Vec::new();
    for (index, item) in items(value, WITNESSES_MAX)?.iter().enumerate() {
        let witness = witness(&item.value).map_err(|what| format!("entry {}: {what}", index + 1))?;
        if found.iter().any(|other| other.key.key_bytes() == witness.key.key_bytes()) {
            return Err(format!("entry {}: the key of an earlier entry", index + 1));
        }
        found.push(witness);
    }
    Ok(found)
}

/// `evidence.witness.logs`, or what is wrong with it.
pub(super) fn logs(value: &Value) -> Result<Vec<VerifierKey>, String> {
    let mut found: Vec<VerifierKey> = Vec::new();
    for (index, item) in items(value, WITNESSED_LOGS_MAX)?.iter().enumerate() {
        let key = text(&item.value).and_then(|vkey| VerifierKey::parse(vkey).ok());
        let key = key.ok_or_else(|| format!("entry {}: not the vkey of a log (Ed25519, type 1)", index + 1))?;
        if found.contains(&key) {
            return Err(format!("entry {}: an earlier entry again", index + 1));
        }
        found.push(key);
    }
    Ok(found)
}

fn witness(value: &Value) -> Result<Witness, &'static str> {
    let Value::Map(entries) = value else { return Err("not a map of url and vkey") };
    let get = |name: &str| entries.iter().find(|(key, _)| key.name == name).and_then(|(_, item)| text(&item.value));
    if entries.len() != 2 {
        return Err("a witness has url and vkey, and nothing else");
    }
    let url = get("url").filter(|url| is_url(url)).ok_or("url is no URL, http://host:port or https://host:port")?;
    let key = get("vkey").and_then(|vkey| WitnessKey::parse(vkey).ok());
    let key = key.ok_or("vkey is not that of a witness (Ed25519 cosignatures, type 4)")?;
    Ok(Witness { url: url.trim_end_matches('/').to_owned(), key })
}

fn items(value: &Value, max: usize) -> Result<&[Node], String> {
    match value {
        Value::Null => Ok(&[]),
        Value::List(items) if items.len() <= max => Ok(items),
        Value::List(_) => Err(format!("there are more than {max} entries")),
        _ => Err("write a list, one entry a line beginning with -".to_owned()),
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}
