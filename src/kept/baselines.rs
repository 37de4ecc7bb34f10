//! Baselines on disk: `baseline.json` in the data directory, so that a restart does not have to learn for a week again.

use std::path::Path;
use std::time::Duration;

use super::Kept;
use crate::core::baseline::Baselines;
use crate::engine::{Engine, Handle};

/// How often the file is written: what a killed process forgets at most.
const SAVE_EVERY: Duration = Duration::from_secs(5 * 60);

/// A thousand features take less.
const BYTES_MAX: u64 = 32 << 20;

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct BaselineFile(Kept);

impl BaselineFile {
    /// The file of a data directory.
    pub(crate) fn in_dir(data_dir: &Path) -> Self {
        Self(Kept::in_dir(data_dir, "baseline.json", BYTES_MAX))
    }

    /// Gives the engine what the last run knew, if it can be had.
    pub(crate) fn restore(&self, engine: &mut Engine) {
        if let Some(features) = self.0.restore(|bytes| engine.restore_baselines(bytes)) {
            tracing::info!(features, "baseline restored");
        }
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
        self.0.save(move || Baselines::snapshot(&baselines)).await;
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
        file.0.write(good).expect("written");
        file.restore(&mut engine);
        let known = engine.baselines();
        assert_eq!(Baselines::snapshot(known.iter().filter(|(name, _)| *name == "support")), good);
        file.0.write(&good[..40]).expect("written");
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
