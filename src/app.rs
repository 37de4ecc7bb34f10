//! The composition root: binds what listens, opens and verifies the log, starts the engine, serves, and drains.
//!
//! ```text
//! Config -> bind -> ready line -> serve -> SIGTERM -> drain (one deadline) -> exit
//! ```

use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use rand::RngCore;
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::api::{self, Phase, Readiness, Reload, Sources};
use crate::config::{self, Config, Source};
use crate::engine::registry::Registry;
use crate::engine::witness::{Witness, Witnessed};
use crate::engine::{self, Engine, Handle, Store, clock};
use crate::evidence::{self, Log, Peers};
use crate::exporter::{self, Exporter};
use crate::judge::{Judges, Teller};
use crate::kept::{AlertFile, BaselineFile, GoldenFile};
use crate::metrics::Metric;
use crate::notify;
use crate::otlp::Signal;
use crate::receiver::{self, Tap};
use crate::shutdown::Signals;
use crate::witness::Witnesses;

/// The sidecar, every socket bound, the log verified and the engine running; not yet serving.
#[derive(Debug)]
pub struct App {
    config: Config,
    receiver: receiver::Bound,
    api: api::Bound,
    sources: Sources,
    baselines: BaselineFile,
    alerts: AlertFile,
    witnesses: Witnesses,
    exporter: Option<Arc<Exporter>>,
    judges: Judges,
    signals: Signals,
}

impl App {
    /// Binds first, so that a taken port is the first thing a user hears of, then opens and verifies the log.
    ///
    /// # Errors
    /// Whatever can't be bound, opened or verified, named.
    pub async fn bind(config: Config, source: Source) -> anyhow::Result<Self> {
        // A provider that is there already serves as well.
        drop(rustls::crypto::ring::default_provider().install_default());
        let signals = Signals::listen().context("listening for signals")?;
        let receiver = receiver::bind(&config.receiver).await.context("binding the OTLP receivers")?;
        let api = api::bind(&config.admin, &config.health).await.context("binding the admin listener")?;
        let process_metrics = api::install_recorder().context("installing the metrics recorder")?;
        Metric::ALL.into_iter().for_each(Metric::describe);
        let log = Log::open(&config.data_dir, &config.evidence, clock::now(), evidence::os_entropy())
            .context("opening the evidence log")?;
        let log = Arc::new(log);
        let origin = log.origin();
        // Own frames are worth more than others' checkpoints: without its memory it is no witness, and goes on.
        let witness = Peers::open(&config.data_dir, &origin, &config.evidence, evidence::os_entropy());
        let witness = witness.unwrap_or_else(|error| {
            tracing::error!(%error, "this sidecar is no witness of other logs until that is mended");
            None
        });
        let witnessed: Arc<dyn Witnessed> = log.clone();
        let mut witnesses = Witnesses::new(&config.evidence.witnesses, &witnessed, clock::now)
            .context("building the witness client")?;
        // Before the engine can have anything signed.
        witnesses.ask_once().await;
        let store: Arc<dyn Store> = log;
        let registry = Arc::new(Registry::new(config.features.max));
        let shared = Arc::new(config.clone());
        let mut engine = Engine::new(shared, registry.clone(), rand::rng().next_u64(), clock::now());
        let unread = engine.recall(&*store).context("reading incidents back from the log")?;
        if unread > 0 {
            tracing::warn!(
                unread,
                "frames in the log that this version can't list; they are served and verified as ever"
            );
        }
        let baselines = BaselineFile::in_dir(&config.data_dir);
        baselines.restore(&mut engine);
        let alerts = AlertFile::in_dir(&config.data_dir);
        alerts.restore(&mut engine, clock::now());
        let (judges, queues) = judges(&config.judges)?;
        let engine = engine.with_judges(&config.judges, clock::now());
        let engine = engine::start(engine, store.clone(), queues).context("starting the engine")?;
        let exporter = config.exporter.as_ref().map(exporter::start).transpose().context("starting the exporter")?;
        let sources = Sources {
            reload: reload(engine.clone(), config.clone(), source),
            engine,
            store,
            witness: witness.map(|peers| Arc::new(peers) as Arc<dyn Witness>),
            registry,
            process_metrics,
            readiness: Readiness::default(),
            drills: config.alerting.drills,
            windows: config.windows,
            now: clock::now,
        };
        let exporter = exporter.map(Arc::new);
        Ok(Self { config, receiver, api, sources, baselines, alerts, witnesses, exporter, judges, signals })
    }

    /// The one line on stdout that says where everything listens.
    ///
    /// # Errors
    /// When a socket is gone.
    pub fn ready_line(&self) -> anyhow::Result<String> {
        let line = json!({
            "event": "ready",
            "otlp_grpc": self.receiver.grpc_addr()?.to_string(),
            "otlp_http": self.receiver.http_addr()?.to_string(),
            "admin": self.api.admin_addr().to_string(),
            "health": self.api.health_addr().to_string(),
        });
        Ok(line.to_string())
    }

