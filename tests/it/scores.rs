//! Scores of Langfuse and LangSmith by REST, over real sockets: what their SDKs sent, and every refusal.

use expect_test::expect;
use freezeframe::config;
use freezeframe::engine::handle::Command;
use freezeframe::otlp::Logs;

use crate::stub;
use crate::wire::{gzip, http_answer, http1, post};

const LANGFUSE: &[u8] = include_bytes!("../fixtures/scores/langfuse-01.json");
const LANGSMITH: &[u8] = include_bytes!("../fixtures/scores/langsmith-01.json");
const ON: config::Scores = config::Scores { langfuse: true, langsmith: true };

/// The engine gets a log record for each captured score, the SDK the answer of its server, and the next hop nothing.
#[tokio::test]
async fn captured_scores_reach_the_engine_alone() {
    let (engine, mut inbox) = stub::engine(8);
    let receiver = stub::receiver(&config::Receiver { scores: ON, ..stub::config() }, engine).await;
    let mut answers = String::new();
    for (path, body) in [
        ("/api/public/scores", LANGFUSE),
        ("/feedback", LANGSMITH),
        ("/api/v1/feedback", LANGSMITH),
        ("/api/public/ingestion", br#"{"batch":[]}"#),
    ] {
        let call = tokio::spawn(post(&receiver, path, "application/json", body.to_vec()));
        let Some(Command::Logs(logs, reply)) = inbox.recv().await else { panic!("not log records") };
        answers += &format!("{path} {}\n", records(&logs));
        stub::answer(Command::Logs(logs, reply), 0);
        let reply = call.await.unwrap();
        let status = reply.status();
        answers += &format!("  {status} {}\n", reply.text().await.unwrap().chars().take(60).collect::<String>());
    }
    expect![[r#"
        /api/public/scores 2 of gen_ai.evaluation.result
          202 Accepted {"message":"Accepted"}
        /feedback 1 of gen_ai.evaluation.result
          200 OK {"comment":"thumbs up","created_at":"2026-11-22T01:33:12.423
        /api/v1/feedback 1 of gen_ai.evaluation.result
          200 OK {"comment":"thumbs up","created_at":"2026-11-22T01:33:12.423
        /api/public/ingestion 0 of 
          207 Multi-Status {"errors":[],"successes":[]}
    "#]]
    .assert_eq(&answers);
    assert_eq!(receiver.tapped.take(), []);
}

fn records(logs: &Logs) -> String {
    let names = logs.records().map(|(_, _, record)| String::from_utf8_lossy(record.event_name).into_owned());
    let mut names: Vec<String> = names.collect();
    let count = names.len();
    names.dedup();
    format!("{count} of {}", names.join(" "))
}

/// Each refusal is that of OTLP/HTTP: off, wrong method, type, encoding, size, body.
#[tokio::test]
async fn scores_are_refused_as_otlp_is() {
    let off = stub::receiver(&stub::config(), stub::accepting(0)).await;
    let on = stub::receiver(&config::Receiver { scores: ON, ..stub::config() }, stub::accepting(0)).await;
    let (json, path) = ("application/json", "/api/public/scores");
    let get = http1().get(format!("http://{}{path}", on.http)).send().await.unwrap();
    let zipped = http1().post(format!("http://{}{path}", on.http)).header("content-type", json);
    let zipped = zipped.header("content-encoding", "gzip").body(gzip(LANGFUSE)).send().await.unwrap();
    let answers = [
        post(&off, path, json, LANGFUSE.to_vec()).await,
        post(&off, "/feedback", json, LANGSMITH.to_vec()).await,
        get,
        post(&on, path, "application/x-protobuf", LANGFUSE.to_vec()).await,
        post(&on, path, json, vec![b' '; (1 << 20) + 1]).await,
        post(&on, path, json, b"[{\"name\": 1}]".to_vec()).await,
        post(&on, "/feedback", json, b"{}".to_vec()).await,
    ];
    let mut lines = format!("{}\n", zipped.status().as_u16());
    for answer in answers {
        lines += &format!("{}\n", http_answer(answer).await);
    }
    expect![[r#"
        202
        404 application/json 12 scores are not taken here; receiver.scores.langfuse: true lets them in
        404 application/json 12 scores are not taken here; receiver.scores.langsmith: true lets them in
        405 application/json allow=POST 12 method not allowed; POST
        415 application/json 12 content type "application/x-protobuf" is not supported; send application/json
        413 application/json 8 larger than 1048576 bytes after decompression
        400 application/json 3 not a score: [0]: invalid type: integer `1`, expected a string at line 1 column 10
        400 application/json 3 not a score: missing field `key`
    "#]]
    .assert_eq(&lines);
}
