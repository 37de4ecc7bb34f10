//! Witnessing over real sockets: sidecars that cosign each other, a log that was copied or put back, witnesses that are
//! away or talk nonsense.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::any;
use freezeframe::config::{self, Evidence};
use freezeframe::core::cosignature::{Cosigner, WitnessKey};
use freezeframe::core::merkle::Hash;
use freezeframe::core::note::{Checkpoint, Signer, VerifierKey, split_note};
use freezeframe::core::time::UnixNanos;
use freezeframe::core::witness::{Contradiction, Request};
use freezeframe::engine::clock;
use freezeframe::engine::store::{FrameBytes, Store};
use freezeframe::engine::witness::{Contradicted, Witness, Witnessed};
use freezeframe::evidence::{Log, Peers, os_entropy};
use freezeframe::witness::Witnesses;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::admin::{Admin, Options};
use super::e2e::process::Process;
use super::e2e::{eventually, http};

const NOW: UnixNanos = UnixNanos(1_795_313_940_000_000_000);

/// A log in a directory, with everything that was said against it.
#[derive(Debug)]
struct Ours {
    log: Log,
    told: Mutex<Vec<Contradicted>>,
}

impl Ours {
    fn open(dir: &Path) -> Arc<Self> {
        let evidence = Evidence { origin: "example.com/test".into(), ..Evidence::default() };
        let log = Log::open(dir, &evidence, clock::now(), os_entropy()).unwrap();
        Arc::new(Self { log, told: Mutex::default() })
    }

    fn grow(&self, frames: usize) {
        for _ in 0..frames {
            let mut id = [0; 16];
            os_entropy()(&mut id).unwrap();
            let id = freezeframe::core::note::hex(&id);
            let body = Map::from_iter([("id".to_owned(), json!(id))]);
            let captured_at = "2026-11-22T02:19:00.000Z".into();
            let frame = FrameBytes { id, captured_at, feature: "checkout".into(), fingerprint: "f00d".into(), body };
            self.log.append(&frame).unwrap();
        }
    }

    fn key(&self) -> VerifierKey {
        VerifierKey::parse(&Witnessed::vkey(&self.log)).unwrap()
    }

    /// The checkpoint that `key` cosigned, as the log keeps it.
    fn cosigned_by(&self, key: &WitnessKey) -> Option<Checkpoint> {
        let note = self.log.log_file("cosigned").unwrap()?;
        let note = std::str::from_utf8(&note).unwrap();
        key.open(note).unwrap().map(|_| self.key().open_checkpoint(note).unwrap())
    }

    fn told(&self) -> Vec<Contradiction> {
        self.told.lock().unwrap().iter().map(|one| one.what).collect()
    }
}

impl Witnessed for Ours {
    fn vkey(&self) -> String {
        Witnessed::vkey(&self.log)
    }
    fn checkpoint(&self) -> String {
        self.log.checkpoint()
    }
    fn consistency_proof(&self, old_size: u64, size: u64) -> Option<Vec<Hash>> {
        self.log.consistency_proof(old_size, size)
    }
    fn root_at(&self, size: u64) -> Option<Hash> {
        self.log.root_at(size)
    }
    fn cosigned(&self, checkpoint: &str, line: &str) {
        self.log.cosigned(checkpoint, line);
    }
    fn contradicted(&self, contradicted: &Contradicted) {
        // The log would begin anew, which its own tests prove; here it goes on, to hear more.
        self.told.lock().unwrap().push(contradicted.clone());
    }
}

/// A served witness of `logs`, with its memory in `dir`.
async fn serve(dir: &Path, logs: &[VerifierKey]) -> (Admin, config::Witness) {
    let evidence = Evidence { witnessed_logs: logs.to_vec(), ..Evidence::default() };
    let peers = Peers::open(dir, "example.com/witness", &evidence, os_entropy()).unwrap().unwrap();
    let key = WitnessKey::parse(&peers.vkey()).unwrap();
    let options = Options { witness: Some(Arc::new(peers)), token: Some("secret"), ..Options::default() };
    let admin = Admin::start(options).await;
    let witness = config::Witness { url: admin.url.clone(), key };
    (admin, witness)
}

