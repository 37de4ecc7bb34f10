//! Baselines on disk: `baseline.json` in the data directory, so that a restart does not have to learn for a week again.
//!
//! Written every few minutes and at shutdown, under another name and then renamed, so that a killed process leaves the
//! old file. Nothing is synced: what a power cut tears is refused at the next start with a line in the log and a count, and
//! learned again. A file that is missing or refused never keeps the sidecar from starting.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::core::baseline::Baselines;
use crate::engine::{Engine, Handle};
use crate::metrics::Metric;

/// How often the file is written: what a killed process forgets at most.
const SAVE_EVERY: Duration = Duration::from_secs(5 * 60);

/// A larger file is none of ours: ten thousand features take less.
const BYTES_MAX: u64 = 1 << 30;

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct BaselineFile {
    path: PathBuf,
}

impl BaselineFile {
    /// The file of a data directory.
    pub(crate) fn in_dir(data_dir: &Path) -> Self {
        Self { path: data_dir.join("baseline.json") }
    }

    /// Gives the engine what the last run knew, if it can be had.
    pub(crate) fn restore(&self, engine: &mut Engine) {
        let path = self.path.display();
        let result = match self.read() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                tracing::info!(%path, "no baseline of an earlier run; an hour of traffic makes one");
                "missing"
            }
            Err(error) => {
                tracing::error!(%path, %error, "the baseline can't be read; it is learned again");
                "refused"
            }
            Ok(bytes) => match engine.restore_baselines(&bytes) {
                Ok(features) => {
                    tracing::info!(%path, features, "baseline restored");
                    "restored"
                }
                Err(error) => {
                    tracing::error!(%path, %error, "the baseline is refused; it is learned again");
                    "refused"
                }
            },
        };
        Metric::BaselineFiles.add(&[("result", result)], 1);
    }

    /// Writes what the engine knows every few minutes, until `stop`.
    pub(crate) async fn keep(self, engine: Handle, stop: impl Future<Output = ()>) {
        let mut due = tokio::time::interval_at(tokio::time::Instant::now() + SAVE_EVERY, SAVE_EVERY);
        tokio::pin!(stop);
        loop {
            tokio::select! {
                _ = due.tick() => self.save(&engine).await,
                () = &mut stop => return,
            }
        }
    }

    /// Writes what the engine knows now.
    pub(crate) async fn save(&self, engine: &Handle) {
        // An engine that is busy is asked again next time.
        let Ok(baselines) = engine.baselines().await else { return };
        let file = self.clone();
        let written = tokio::task::spawn_blocking(move || file.write(&Baselines::snapshot(&baselines))).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        if let Err(error) = &written {
            tracing::error!(path = %self.path.display(), %error, "the baseline was not written");
        }
        Metric::BaselineFiles.add(&[("result", if written.is_ok() { "saved" } else { "failed" })], 1);
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        if std::fs::metadata(&self.path)?.len() > BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is too large"));
        }
        std::fs::read(&self.path)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let next = self.path.with_extension("json.tmp");
        std::fs::write(&next, bytes)?;
        std::fs::rename(&next, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Config;
    use crate::core::time::UnixNanos;
    use crate::engine::registry::Registry;

    fn engine() -> Engine {
        Engine::new(Arc::new(Config::default()), Arc::new(Registry::new(4)), 0, UnixNanos(0))
    }

    /// Proves that a start succeeds without a file and with a damaged one, and that what is kept comes back whole.
    #[test]
    fn a_missing_or_damaged_file_is_no_failed_start() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = BaselineFile::in_dir(dir.path());
        let mut engine = engine();
        file.restore(&mut engine);
        assert_eq!(engine.baselines().len(), 1, "the whole service");
        let good = br#"{"features":{"support":{"quality":[[472224,3600,8,100]]}},"format":"freezeframe.baseline.v1"}"#;
        file.write(good).expect("written");
        file.restore(&mut engine);
        let known = engine.baselines();
        assert_eq!(Baselines::snapshot(known.iter().filter(|(name, _)| *name == "support")), good);
        file.write(&good[..40]).expect("written");
        file.restore(&mut engine);
        assert_eq!(engine.baselines(), known, "nothing of a damaged file is taken");
    }

    /// Proves that what is written can be restored even when other features than before have come: those seen go first.
    #[test]
    fn features_that_never_come_back_give_way() {
        let known: std::collections::BTreeMap<_, _> =
            (0..34).map(|n| (format!("old-{n}"), Baselines::default())).collect();
        let mut engine = engine();
        assert_eq!(engine.restore_baselines(&Baselines::snapshot(&known)), Ok(34));
        let kept = engine.baselines();
        assert!(kept.contains_key("_all") && kept.len() == 34, "{:?}", kept.keys());
        assert_eq!(self::engine().restore_baselines(&Baselines::snapshot(&kept)), Ok(34));
    }
}
