//! Completeness over recorded telemetry of real SDKs: what each lacks, the setting that closes it, and that a frame
//! says so instead of calling a variable unchanged.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use freezeframe::config::{self, Config, Source};
use freezeframe::core::completeness::{ANY, Completeness, DIALECTS, FIELDS, REMEDIES, missing};
use freezeframe::core::request::Request;
use freezeframe::core::time::UnixNanos;
use freezeframe::engine::handle::ForeignAlert;
use freezeframe::engine::registry::{ALL, Registry};
use freezeframe::engine::{Effect, Engine};
use freezeframe::toolkit::input::Index;
use freezeframe::toolkit::requests::Requests;
use serde_json::{Value as Json, json};

const CONTENT: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=span_only";

fn config() -> Config {
    config::load(&Source::Default, &|_| None).expect("the defaults are valid").0
}

/// The requests of one scenario.
fn requests(dialect: &str, scenario: &str) -> Vec<Request> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures").join(dialect);
    let number = |rest: &str| rest.starts_with(|it: char| it.is_ascii_digit());
    let wanted = |path: &PathBuf| {
        let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
        let rest = name.strip_prefix(scenario).and_then(|rest| rest.strip_prefix('-'));
        rest.is_some_and(|rest| number(rest) && (rest.ends_with(".traces.pb") || rest.ends_with(".logs.pb")))
    };
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).filter(wanted).collect();
    paths.sort();
    let mut index = Index::read(&paths, &mut |_| {}).unwrap();
    Requests::new(index.in_time(), &config()).map(Result::unwrap).collect()
}

/// Proves, capture by capture, which fields are missing and which are not, where there is no doubt about either.
#[test]
fn captures_lack_what_their_instrumentation_left_out() {
    let content = ["prompt_sha256", "user_query", "response"];
    let table: [(&str, &str, &[&str], &[&str]); 10] = [
        (
            "official-nocontent",
            "chat",
            &content,
            &["time_to_first_token_ms", "tools", "documents", "model", "latency_ms"],
        ),
        ("official-nocontent", "stream", &content, &["time_to_first_token_ms", "input_tokens", "finish_reason"]),
        ("official-nocontent", "tools", &["prompt_sha256", "tool_schemas"], &["tools", "input_tokens"]),
        ("official-latest", "chat", &["prompt_version"], &content),
        ("official-latest", "stream-nousage", &["input_tokens", "output_tokens"], &content),
        ("official-latest", "rag", &["documents", "index_version"], &["index"]),
        ("official-js", "chat", &content, &["model", "output_tokens"]),
        ("openinference", "stream", &["prompt_version"], &["time_to_first_token_ms", "output_tokens", "response"]),
        ("openinference", "rag", &["index"], &["prompt_version", "documents"]),
        ("openinference", "eval", &["prompt_version"], &["evaluations", "feedback"]),
    ];
    for (dialect, scenario, wanted, unwanted) in table {
        let requests = requests(dialect, scenario);
        assert!(!requests.is_empty(), "{dialect}/{scenario}");
        for request in requests {
            let missing = missing(&request);
            assert!(wanted.iter().all(|it| missing.contains(it)), "{dialect}/{scenario}: {missing:?}");
            assert!(!unwanted.iter().any(|it| missing.contains(it)), "{dialect}/{scenario}: {missing:?}");
        }
    }
}

/// Proves that the gaps of recorded traffic come with the very setting that its instrumentation has for them.
#[test]
fn gaps_come_with_their_setting() {
    let table = [
        ("official-nocontent", "chat", "user_query", CONTENT),
        ("official-nocontent", "tools", "tool_schemas", CONTENT),
        ("official-latest", "stream-nousage", "output_tokens", "stream_options={\"include_usage\": True}"),
        ("official-latest", "rag", "documents", CONTENT),
        ("openinference", "chat", "prompt_version", "using_prompt_template("),
        ("openllmetry", "chat", "prompt_version", "Traceloop.set_prompt("),
        ("openinference", "rag", "index", "gen_ai.data_source.id"),
    ];
    for (dialect, scenario, field, setting) in table {
        let mut completeness = Completeness::default();
        requests(dialect, scenario).iter().for_each(|it| completeness.observe(it));
        let remedy = completeness.remedy(field);
        assert!(remedy.is_some_and(|it| it.contains(setting)), "{dialect}/{scenario} {field}: {remedy:?}");
    }
}