fn client(witnesses: &[&config::Witness], log: &Arc<Ours>) -> Witnesses {
    let log: Arc<dyn Witnessed> = log.clone();
    drop(super::admin::client());
    Witnesses::new(&witnesses.iter().map(|witness| (*witness).clone()).collect::<Vec<_>>(), &log, || NOW).unwrap()
}

fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(to.path()).status().unwrap();
    assert!(copied.success());
    to
}

/// Proves that two logs get each other's cosignature for every growth, on one note, without a token, and that it is there
/// after a restart.
#[tokio::test]
async fn two_sidecars_cosign_each_other() {
    let (dir_a, dir_b, third) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (Ours::open(dir_a.path()), Ours::open(dir_b.path()));
    let (_admin_a, witness_a) = serve(dir_a.path(), &[b.key()]).await;
    let (_admin_b, witness_b) = serve(dir_b.path(), &[a.key()]).await;
    let (_admin_c, witness_c) = serve(third.path(), &[a.key(), b.key()]).await;
    let stop = CancellationToken::new();
    let run = |witnesses: Witnesses| tokio::spawn(witnesses.run(stop.clone().cancelled_owned()));
    let running = [run(client(&[&witness_b, &witness_c], &a)), run(client(&[&witness_a, &witness_c], &b))];
    for round in 0..3 {
        a.grow(round);
        b.grow(2 * round);
        eventually("all cosign", async || {
            let pairs = [(&a, &witness_b), (&a, &witness_c), (&b, &witness_a), (&b, &witness_c)];
            let sizes =
                pairs.map(|(log, witness)| (log.cosigned_by(&witness.key).map(|it| it.size), log.log.size() + 1));
            sizes.iter().all(|(cosigned, size)| *cosigned == Some(*size)).then_some(()).ok_or(format!("{sizes:?}"))
        })
        .await;
    }
    stop.cancel();
    for loop_ in running {
        loop_.await.unwrap();
    }
    let size = a.log.size() + 1;
    assert_eq!((a.told(), b.told()), (vec![], vec![]));
    drop(a);
    assert_eq!(Ours::open(dir_a.path()).cosigned_by(&witness_c.key).map(|it| it.size), Some(size));
}

/// Proves that of a directory that was copied one history is cosigned and the other never: it is told that it was rolled
/// back while it is the smaller one and that it forked after, each with the proof, and both are kept by the witness.
#[tokio::test]
async fn a_copied_log_is_found_out() {
    let (dir, memory) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = Ours::open(dir.path());
    let (_admin, witness) = serve(memory.path(), &[first.key()]).await;
    first.grow(2);
    let mut asks_first = client(&[&witness], &first);
    asks_first.ask_once().await;
    assert_eq!(first.cosigned_by(&witness.key).unwrap().size, 3);
    let copied = copy(dir.path());
    let second = Ours::open(copied.path());
    let mut asks_second = client(&[&witness], &second);
    asks_second.ask_once().await;
    assert_eq!(second.told(), [], "a copy is the same log until it grows");
    first.grow(2);
    asks_first.ask_once().await;

    second.grow(1);
    asks_second.ask_once().await;
    let rolled_back = Contradiction::RolledBack { size: 5 };
    assert_eq!(second.told(), [rolled_back]);
    second.grow(1);
    asks_second.ask_once().await;
    let forked = Contradiction::Forked { size: 5 };
    assert_eq!(second.told(), [rolled_back, forked]);
    for told in second.told.lock().unwrap().iter() {
        let proof = second.key().open_checkpoint(told.proof.as_deref().unwrap()).unwrap();
        assert_eq!((proof.size, Some(proof.root)), (5, first.root_at(5)));
    }
    second.grow(1);
    for _ in 0..2 {
        asks_second.ask_once().await;
        let mut after_restart = client(&[&witness], &second);
        after_restart.ask_once().await;
        assert_eq!(second.told().last(), Some(&forked));
    }
    assert_eq!(second.cosigned_by(&witness.key).unwrap().size, 3, "what it got before it was a second history");
    first.grow(1);
    asks_first.ask_once().await;
    assert_eq!((first.cosigned_by(&witness.key).unwrap().size, first.told()), (6, vec![]));
    let kept = memory.path().join("peers").join(origin_sha256(first.key().name()));
    let conflict = std::fs::read_to_string(kept.join("conflict")).unwrap();
    let (ours, theirs) = conflict.split_once("\n\nold 5\n\n").unwrap();
    let sizes = [format!("{ours}\n"), theirs.to_owned()].map(|note| first.key().open_checkpoint(&note).unwrap().size);
    assert_eq!(sizes, [5, 5]);
    assert!(kept.join("inconsistent").exists());
}

