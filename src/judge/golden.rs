//! Scoring a golden set, once or on schedule.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::{JudgeClient, Teller};
use crate::config::Golden;
use crate::core::golden::{Agreement, Drift, FLIPPED_MAX, Item, Run, Scored, Set};
use crate::core::time::UnixNanos;
use crate::kept::{GoldenFile, Known};
use crate::metrics::Metric;
use crate::toolkit::judge::{self, Exhibit};
use crate::toolkit::report::Said;

/// Items of a scheduled run that are asked at once: production's answers go first.
const SCHEDULED_CONCURRENCY: usize = 2;
/// Share of a set without a verdict beyond which a run tells nothing of the judge.
const ERRORS_MAX: f64 = 0.05;

/// Asks about every item `repeat` times, `concurrency` items at once; the result is in order of the set.
pub async fn score(client: &Arc<JudgeClient>, set: &Arc<Set>, repeat: u32, concurrency: usize) -> Vec<Scored> {
    let next = Arc::new(AtomicUsize::new(0));
    let worker = |_| {
        let (client, set, next) = (client.clone(), set.clone(), next.clone());
        async move {
            let mut scored = Vec::new();
            loop {
                let at = next.fetch_add(1, Relaxed);
                let Some(item) = set.items.get(at) else { return scored };
                scored.push((at, score_item(&client, item, repeat).await));
            }
        }
    };
    let workers: JoinSet<Vec<(usize, Scored)>> = (0..concurrency.max(1)).map(worker).collect();
    let mut scored: Vec<(usize, Scored)> = workers.join_all().await.into_iter().flatten().collect();
    scored.sort_by_key(|(at, _)| *at);
    scored.into_iter().map(|(_, scored)| scored).collect()
}

async fn score_item(client: &JudgeClient, item: &Item, repeat: u32) -> Scored {
    let mut verdicts = Vec::new();
    for _ in 0..repeat.max(1) {
        let verdict = client.ask(&Exhibit::of_item(item)).await;
        let said = verdict.map(|it| (it.score, it.reason)).map_err(|it| format!("{}: {}", it.kind, it.message));
        verdicts.push(said);
    }
    Scored::of(item, &verdicts, client.judge().threshold)
}

/// Scores every judge's golden set whenever it is due, each by itself, for as long as it is polled.
pub(super) async fn keep(clients: Vec<Arc<JudgeClient>>, teller: Teller, file: GoldenFile, now: fn() -> UnixNanos) {
    let known = Arc::new(Mutex::new(file.restore()));
    let mut sets: JoinSet<()> = JoinSet::new();
    for client in clients {
        let Some(golden) = client.judge().golden.clone() else { continue };
        sets.spawn(keep_one(client, golden, teller.clone(), (known.clone(), file.clone()), now));
    }
    while sets.join_next().await.is_some() {}
    std::future::pending().await
}

/// Scores one golden set at once, unless it was before the restart, and then whenever it is due.
async fn keep_one(
    client: Arc<JudgeClient>,
    golden: Golden,
    teller: Teller,
    (known, file): (Arc<Mutex<BTreeMap<String, Known>>>, GoldenFile),
    now: fn() -> UnixNanos,
) {
    let judge = judge::configuration(client.judge());
    let is_same = |it: &&Known| it.reference.judge == judge && it.reference.set == golden.set.sha256;
    let last = known.lock().await.get(&client.judge().name).filter(is_same).map(|it| it.scored_at);
    let mut wait = last.map_or(Duration::ZERO, |last| golden.every.saturating_sub(now().since(last)));
    loop {
        tokio::time::sleep(wait).await;
        wait = golden.every;
        let items = score(&client, &golden.set, 1, SCHEDULED_CONCURRENCY).await;
        let run = Run { judge: judge.clone(), set: golden.set.sha256.clone(), at: now().to_string(), items };
        let mut known = known.lock().await;
        if settle(&client, run, &mut known, &teller, now()).await {
            file.save(&known).await;
        }
    }
}

/// Counts a run and tells of it; whether it was whole. The first run of a configuration is the reference of the later ones.
async fn settle(
    client: &JudgeClient,
    run: Run,
    known: &mut BTreeMap<String, Known>,
    teller: &Teller,
    at: UnixNanos,
) -> bool {
    let judge = client.judge();
    let label = [("judge", &*judge.name)];
    let counted = |result| Metric::GoldenRuns.add(&[("judge", &judge.name), ("result", result)], 1);
    let agreement = Agreement::of(&run.items);
    let is_whole = f64::from(agreement.errors) <= ERRORS_MAX * run.items.len() as f64;
    let Some(share) = agreement.share().filter(|_| is_whole) else {
        let error = run.items.iter().find_map(|it| it.error.as_deref()).unwrap_or_default();
        tracing::error!(judge = judge.name, error, "the golden set was not judged as a whole");
        counted("failed");
        return false;
    };
    Metric::GoldenAgreement.set_to(&label, share);
    if let Some(kappa) = agreement.kappa() {
        Metric::GoldenKappa.set_to(&label, kappa);
    }
    Metric::GoldenTime.set(&label, at.0 / 1_000_000_000);
    let (judged, errors) = (agreement.judged(), agreement.errors);
    tracing::info!(judge = judge.name, agreement = share, judged, errors, "golden set scored");
    let calibration = vec![
        ("gen_ai.evaluation.evaluator.calibrated_at", Said::Text(at.to_string())),
        ("freezeframe.evaluation.agreement", Said::Number(share)),
    ];
    if let Some(declaration) = judge::declaration(judge, calibration, at) {
        teller.tell(&declaration).await;
    }
    let before = known.get_mut(&judge.name).filter(|it| it.reference.judge == run.judge && it.reference.set == run.set);
    let drift = before.map(|before| {
        before.scored_at = at;
        Drift::between(&before.reference, &run, FLIPPED_MAX)
    });
    let flipped = drift.as_ref().map_or(0, |it| it.flips.len());
    let is_drift = drift.as_ref().is_some_and(Drift::is_drift);
    Metric::GoldenFlipped.set(&label, flipped as u64);
    Metric::GoldenDrifted.set(&label, u64::from(is_drift));
    match drift {
        None => {
            counted("reference");
            known.insert(judge.name.clone(), Known { reference: run, scored_at: at });
        }
        Some(drift) if is_drift => {
            counted("drifted");
            tracing::warn!(judge = judge.name, reasons = ?drift.reasons, "the judge drifted");
        }
        Some(_) => counted("same"),
    }
    true
}