/// The frame of an engine that has seen `requests`, each ten times.
fn frame(requests: &[Request]) -> Json {
    let config = Arc::new(config());
    let start = requests[0].ended_at;
    let mut engine = Engine::new(config.clone(), Arc::new(Registry::new(config.features.max)), 1, start);
    let mut now = start;
    for request in requests.iter().cycle().take(requests.len() * 10) {
        now = UnixNanos(now.0 + 1_000_000_000);
        engine.tick(now);
        engine.request(Request { ended_at: now, ..request.clone() }, now);
    }
    let alert = ForeignAlert {
        fingerprint: "0123456789abcdef".into(),
        starts_at: start,
        name: "Foreign".into(),
        feature: ALL.into(),
        class: None,
        severity: None,
    };
    engine.witness(&alert, now);
    let frozen = engine.take_effects().into_iter().find_map(|effect| match effect {
        Effect::Freeze(frame) => Some(Json::Object(frame.body.clone())),
        Effect::Record(_) | Effect::Notice(_) => None,
    });
    frozen.expect("a frame of the foreign alert")
}

/// Proves that a frame over traffic without content calls the prompt missing and says what to set, that the variables
/// which need no content are there, and that measuring goes on.
#[test]
fn a_frame_says_what_was_not_captured() {
    let requests: Vec<Request> =
        ["chat", "stream", "tools"].iter().flat_map(|it| requests("official-nocontent", it)).collect();
    let frame = frame(&requests);
    let prompt = &frame["variables"]["prompt_revision"];
    assert_eq!((&prompt["state"], &prompt["moved"]), (&json!("missing"), &Json::Null));
    for variable in ["prompt_revision", "tool_schemas"] {
        let reason = frame["variables"][variable]["reason"].as_str().unwrap_or_default();
        assert!(reason.starts_with("not captured: set ") && reason.contains(CONTENT), "{variable}: {reason}");
    }
    assert_eq!(frame["variables"]["model_route"]["state"], "captured");
    assert_eq!(frame["completeness"]["user_query"], 0.0);
    assert_eq!(frame["completeness"]["documents"], Json::Null, "nothing was retrieved");
    let gaps = frame["completeness_gaps"].as_array().unwrap();
    let gap = gaps.iter().find(|gap| gap["field"] == "prompt_sha256").unwrap();
    assert_eq!((&gap["share"], &gap["dialect"]), (&json!(0.0), &json!("gen_ai")));
    for signal in ["latency_p95", "time_to_first_token_p95"] {
        let measured = &frame["signals"][signal]["incident"];
        assert!(measured["p95"].is_number(), "{signal}: {}", frame["signals"]);
    }
}

/// Proves that content capture makes the prompt a captured variable without a reason.
#[test]
fn a_frame_over_captured_content_has_no_reason() {
    let prompt = &frame(&requests("official-latest", "chat"))["variables"]["prompt_revision"];
    assert_eq!((&prompt["state"], &prompt["reason"]), (&json!("captured"), &Json::Null));
}

/// Proves that the reference holds every field and every setting as they are; `UPDATE=1` writes it.
#[test]
#[expect(clippy::disallowed_methods, reason = "UPDATE is a switch of the test, not of the program")]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/completeness.md");
    let reference = reference();
    if std::env::var("UPDATE").is_ok() {
        std::fs::write(&path, &reference).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), reference, "run with UPDATE=1");
}

fn reference() -> String {
    let mut out = String::from(
        "# Completeness of the telemetry\n\n\
         Which fields of the minimum telemetry requests carry, counted by feature and dialect over one to two long\n\
         windows. A field that does not apply to a request counts neither as carried nor as a gap. The score is the mean\n\
         share over the fields that apply; a sampled field (*) counts in full once one request carried it, since most\n\
         requests are neither judged nor complained of. Below 95 % (sampled: at none) a field has a gap, and every gap\n\
         comes with the setting that closes it.\n\n\
         Shown by `freezeframe inspect` (under the table, and alone with `--completeness`), in\n\
         `GET /api/v1/features/{feature}`, in frames (`completeness`, `completeness_gaps`, and the `reason` of a variable\n\
         that is not captured) and as `freezeframe_telemetry_completeness_ratio{feature,field}` and\n\
         `freezeframe_telemetry_completeness_score{feature,dialect}`.\n\n\
         This page is made from the tables in `src/core/completeness/`.\n\n\
         ## Fields\n\n| field | group | what it takes |\n|---|---|---|\n",
    );
    for field in &FIELDS {
        let mark = if field.is_sampled { "*" } else { "" };
        let content = if field.is_content { " (content)" } else { "" };
        writeln!(out, "| `{}`{mark} | {} | {}{content} |", field.name, field.group.as_str(), field.about).unwrap();
    }
    out.push_str("\n## Settings\n\nThe last section holds for what has no row of its own.\n");
    for dialect in DIALECTS.into_iter().chain([ANY]) {
        let rows: Vec<_> = REMEDIES.iter().filter(|row| row.dialect == dialect).collect();
        if rows.is_empty() {
            continue;
        }
        write!(out, "\n### {dialect}\n\n| fields | what closes the gap |\n|---|---|\n").unwrap();
        for row in rows {
            let fields: Vec<String> = row.fields.iter().map(|it| format!("`{it}`")).collect();
            writeln!(out, "| {} | {} |", fields.join(", "), row.text.replace('|', "\\|")).unwrap();
        }
    }
    out
}