    /// Serves until SIGTERM or SIGINT, then drains within one deadline. A second signal ends it at once.
    ///
    /// # Errors
    /// When the drain did not finish in time.
    pub async fn serve(self) -> anyhow::Result<()> {
        let Self { config, receiver, api, sources, baselines, alerts, witnesses, exporter, judges, mut signals } = self;
        let [receiving, notifying, serving] = std::array::from_fn(|_| CancellationToken::new());
        let tasks = TaskTracker::new();
        let (engine, readiness) = (sources.engine.clone(), sources.readiness.clone());
        let receiver =
            tasks.spawn(receiver.serve(engine.clone(), tap(exporter.clone()), receiving.clone().cancelled_owned()));
        let mut notifier = None;
        if let Some(settings) = config.alertmanager.clone() {
            let client = reqwest::Client::builder().build().context("building the Alertmanager client")?;
            let (runbooks, stop) = (config.alerting.runbook_url_base.clone(), notifying.clone().cancelled_owned());
            let run = notify::run(settings, runbooks, api.base_url(), client, engine.clone(), clock::now, stop);
            notifier = Some(tasks.spawn(run));
        }
        tasks.spawn(baselines.clone().keep(engine.clone(), receiving.clone().cancelled_owned()));
        let (teller, golden) =
            (Teller::new(engine.clone(), tap(exporter.clone())), GoldenFile::in_dir(&config.data_dir));
        let judging = tasks.spawn(judges.run(teller, golden, clock::now, receiving.clone().cancelled_owned()));
        tasks.spawn(alerts.clone().keep(engine.clone(), receiving.clone().cancelled_owned()));
        let witnesses = tasks.spawn(witnesses.run(notifying.clone().cancelled_owned()));
        tasks.spawn(reload_on(signals.hangup()?, sources.reload.clone()));
        let api = tasks.spawn(api.serve(sources, serving.clone().cancelled_owned()));
        readiness.set(Phase::Ready);
        signals.stop().await;

        let deadline = Instant::now() + config.shutdown_timeout;
        readiness.set(Phase::Draining);
        tracing::info!(timeout = ?config.shutdown_timeout, "draining");
        let drain = async {
            receiving.cancel();
            // One client that stalls must not cost what others have sent already.
            match tokio::time::timeout(config.shutdown_timeout / 2, receiver).await {
                Ok(finished) => finished.context("finishing exports in flight")?,
                Err(_) => tracing::warn!("exports in flight were given up"),
            }
            ended(judging).await;
            baselines.save(&engine).await;
            alerts.save(&engine).await;
            engine.stop().await;
            notifying.cancel();
            // Side by side: a next hop that is away takes all the time there is, and must not cost the last alerts.
            let exported = async {
                if let Some(exporter) = &exporter {
                    exporter.drain(deadline).await;
                }
            };
            let notified = async {
                if let Some(notifier) = notifier
                    && let Err(error) = notifier.await
                {
                    tracing::error!(%error, "the last alerts were not pushed");
                }
            };
            let (_, _, cosigned) = tokio::join!(exported, notified, witnesses);
            if let Err(error) = cosigned {
                tracing::error!(%error, "the last checkpoint was not shown to the witnesses");
            }
            serving.cancel();
            api.await.context("finishing API requests in flight")
        };
        tokio::select! {
            drained = tokio::time::timeout_at(deadline, drain) => drained.context("the drain took too long")?,
            () = signals.stop() => anyhow::bail!("a second signal ended the drain"),
        }
    }
}

/// Where accepted requests go next: the exporter, if there is one.
fn tap(exporter: Option<Arc<Exporter>>) -> Tap {
    match exporter {
        Some(exporter) => Arc::new(move |signal: Signal, bytes: Bytes| exporter.offer(signal, bytes)),
        None => Arc::new(|_, _| {}),
    }
}

/// Waits until the judges ended.
async fn ended(judging: tokio::task::JoinHandle<()>) {
    if let Err(error) = judging.await {
        tracing::error!(%error, "the judges did not end");
    }
}

/// The judges that the configuration names, and where the engine puts what they are to be asked.
fn judges(judges: &[config::Judge]) -> anyhow::Result<(Judges, engine::Queues)> {
    // A judge that redirects elsewhere would send the answers elsewhere, and so would a proxy nobody configured here.
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
    Judges::new(judges, &client.context("building the judges' client")?).context("judges")
}

/// Reads the configuration again and hands the engine what can change while it runs.
fn reload(engine: Handle, running: Config, source: Source) -> Reload {
    let running = Arc::new(running);
    Arc::new(move || {
        let (engine, running, source) = (engine.clone(), running.clone(), source.clone());
        let reloading = async move {
            let result = match config::load(&source, &config::env::process) {
                Ok((config, warnings)) => {
                    warnings.iter().for_each(|it| tracing::warn!("{}", it.render(&source.name(), "warning")));
                    let (config, kept) = config.taken_up(&running);
                    let reloaded = engine.reload(Arc::new(config)).await;
                    reloaded.map(|()| kept).map_err(|_| "the engine is busy; try again".to_owned())
                }
                Err(errors) => Err(errors.to_string()),
            };
            let label = if result.is_ok() { "ok" } else { "failed" };
            Metric::ConfigReloads.add(&[("result", label)], 1);
            match &result {
                Ok(kept) if kept.is_empty() => tracing::info!("configuration reloaded"),
                Ok(kept) => tracing::warn!(?kept, "configuration reloaded, but these fields need a restart"),
                Err(error) => tracing::error!(%error, "configuration not reloaded; the old one stays"),
            }
            result
        };
        Box::pin(reloading.instrument(tracing::info_span!("config.reload")))
    })
}

async fn reload_on(mut hangup: tokio::signal::unix::Signal, reload: Reload) {
    while hangup.recv().await.is_some() {
        // It logs what became of it.
        drop(reload().await);
    }
}
