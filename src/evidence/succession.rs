//! Going on after a log that can't be continued: its files move to `superseded/<n>/`, untouched, and a log with another
//! origin begins whose second leaf says what happened to the old one.
//!
//! The file `successor` says how far this has come, so that a crash at any point goes on from there: it is written
//! before anything moves, again when everything has, and removed when the new log is there.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::durable::Disk;
use super::read_at_most;
use super::reader::Reader;
use super::start::Broken;
use super::wal::FILE_BYTES_MAX;
use crate::core::canonical;
use crate::core::manifest::IncidentKind;
use crate::core::note::{Checkpoint, base64, hash_from_base64};

/// What makes up a log, the identity last: as long as that is here, the rest may be.
const FILES: [&str; 7] = ["wal", "head", "tile", "checkpoint", "cosigned", "pruned", "id.json"];
/// Longest description of what happened, bytes: it has to fit a manifest.
const WHAT_BYTES_MAX: usize = 1024;

/// A succession under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Succession {
    pub(super) broken: Broken,
    /// Number of the directory below `superseded/`.
    number: u64,
    /// Whether the old log's files are all there.
    moved: bool,
}

impl Succession {
    /// Begins one, durably.
    pub(super) fn begin(disk: &Disk, dir: &Path, mut broken: Broken) -> io::Result<Self> {
        let end = (0..=WHAT_BYTES_MAX).rev().find(|end| broken.what.is_char_boundary(*end)).unwrap_or(0);
        broken.what.truncate(end.min(broken.what.len()));
        let mut number = 1;
        while directory(dir, number).try_exists()? {
            number += 1;
        }
        let begun = Self { broken, number, moved: false };
        begun.write(disk, dir)?;
        Ok(begun)
    }

    /// The one that a crash cut short, if any.
    pub(super) fn pending(dir: &Path) -> io::Result<Option<Self>> {
        let bytes = match read_at_most(&path(dir), FILE_BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "successor: altered");
        Self::parse(&bytes).map(Some).ok_or_else(invalid)
    }

    /// Moves the old log's files away.
    pub(super) fn move_away(mut self, disk: &Disk, dir: &Path) -> io::Result<Self> {
        if !self.moved {
            let to = directory(dir, self.number);
            disk.create_directory(&dir.join("superseded"))?;
            disk.create_directory(&to)?;
            for name in FILES {
                if dir.join(name).try_exists()? {
                    disk.rename(&dir.join(name), &to.join(name))?;
                }
            }
            self.moved = true;
            self.write(disk, dir)?;
        }
        Ok(self)
    }

    /// Ends it, once the new log is there.
    pub(super) fn end(self, disk: &Disk, dir: &Path) -> io::Result<()> {
        disk.remove(&path(dir))
    }

    fn write(&self, disk: &Disk, dir: &Path) -> io::Result<()> {
        let newest = &self.broken.newest;
        let value = json!({
            "kind": self.broken.kind.as_str(),
            "what": self.broken.what,
            "origin": newest.origin,
            "size": newest.size,
            "root": base64(&newest.root),
            "number": self.number,
            "moved": self.moved,
        });
        disk.publish(&path(dir), 0o640, [&canonical::encode(&value).map_err(io::Error::other)?[..]]).map(drop)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let value = canonical::parse(bytes).ok()?;
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        let root = hash_from_base64(value["root"].as_str()?)?;
        let newest = Checkpoint { origin: text("origin")?, size: value["size"].as_u64()?, root };
        let broken = Broken { kind: IncidentKind::parse(&text("kind")?)?, what: text("what")?, newest };
        let moved = value.get("moved").and_then(Value::as_bool)?;
        Some(Self { broken, number: value["number"].as_u64()?, moved })
    }
}

/// The logs that were superseded, oldest first; those that can't be read are told and left out.
pub(super) fn read_superseded(dir: &Path) -> Vec<Reader> {
    let directories = (1..).map(|number| directory(dir, number)).take_while(|directory| directory.exists());
    let open = |directory: PathBuf| match Reader::open(&directory) {
        Ok(reader) => Some(reader),
        Err(error) => {
            tracing::warn!(directory = %directory.display(), %error, "frames of a superseded log can't be read");
            None
        }
    };
    directories.filter_map(open).collect()
}

/// Directory of the `number`th log that was superseded.
fn directory(dir: &Path, number: u64) -> PathBuf {
    dir.join("superseded").join(number.to_string())
}

fn path(dir: &Path) -> PathBuf {
    dir.join("successor")
}
