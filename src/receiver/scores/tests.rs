use super::*;
use crate::otlp::{Logs, Value};

const LANGFUSE: &[u8] = include_bytes!("../../../tests/fixtures/scores/langfuse-01.json");
const LANGSMITH: &[u8] = include_bytes!("../../../tests/fixtures/scores/langsmith-01.json");

/// One line a record: ids, time, attributes.
fn shown(received: Received) -> Vec<String> {
    let logs = Logs::parse(received.export).expect("what we wrote");
    let line = |record: crate::otlp::LogRecord<'_>| {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let said = record.attributes().map(|(key, value)| {
            let key = String::from_utf8_lossy(key).replace("gen_ai.evaluation.", "");
            match value {
                Value::Str(text) => format!("{key}={}", String::from_utf8_lossy(text)),
                Value::Double(number) => format!("{key}={number}"),
                Value::Bool(flag) => format!("{key}={flag}"),
                other => format!("{key}={other:?}"),
            }
        });
        let said = said.collect::<Vec<_>>().join(" ");
        format!("{} {} {} {said}", hex(record.trace_id), hex(record.span_id), record.time_unix_nano)
    };
    logs.records().map(|(_, _, record)| line(record)).collect()
}

/// Proves what the captured bodies of the real SDKs become.
#[test]
fn captured_bodies_are_read() {
    let scores = Api::LangfuseScores.read(LANGFUSE).unwrap();
    assert_eq!((scores.status, scores.left_out), (StatusCode::ACCEPTED, 0));
    assert_eq!(
        shown(scores),
        [
            "5c2ce2219462d03c9d50c8652683b004 9ff6ebae263adb4b 1795311066798572000 evaluator.name=gpt-4o \
         explanation=Grounded in the two retrieved documents. name=relevance rubric.version=v3 score.value=0.8 \
         metadata={\"judge\":\"gpt-4o\",\"rubric\":\"v3\"}",
            "5c2ce2219462d03c9d50c8652683b004  1795311066800435000 evaluator.type=human explanation=thumbs up \
         name=user_feedback score.value=true",
        ]
    );
    let feedback = Api::LangsmithFeedback.read(LANGSMITH).unwrap();
    assert_eq!((feedback.status, feedback.answer["key"].as_str()), (StatusCode::OK, Some("user_feedback")));
    assert_eq!(
        shown(feedback),
        ["01a200e2c67977859fd021c7e2a86dd2 01a200e2c6797785 1795311192423665000 evaluator.type=human \
         explanation=thumbs up name=user_feedback score.value=1",]
    );
}

/// Proves the answers to one score, to a list that is good in part, and to a batch of events.
#[test]
fn answers_are_those_of_the_servers() {
    let trace = "5c2ce2219462d03c9d50c8652683b004";
    let score = format!(r#"{{"traceId":"{trace}","name":"tone","value":"formal","dataType":"CATEGORICAL"}}"#);
    let one = Api::LangfuseScores.read(score.as_bytes()).unwrap();
    assert_eq!((one.status, one.answer["id"].as_str().map(str::len)), (StatusCode::OK, Some(16)));
    assert_eq!(shown(one), [format!("{trace}  0 name=tone score.label=formal")]);

    let list = format!(r#"[{score},{{"name":"x"}},{{"name":"s","value":1,"sessionId":"session"}}]"#);
    let some = Api::LangfuseScores.read(list.as_bytes()).unwrap();
    assert_eq!((some.status, some.left_out), (StatusCode::MULTI_STATUS, 2));
    assert_eq!((&some.answer["accepted"], &some.answer["rejected"]), (&json!(2), &json!(1)));

    let batch = format!(
        r#"{{"batch":[{{"id":"e1","type":"score-create","timestamp":"1970-01-01T00:00:01Z","body":{score}}},
            {{"id":"e2","type":"trace-create","timestamp":"1970-01-01T00:00:01Z","body":{{}}}}]}}"#
    );
    let batch = Api::LangfuseIngestion.read(batch.as_bytes()).unwrap();
    assert_eq!((batch.status, batch.left_out), (StatusCode::MULTI_STATUS, 1));
    assert_eq!(batch.answer["successes"], json!([{ "id": "e1", "status": 201 }]));
    assert_eq!((&batch.answer["errors"][0]["id"], &batch.answer["errors"][0]["status"]), (&json!("e2"), &json!(400)));
    assert_eq!(shown(batch), [format!("{trace}  1000000000 name=tone score.label=formal")]);
}

/// Proves that a response id goes before ids of runs, and who is taken for a judge and who for a human.
#[test]
fn feedback_is_placed_by_what_finds_the_answer() {
    let run = "01a200e2-c679-7785-9fd0-21c7e2a86dd2";
    let feedback = |source: &str| {
        let body = format!(
            r#"{{"run_id":"{run}","key":"helpful","score":true,"value":"yes","feedback_source":{source},"extra":null}}"#
        );
        shown(Api::LangsmithFeedback.read(body.as_bytes()).unwrap()).remove(0)
    };
    assert_eq!(
        feedback(r#"{"type":"model","metadata":{"response_id":"chatcmpl-1"}}"#),
        "  0 evaluator.type=llm_judge name=helpful score.label=yes score.value=true gen_ai.response.id=chatcmpl-1 \
         metadata={\"response_id\":\"chatcmpl-1\"}"
    );
    assert!(feedback(r#"{"type":"app"}"#).contains("evaluator.type=human"));
    assert!(!feedback(r#"{"type":"api","metadata":null}"#).contains("evaluator.type"));
}

/// Proves that a body that can't be taken says what is wrong with it, and never panics.
#[test]
fn broken_bodies_are_named() {
    for (api, body, expected) in [
        (Api::LangfuseScores, &b"[1"[..], "EOF"),
        (Api::LangfuseScores, b"\xff", "utf-8"),
        (Api::LangfuseScores, br#"{"value":1}"#, "missing field `name`"),
        (Api::LangfuseScores, br#"[{"name":"a","value":{}}]"#, "[0]: value: expected a number or a string"),
        (Api::LangfuseIngestion, b"[]", "invalid"),
        (Api::LangsmithFeedback, br#"{"key":"k","run_id":"x"}"#, "run_id: expected a UUID"),
        (Api::LangsmithFeedback, b"{}", "missing field `key`"),
    ] {
        let error = api.read(body).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