/// Proves that a log put back to any of its earlier states is told so as soon as one witness remembers, and not once it
/// is whole again.
#[tokio::test]
async fn a_log_put_back_is_told_before_it_signs() {
    let (dir, memory) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = Ours::open(dir.path());
    let (_admin, witness) = serve(memory.path(), &[log.key()]).await;
    let mut asks = client(&[&witness], &log);
    let mut states = Vec::new();
    for _ in 0..5 {
        states.push(copy(dir.path()));
        log.grow(1);
    }
    asks.ask_once().await;
    for state in &states {
        let old = Ours::open(state.path());
        client(&[&witness], &old).ask_once().await;
        assert_eq!(old.told(), [Contradiction::RolledBack { size: 6 }]);
        assert_eq!(old.cosigned_by(&witness.key), None);
    }
    for _ in 0..3 {
        client(&[&witness], &log).ask_once().await;
    }
    assert_eq!((log.told(), log.cosigned_by(&witness.key).unwrap().size), (vec![], 6));
}

/// Proves that a witness that is away, silent or talks nonsense costs a cosignature and concludes nothing.
#[tokio::test]
async fn nonsense_concludes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let log = Ours::open(dir.path());
    log.grow(3);
    let key = Cosigner::from_seed("w.example", &[1; 32]).unwrap().verifier().clone();
    let other = Cosigner::from_seed("w.example", &[2; 32]).unwrap();
    let text = split_note(&log.checkpoint()).unwrap().0.to_owned();
    let size_type = "text/x.tlog.size";
    let answers = [
        (200, "text/plain", other.cosign(&text, 1)),
        (200, "text/plain", "x".repeat(1 << 20)),
        (409, "text/plain", "9\n".to_owned()),
        (409, size_type, "nine\n".to_owned()),
        (404, size_type, "9\n".to_owned()),
        (422, "text/plain", String::new()),
        (500, size_type, "9\n".to_owned()),
        (307, size_type, String::new()),
    ];
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut urls = vec![format!("http://{}", silent.local_addr().unwrap()), "http://127.0.0.1:1".to_owned()];
    for (status, content_type, body) in answers {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        urls.push(format!("http://{}", listener.local_addr().unwrap()));
        let status = StatusCode::from_u16(status).unwrap();
        let answer = move || {
            let body = body.clone();
            async move { (status, [(header::CONTENT_TYPE, content_type), (header::LOCATION, "/elsewhere")], body) }
        };
        let router = Router::new().fallback(any(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
    }
    let witnesses: Vec<_> = urls.into_iter().map(|url| config::Witness { url, key: key.clone() }).collect();
    let mut witnesses = client(&witnesses.iter().collect::<Vec<_>>(), &log);
    for _ in 0..2 {
        witnesses.ask_once().await;
    }
    assert_eq!((log.told(), log.cosigned_by(&key)), (vec![], None));
}

/// Proves the status, the content type and the openness of every answer of the API.
#[tokio::test]
async fn the_api_answers_as_specified() {
    let (dir, memory) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = Ours::open(dir.path());
    let (admin, witness) = serve(memory.path(), &[log.key()]).await;
    log.grow(4);
    let note = log.checkpoint();
    let request = |old_size, note: &str| Request { old_size, proof: vec![], note: note.to_owned() }.to_string();
    let stranger = Signer::from_seed("example.com/stranger", &[1; 32]).unwrap().sign_checkpoint(1, [1; 32]);
    let impostor = Signer::from_seed(log.key().name(), &[1; 32]).unwrap().sign_checkpoint(5, [1; 32]);
    let path = format!("/{}/checkpoint", origin_sha256(log.key().name()));
    assert_eq!(admin.get(&path).await.status(), 404);
    let table = [
        (String::new(), 400, "application/problem+json"),
        (request(0, &stranger), 404, "application/problem+json"),
        (request(0, &impostor), 403, "application/problem+json"),
        (request(6, &note), 400, "application/problem+json"),
        (request(3, &note), 409, "text/x.tlog.size"),
        (request(0, &note), 200, "text/plain; charset=utf-8"),
        (request(0, &note), 409, "text/x.tlog.size"),
        (request(5, &note), 200, "text/plain; charset=utf-8"),
        ("x".repeat(2 << 20), 413, "application/problem+json"),
    ];
    for (body, status, content_type) in table {
        let answer = admin.post("/add-checkpoint", body.clone()).await;
        let found = (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap());
        assert_eq!(found, (status, content_type), "{body:.99}");
        let text = answer.text().await.unwrap();
        match status {
            200 => assert!(witness.key.line_over(split_note(&note).unwrap().0, &text).is_some(), "{text}"),
            409 => assert_eq!(text, if body.starts_with("old 3") { "0\n" } else { "5\n" }),
            _ => {}
        }
    }
    log.grow(1);
    let unproven = admin.post("/add-checkpoint", request(5, &log.checkpoint())).await;
    assert_eq!(unproven.status(), 422);
    let remembered = admin.get(&path).await.text().await.unwrap();
    assert_eq!(log.key().open_checkpoint(&remembered).unwrap().size, 5);
    assert!(witness.key.open(&remembered).unwrap().is_some());
    assert_eq!(admin.get("/witness/vkey").await.text().await.unwrap(), format!("{}\n", witness.key));
    assert_eq!(admin.get("/log/vkey").await.status(), 401, "the log itself is guarded");
    admin.stop().await;

    let none = Admin::start(Options::default()).await;
    assert_eq!(none.post("/add-checkpoint", request(0, &note)).await.status(), 404);
    assert_eq!(none.get("/witness/vkey").await.status(), 404);
    assert_eq!(none.get("/log/vkey").await.text().await.unwrap(), "test+00000000+AAAA\n");
    assert_eq!(none.get("/log/cosigned").await.status(), 404);
}

fn origin_sha256(origin: &str) -> String {
    freezeframe::core::note::hex(&Sha256::digest(origin))
}

/// A sidecar's own process on `dir`, on the addresses given or free ones.
fn sidecar(dir: &Path, evidence: &Value) -> (Process, String) {
    let config = dir.join("freezeframe.yaml");
    let any = json!({"endpoint": "127.0.0.1:0"});
    let document = json!({
        "receiver": {"otlp": {"grpc": any, "http": any}}, "health": any, "data_dir": dir.join("data"),
        "admin": {"endpoint": "127.0.0.1:0", "token": http::TOKEN}, "evidence": evidence,
    });
    std::fs::write(&config, document.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_freezeframe"));
    let process = Process::start("freezeframe", command.arg("run").arg("--config").arg(&config), dir);
    let url = format!("http://{}", process.line()["admin"].as_str().unwrap());
    (process, url)
}

async fn text(url: &str) -> String {
    String::from_utf8(http::get(url).await.unwrap()).unwrap().trim_end().to_owned()
}

async fn freeze(url: &str, started: &str) {
    let alert = json!({"version": "4", "alerts": [{
        "status": "firing", "labels": {"alertname": "X"}, "annotations": {}, "startsAt": started,
    }]});
    http::send_json(reqwest::Method::POST, &format!("{url}/api/v1/alertmanager"), &alert).await.unwrap();
}

async fn cosigned(url: &str, size: u64) {
    eventually(&format!("{size} leaves are cosigned"), async || {
        let note = http::get(&format!("{url}/log/cosigned")).await?;
        let note = String::from_utf8_lossy(&note).into_owned();
        if note.split('\n').nth(1) == Some(&size.to_string()) { Ok(()) } else { Err(note) }
    })
    .await;
}

/// Proves the wiring by configuration alone: the binary is a witness, gets cosigned by one, and a copy of its directory
/// that goes on in a second process is counted as a contradiction, never cosigned, and goes on as another log. A witness that
/// lost its memory is none, and still a sidecar.
#[tokio::test]
async fn processes_witness_each_other() {
    let (dir_w, dir_l) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (process, url) = sidecar(dir_l.path(), &json!({}));
    let log = text(&format!("{url}/log/vkey")).await;
    process.terminate().await;
    let (witness, witness_url) = sidecar(dir_w.path(), &json!({"witness": {"logs": [log]}}));
    let vkey = text(&format!("{witness_url}/witness/vkey")).await;
    let evidence = json!({"witnesses": [{"url": witness_url, "vkey": vkey}]});
    let (process, url) = sidecar(dir_l.path(), &evidence);
    cosigned(&url, 1).await;
    let copied = copy(dir_l.path());
    freeze(&url, "2026-11-22T02:19:00Z").await;
    cosigned(&url, 2).await;
    let metrics = text(&format!("{url}/metrics")).await;
    assert!(metrics.contains("freezeframe_witness_size{"), "{metrics}");
    process.terminate().await;

    witness.terminate().await;
    std::fs::remove_file(dir_w.path().join("data/peers/vkey")).unwrap();
    let (witness, forgetful) = sidecar(dir_w.path(), &json!({"witness": {"logs": [log]}}));
    assert!(http::get(&format!("{forgetful}/witness/vkey")).await.unwrap_err().contains("404"), "without its memory");
    witness.terminate().await;
    std::fs::write(dir_w.path().join("data/peers/vkey"), &vkey).unwrap();
    let (_witness, witness_url) = sidecar(dir_w.path(), &json!({"witness": {"logs": [log]}}));
    let evidence = json!({"witnesses": [{"url": witness_url, "vkey": vkey}]});

    let (_second, url) = sidecar(copied.path(), &evidence);
    let contradictions = async |kind: &str| {
        let label = format!("kind=\"{kind}\"");
        eventually(&label, async || {
            let metrics = text(&format!("{url}/metrics")).await;
            let mut lines =
                metrics.lines().filter(|line| line.starts_with("freezeframe_witness_contradictions_total{"));
            lines.find(|line| line.contains(&label)).map(str::to_owned).ok_or(metrics.clone())
        })
        .await
    };
    contradictions("rolled_back").await;
    eventually("another log begins", async || match text(&format!("{url}/log/vkey")).await {
        now if now == log => Err(now),
        _ => Ok(()),
    })
    .await;
    freeze(&url, "2026-11-22T02:20:00Z").await;
    let checkpoint = text(&format!("{url}/log/checkpoint")).await;
    assert_eq!(checkpoint.split('\n').nth(1), Some("3"), "genesis, incident and the frame: {checkpoint}");
    assert!(http::get(&format!("{url}/log/cosigned")).await.is_err(), "nobody cosigned the second history");
}
