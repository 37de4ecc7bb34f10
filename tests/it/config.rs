//! The configuration as a user meets it: loading, complaints, printing, and the generated files.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use expect_test::{Expect, expect};
use freezeframe::cli::{Format, print_config::print_config, validate::validate};
use freezeframe::config::{self, Config, ConfigErrors, Outside, Source, Warning, load, load_from, reference};
use freezeframe::core::breaker::{Action, Cap, Mode};
use freezeframe::core::cosignature::Cosigner;
use freezeframe::core::detect::Relative;
use freezeframe::core::incident::Class;
use freezeframe::core::note::Signer;
use proptest::strategy::Strategy as _;

fn env(name: &str) -> Option<String> {
    match name {
        "TOKEN" => Some("s3cr3t-$-value".to_owned()),
        "ENDPOINT" => Some("http://collector:4317".to_owned()),
        "MAX" => Some("17".to_owned()),
        "YAML" => Some("features: {max: 3}".to_owned()),
        "EVIL" => Some("x\nadmin:\n  endpoint: 0.0.0.0:9".to_owned()),
        _ => None,
    }
}

fn read(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some("/run/token") => Ok("from-file\n".to_owned()),
        Some("/run/prices.json") => {
            Ok("{\"m\": {\"input_cost_per_token\": 1e-6, \"output_cost_per_token\": 2e-6}}".to_owned())
        }
        Some("/run/typo.json") => {
            Ok("[{\"id\": \"p\",\n\"models\": [{\"id\": \"m\",\n\"match\": {\"like\": \"m\"}}]}]".to_owned())
        }
        Some("/run/empty") => Ok("\n".to_owned()),
        Some("/run/ca.pem") => Ok("-----BEGIN CERTIFICATE-----".to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn load_text(text: &str) -> Result<(Config, Vec<Warning>), ConfigErrors> {
    load_from(&Source::Text(text.to_owned()), Outside { env: &env, read: &read })
}

fn valid(text: &str) -> Config {
    load_text(text).unwrap_or_else(|errors| panic!("{errors}")).0
}

fn check(text: &str, expected: &Expect) {
    let errors = load_text(text).expect_err("a document with mistakes");
    expected.assert_eq(&format!("{errors}\n"));
}

fn check_warnings(text: &str, expected: &Expect) {
    let (_, warnings) = load_text(text).expect("a valid document");
    let shown = warnings.iter().fold(String::new(), |mut shown, warning| {
        write!(shown, "{}", warning.render("config", "warning")).expect("a string takes everything");
        shown
    });
    expected.assert_eq(&shown);
}

/// Proves that a price file is read with the configuration, taken up by a reload that changes only its content, and
/// refused with its name, place and reason.
#[test]
fn price_files_are_read_and_checked() {
    let text = "cost: {prices_file: /run/prices.json}\n";
    let config = valid(text);
    assert_eq!(config.cost.prices.as_ref().map(|table| table.models()), Some(1));
    let other = Outside { env: &env, read: &|_| Ok("{\"m\": {\"input_cost_per_token\": 3e-6}}".to_owned()) };
    let changed = load_from(&Source::Text(text.to_owned()), other).unwrap().0;
    let (taken, kept) = changed.clone().taken_up(&config);
    assert!(kept.is_empty() && taken.cost == changed.cost && taken.cost != config.cost);
    check(
        "cost: {prices_file: /run/typo.json}\n",
        &expect![[r#"
        config:1:21: error: cost.prices_file
          found:   /run/typo.json: line 3, column 16: unknown variant `like`, expected one of `equals`, `starts_with`, `ends_with`, `contains`, `regex`, `or`, `and`
          allowed: prices in the JSON form of genai-prices or of LiteLLM
        1 error in config
    "#]],
    );
    check(
        "cost: {prices_file: /run/empty}\n",
        &expect![[r#"
        config:1:21: error: cost.prices_file
          found:   /run/empty: line 2, column 0: EOF while parsing a value
          allowed: prices in the JSON form of genai-prices or of LiteLLM
        1 error in config
    "#]],
    );
    check(
        "cost: {prices_file: /run/none.json}\n",
        &expect![[r#"
        config:1:21: error: cost.prices_file
          found:   /run/none.json: entity not found
          allowed: prices in the JSON form of genai-prices or of LiteLLM
        1 error in config
    "#]],
    );
}

/// Proves that witnesses and witnessed logs are read and shown alike, and that what is wrong with an entry is said.
#[test]
fn witnesses_are_keys_with_addresses() {
    let log = Signer::from_seed("example.com/log", &[7; 32]).unwrap().verifier().to_string();
    let witness = Cosigner::from_seed("example.com/w", &[7; 32]).unwrap().verifier().to_string();
    let text = format!(
        "evidence:\n  witnesses: [{{url: 'http://w:8889/', vkey: '{witness}'}}]\n  witness: {{logs: ['{log}']}}\n"
    );
    let config = valid(&text);
    assert_eq!((config.evidence.witnesses[0].url.as_str(), config.evidence.witnessed_logs.len()), ("http://w:8889", 1));
    assert_eq!(valid(&reference::effective(&config)), config);
    assert_eq!(config.taken_up(&Config::default()).1, ["evidence.witnesses", "evidence.witness.logs"]);
    let hints = [
        ("witnesses: {}", "write a list"),
        ("witnesses: [x]", "entry 1: not a map of url and vkey"),
        ("witnesses: [{url: 'http://w'}]", "entry 1: a witness has url and vkey, and nothing else"),
        ("witnesses: [{url: 'http://w', key: x}]", "entry 1: vkey is not that of a witness"),
        ("witnesses: [{url: w, vkey: W}]", "entry 1: url is no URL"),
        ("witnesses: [{url: 'http://w', vkey: W}, {url: 'http://v', vkey: W}]", "entry 2: the key of an earlier entry"),
        ("witnesses: [{url: 'http://w', vkey: L}]", "entry 1: vkey is not that of a witness"),
        ("witness: {logs: [W]}", "entry 1: not the vkey of a log"),
        ("witness: {logs: [L, L]}", "entry 2: an earlier entry again"),
    ];
    for (section, hint) in hints {
        let section = section.replace('W', &format!("'{witness}'")).replace('L', &format!("'{log}'"));
        let errors = load_text(&format!("evidence: {{{section}}}\n")).expect_err(&section).errors;
        assert!(errors[0].hint.as_deref().is_some_and(|told| told.contains(hint)), "{section}: {errors:?}");
    }
    let many = vec![format!("'{log}'"); config::WITNESSED_LOGS_MAX + 1].join(", ");
    assert!(load_text(&format!("evidence: {{witness: {{logs: [{many}]}}}}")).is_err());
}

/// Proves what a running process takes up of a new configuration, and that it says what needs a restart.
#[test]
fn a_reload_takes_up_what_can_change_and_names_the_rest() {
    let load = |text: &str| load(&Source::Text(text.to_owned()), &|_| None).unwrap().0;
    let running = load("");
    let new = load(
        "admin: {endpoint: '127.0.0.1:9999'}\nfeatures: {keys: [my.key], max: 7}\nrules: {disabled: [LLMDataLeak]}\n\
         shutdown_timeout: 9s\n",
    );
    let (taken, kept) = new.clone().taken_up(&running);
    assert_eq!(kept, ["admin.endpoint", "features.max", "shutdown_timeout"]);
    assert_eq!((&taken.rules, &taken.features.keys), (&new.rules, &new.features.keys));
    assert_eq!((taken.features.max, &taken.admin), (running.features.max, &running.admin));
    assert!(running.clone().taken_up(&running).1.is_empty());
}

/// Proves that no file, an empty one and one of empty sections all mean the defaults, and that those are sound.
#[test]
fn everything_is_optional() {
    let (config, warnings) = load(&Source::Default, &|_| None).unwrap();
    assert_eq!((&config, warnings.len()), (&Config::default(), 0));
    for text in ["", "# nothing\n", "{}", "receiver:\nexporter:\n  otlp:\n", "rules: {rules: []}\nbreakers: []\n"] {
        assert_eq!(valid(text), config, "{text:?}");
    }
}

/// Proves that the defaults with forwarding and Alertmanager on keep to the memory limit.
#[test]
fn defaults_fit_the_memory_limit_with_everything_on() {
    let config = valid("exporter: {otlp: {endpoint: '${env:ENDPOINT}'}}\nalertmanager: {urls: ['http://am:9093']}\n");
    assert_eq!(config.exporter.unwrap().endpoint, "http://collector:4317");
    assert_eq!(config.alertmanager.unwrap().urls, ["http://am:9093"]);
}

/// Proves that each source is read: a file, a variable, text; and that what can't be read is an error.
#[test]
fn sources() {
    let outside = Outside {
        env: &env,
        read: &|path| if path == Path::new("a.yaml") { Ok("features: {max: 5}".into()) } else { read(path) },
    };
    assert_eq!(load_from(&Source::parse("a.yaml"), outside).unwrap().0.features.max, 5);
    assert_eq!(load_from(&Source::parse("env:YAML"), outside).unwrap().0.features.max, 3);
    assert_eq!(load_from(&Source::parse("env:NONE"), outside).unwrap_err().source, "env:NONE");
    assert_eq!(load_from(&Source::parse("b.yaml"), outside).unwrap_err().errors.len(), 1);
}

/// Proves that variables reach strings, numbers and secrets, that tokens come from files, and that a value with
/// newlines adds no fields.
#[test]
fn variables_and_files() {
    let config = valid(
        "features: {max: '${env:MAX}'}\nadmin: {token: '${env:TOKEN}'}\nalertmanager: {urls: ['http://a'], token_file: /run/token}\n",
    );
    assert_eq!(config.features.max, 17);
    assert_eq!(config.admin.token.unwrap().0, "s3cr3t-$-value");
    assert_eq!(config.alertmanager.unwrap().token.unwrap().0, "from-file");
    check(
        "data_dir: ${env:EVIL}\nadmin: {token_file: /run/empty}\nalertmanager: {token: x, token_file: /run/token}\n",
        &expect![[r#"
            config:1:11: error: data_dir
              found:   "x\nadmin:\n  endpoint: 0.0.0.0:9"
              allowed: a path
            config:2:21: error: admin.token_file
              found:   /run/empty without a token
              allowed: a file with one line
            config:3:38: error: alertmanager.token_file
              found:   a token and a token file
              allowed: alertmanager.token or alertmanager.token_file
            3 errors in config
        "#]],
    );
}

/// Proves that every mistake of a document is reported in one run, in order, with place, value, range and hint.
#[test]
fn all_errors_at_once() {
    check(
        r#"
reciever: {otlp: {grpc: {endpoint: 127.0.0.1:1}}}
exporter:
  otlp:
    endpiont: http://collector:4317
    timeout: 10
    compression: zstd
    sending_queue: 5
    retry_on_failure: {initial_interval: 1m, max_interval: 30s}
    headers: {x-token: 17}
features: {max: 0, keys: feature}
admin: {endpoint: "0.0.0.0:8889", token: 12345}
windows: {slot: 7s, short: 2h}
queue_size: 1
shutdown_timeout: soon
telemetry: {log_format: xml}
"#,
        &expect![[r#"
            config:2:1: error: reciever
              found:   an unknown field
              allowed: receiver, exporter, admin, health, data_dir, features, fields, assembly, windows, memory, alerting, rules, breakers, alertmanager, cost, redaction, evidence, telemetry, shutdown_timeout, judges
              hint:    did you mean receiver?
            config:5:5: error: exporter.otlp.endpiont
              found:   an unknown field
              allowed: endpoint, protocol, headers, compression, timeout, tls, sending_queue, retry_on_failure
              hint:    did you mean endpoint?
            config:6:14: error: exporter.otlp.timeout
              found:   10
              allowed: a duration from 100ms to 5m
              hint:    add a unit, as 10s
            config:7:18: error: exporter.otlp.compression
              found:   "zstd"
              allowed: none or gzip
            config:8:20: error: exporter.otlp.sending_queue
              found:   5
              allowed: a section with queue_size, bytes_max, num_consumers
            config:10:14: error: exporter.otlp.headers
              found:   [REDACTED]
              allowed: name: string pairs
            config:11:17: error: features.max
              found:   0
              allowed: a whole number from 1 to 10000
            config:11:26: error: features.keys
              found:   "feature"
              allowed: a list of strings
            config:12:42: error: admin.token
              found:   [REDACTED]
              allowed: a string of one line, or nothing
              hint:    put it in quotes
            config:13:17: error: windows
              found:   windows that the built-in rule LLMRetrievalOutage can't have
              allowed: a slot that divides 5m, and windows.long of 5m or more
            config:13:17: error: windows.long
              found:   1h
              allowed: a multiple of windows.slot, 7s
            config:13:17: error: windows.baseline
              found:   1h
              allowed: a multiple of windows.slot, 7s
            config:13:28: error: windows.short
              found:   2h
              allowed: a multiple of windows.slot, 7s
            config:13:28: error: windows.short
              found:   2h
              allowed: at most windows.long, 1h
            config:13:28: error: windows.baseline
              found:   1h
              allowed: at least windows.short, 2h
            config:14:1: error: queue_size
              found:   an unknown field
              allowed: receiver, exporter, admin, health, data_dir, features, fields, assembly, windows, memory, alerting, rules, breakers, alertmanager, cost, redaction, evidence, telemetry, shutdown_timeout, judges
              hint:    did you mean exporter.otlp.sending_queue.queue_size?
            config:15:19: error: shutdown_timeout
              found:   "soon"
              allowed: a duration from 1s to 10m
            config:16:25: error: telemetry.log_format
              found:   "xml"
              allowed: text or json
            config: error: memory.limit
              found:   a worst case of 1205MiB (receiver 128MiB + forward queue 0B + assembly 74MiB + declarations 4MiB + windows 943MiB + records 42MiB + judges 0B + rows 16MiB)
              allowed: at most 512MiB
              hint:    raise memory.limit, or lower the limits behind windows
            19 errors in config
        "#]],
    );
}

/// Proves that rules and breakers are checked entry by entry.
#[test]
fn errors_in_lists() {
    check(
        r#"
rules:
  disabled: [LLMNothing]
  rules:
    - name: LLMLatencyHigh
      limit: {fixed: 3, baseline_factor: -1}
      window: 7s
    - name: Mine
      signal: error_ratoi
      limit: {fixed: 1.5, baseline_factor: 2, baseline_delta: 0.1}
    - name: Mine
      class: COST_SPIKE
      severity: SEV-2
      signal: error_ratio
      direction: above
      limit: {fixed: 1.5}
      samples_min: 0
      features: ["a[bc]"]
      colour: red
breakers:
  - {class: QUALITY_DEGRADATION, probe_share: 1.5}
  - {class: QUALITY_DEGRADATION, mode: enforce}
  - {mode: enforce}
"#,
        &expect![[r#"
            config:3:13: error: rules.disabled
              found:   "LLMNothing"
              allowed: LLMRetrievalOutage, LLMRetrievalEmpty, LLMRetrievalScoreLow, LLMQualityCollapse, LLMQualityDegradation, LLMEvaluationFailing, LLMEvaluationScoreLow, LLMFeedbackNegative, LLMRefusalSpike, LLMBlockSpike, LLMOutage, LLMErrorRateHigh, LLMLatencyHigh, LLMLatencyRegression, LLMTimeToFirstTokenHigh, LLMToolFailures, LLMCostSpike, LLMTokenSpike, LLMRetryStorm, LLMDataLeak
            config:6:42: error: rules.rules[0].limit.baseline_factor
              found:   -1
              allowed: a number above 0
            config:7:15: error: rules.rules[0].window
              found:   7s
              allowed: a multiple of windows.slot, 10s, and at most windows.long, 1h
            config:8:7: error: rules.rules[1].class
              found:   nothing
              allowed: a value: a rule of its own needs it
            config:8:7: error: rules.rules[1].severity
              found:   nothing
              allowed: a value: a rule of its own needs it
            config:8:7: error: rules.rules[1].direction
              found:   nothing
              allowed: a value: a rule of its own needs it
            config:9:15: error: rules.rules[1].signal
              found:   "error_ratoi"
              allowed: one of quality, error_ratio, refusal_ratio, block_ratio, empty_retrieval_ratio, tool_success_ratio, evaluation_pass_ratio, bad_feedback_ratio, leak_ratio, latency_p95, time_to_first_token_p95, tokens_per_request, cost_per_request, retries_per_request, retrieval_score_p50, evaluation_score, model_seconds_per_request, retrieval_seconds_per_request, tool_seconds_per_request
              hint:    did you mean error_ratio?
            config:10:63: error: rules.rules[1].limit.baseline_delta
              found:   a factor and a delta
              allowed: one of them
              hint:    a built-in rule's part is taken out with null, as baseline_factor: null
            config:11:13: error: rules.rules[2].name
              found:   "Mine" a second time
              allowed: one rule of each name
            config:16:22: error: rules.rules[2].limit.fixed
              found:   1.5
              allowed: a share from 0 to 1, as the signal is
            config:17:20: error: rules.rules[2].samples_min
              found:   0
              allowed: a whole number from 1 to 1000000
            config:18:17: error: rules.rules[2].features
              found:   "a[bc]"
              allowed: globs of *, ? and plain characters
            config:19:7: error: rules.rules[2].colour
              found:   an unknown field
              allowed: name, class, severity, signal, direction, limit, window, window_samples, for, keep_firing_for, samples_min, features, summary
            config:21:47: error: breakers[0].probe_share
              found:   1.5
              allowed: a number from 0 to 1
            config:22:5: error: breakers[1]
              found:   QUALITY_DEGRADATION a second time
              allowed: one entry a class
            config:23:5: error: breakers[2].class
              found:   no class
              allowed: one of RETRIEVAL_OUTAGE, QUALITY_DEGRADATION, PERFORMANCE_DEGRADATION, COST_SPIKE, DATA_INCIDENT
            16 errors in config
        "#]],
    );
}

/// Proves the relations between fields that no field can see alone.
#[test]
fn errors_between_fields() {
    check(
        "receiver: {otlp: {http: {endpoint: 127.0.0.1:4317}}}\nhealth: {endpoint: '0.0.0.0:4317'}\nmemory: {limit: 64MiB}\nexporter: {otlp: {endpoint: 'http://127.0.0.1:4317', tls: {cert_file: /run/ca.pem}}}\nredaction: {blocked_values: ['(']}\nevidence: {origin: 'a b'}\nalertmanager: {urls: ['http://a'], labels: {a-b: c}}\nwindows: {long: 4m, short: 1m}\n",
        &expect![[r#"
            config:1:36: error: receiver.otlp.http.endpoint
              found:   127.0.0.1:4317
              allowed: a port other than that of receiver.otlp.grpc.endpoint
            config:2:20: error: health.endpoint
              found:   0.0.0.0:4317
              allowed: a port other than that of receiver.otlp.grpc.endpoint
            config:3:17: error: memory.limit
              found:   a worst case of 424MiB (receiver 128MiB + forward queue 64MiB + assembly 74MiB + declarations 4MiB + windows 98MiB + records 42MiB + judges 0B + rows 16MiB)
              allowed: at most 64MiB
              hint:    raise memory.limit, or lower the limits behind receiver
            config:4:29: error: exporter.otlp.endpoint
              found:   http://127.0.0.1:4317
              allowed: another process; this is our own receiver.otlp.grpc.endpoint
            config:4:29: error: exporter.otlp.endpoint
              found:   http://127.0.0.1:4317
              allowed: another process; this is our own receiver.otlp.http.endpoint
            config:4:71: error: exporter.otlp.tls
              found:   one of cert_file and key_file
              allowed: both, or neither
            config:5:29: error: redaction.blocked_values
              found:   "(": unclosed group
              allowed: regular expressions of the regex crate
            config:6:20: error: evidence.origin
              found:   "a b"
              allowed: host/path without spaces or +
            config:7:44: error: alertmanager.labels
              found:   "a-b"
              allowed: label names of letters, digits and _
            config:8:17: error: windows
              found:   windows that the built-in rule LLMRetrievalOutage can't have
              allowed: a slot that divides 5m, and windows.long of 5m or more
            10 errors in config
        "#]],
    );
    check(
        "a: [1\nb: 2\n",
        &expect![[r#"
        config:2:2: error: the document
          found:   illegal placement of ':' indicator at line 2, column 2
          allowed: YAML
        1 error in config
    "#]],
    );
    check(
        "- a\n",
        &expect![[r#"
            config:1:1: error: the document
              found:   a list
              allowed: a section with receiver, exporter, admin, health, data_dir, features, fields, assembly, windows, memory, alerting, rules, breakers, alertmanager, cost, redaction, evidence, telemetry, shutdown_timeout, judges
            1 error in config
        "#]],
    );
}

/// Proves what is only worth a warning.
#[test]
fn warnings() {
    check_warnings(
        "admin: {token: '${env:NOT_SET}'}\nexporter: {otlp: {timeout: 5s}}\nredaction: {enabled: false}\nrules: {rules: [{name: LLMLatencyRegression, limit: {baseline_factor: 0.5}}]}\nalertmanager: {urls: ['http://a'], token: '[REDACTED]'}\n",
        &expect![[r#"
            config:1:16: warning: admin.token
              found:   ${env:NOT_SET}, which is not set
              allowed: a set variable, or a default: ${env:NOT_SET:-...}
            config:2:28: warning: exporter.otlp
              found:   a section without exporter.otlp.endpoint
              allowed: the section has no effect
            config:3:22: warning: redaction.enabled
              found:   false
              allowed: true, unless content is captured already redacted
            config:4:71: warning: rules.rules[0].limit.baseline_factor
              found:   a limit that the baseline itself breaches
              allowed: a limit beyond the baseline
            config:5:43: warning: alertmanager.token
              found:   the mask that print-config writes
              allowed: the token itself
        "#]],
    );
    check_warnings(
        "exporter: {otlp: {endpoint: 'https://c:4317', tls: {ca_file: /nowhere.pem}}}\n",
        &expect![[r#"
            config:1:62: warning: exporter.otlp.tls.ca_file
              found:   /nowhere.pem: entity not found
              allowed: a readable PEM file when the sidecar starts
        "#]],
    );
}

/// Proves that an entry changes a built-in and only in what it says, and that new names add a rule.
#[test]
fn lists_change_the_built_ins() {
    let before = Config::default();
    let config = valid(
        "rules:\n  disabled: [LLMOutage]\n  rules:\n    - {name: LLMLatencyHigh, limit: {fixed: 8}}\n    - {name: Mine, class: COST_SPIKE, severity: SEV-3, signal: tokens_per_request, direction: above, limit: {baseline_factor: 3}}\nbreakers:\n  - {class: QUALITY_DEGRADATION, mode: enforce, route: fallback}\n",
    );
    assert_eq!(config.rules.len(), before.rules.len());
    assert!(!config.rules.iter().any(|rule| &*rule.name == "LLMOutage"));
    let changed =
        |config: &Config| (*config.rules.iter().find(|rule| &*rule.name == "LLMLatencyHigh").unwrap()).clone();
    let (old, new) = (changed(&before), changed(&config));
    assert_eq!(new.limit.fixed, Some(8.0));
    assert_eq!((new.hold, new.samples_min, &new.summary), (old.hold, old.samples_min, &old.summary));
    let mine = config.rules.last().unwrap();
    assert_eq!((mine.window, mine.limit.baseline), (config.windows.short, Some(Relative::Factor(3.0))));
    for (old, new) in before.breakers.iter().zip(&config.breakers) {
        if new.class == Class::QualityDegradation {
            assert_eq!((new.policy.mode, new.plan.route.as_deref()), (Mode::Enforce, Some("fallback")));
            assert_eq!(new.policy.open_for, old.policy.open_for);
        } else {
            assert_eq!(new, old);
        }
    }
    assert_eq!(valid("rules: {defaults: false}").rules, []);
}

/// Proves the section of breakers: the cap in both forms, the list under its name, and what is wrong in them.
#[test]
fn breakers_have_a_cap_and_plans() {
    let config = valid(
        "breakers:\n  open_max: 3\n  classes:\n    - {class: COST_SPIKE, trigger: [LLMTokenSpike], action: safe_reply, reply: 'Later, please.', probe_quota: 0.8}\n",
    );
    assert_eq!(config.breakers_open_max, Cap::Features(3));
    let cost = config.breakers.iter().find(|it| it.class == Class::CostSpike).unwrap();
    assert_eq!((cost.plan.action, cost.plan.reply.as_deref()), (Action::SafeReply, Some("Later, please.")));
    assert_eq!((cost.plan.trigger.len(), cost.policy.probe_quota), (1, 0.8));
    assert_eq!(valid("breakers: {open_max: 30%}").breakers_open_max, Cap::Share(0.3));
    assert_eq!(valid("breakers: []").breakers_open_max, Cap::Share(0.5));
    for wrong in [
        "breakers: {open_max: 0%}",
        "breakers: {open_max: 101%}",
        "breakers: {open_max: -1}",
        "breakers: {open_max: half}",
        "breakers: {class: COST_SPIKE}",
        "breakers: [{class: COST_SPIKE, trigger: [LLMOutage]}]",
        "breakers: [{class: COST_SPIKE, action: explode}]",
    ] {
        assert_eq!(load_text(wrong).unwrap_err().errors.len(), 1, "{wrong}");
    }
}

/// Proves that what print-config prints loads back to the same configuration, whatever strings it holds.
#[test]
fn printed_configuration_loads_back() {
    for text in [
        "",
        "exporter: {otlp: {endpoint: 'https://c:4317', protocol: http, compression: none, tls: {ca_file: /run/ca.pem}}}\n",
        "features: {keys: ['a.b', 'true', '5', 'x: y', '- z', '# no', '\"q\"', '$${env:TOKEN}', 'tail ', 'ünï']}\nalerting: {runbook_url_base: null}\n",
        "alertmanager: {urls: ['http://a:1', 'http://b:2'], labels: {cluster: eu-1, zone: 'a, b'}}\n",
        "rules: {defaults: false, rules: [{name: A, class: COST_SPIKE, severity: SEV-1, signal: quality, direction: below, limit: {fixed: 0.25}, features: ['f*'], summary: 'a: b'}]}\n",
        "rules: {rules: [{name: LLMErrorRateHigh, limit: {baseline_delta: null}}]}\nbreakers: [{class: COST_SPIKE, probes: 3}]\n",
        "breakers: {open_max: 30%, classes: [{class: COST_SPIKE, trigger: [LLMCostSpike], tool: 'a: b', instructions: '# not a comment'}]}\n",
        "windows: {slot: 1500ms, short: 3s, long: 6s, baseline: 1h}\nrules: {defaults: false}\nmemory: {limit: 2GiB}\n",
    ] {
        let config = valid(text);
        let printed = reference::effective(&config);
        let (again, _) = load_text(&printed).unwrap_or_else(|errors| panic!("{errors}\n{printed}"));
        assert_eq!(again, config, "{printed}");
        assert_eq!(reference::effective(&again), printed);
    }
}

/// Proves that no secret is shown: not when printed, not in a complaint, not in debug output.
#[test]
fn secrets_are_masked() {
    let text = "admin: {token: canary-1}\nexporter: {otlp: {endpoint: 'http://c:1', headers: {authorization: canary-2}}}\nalertmanager: {urls: ['http://a'], token: canary-3}\n";
    let config = valid(text);
    let printed = reference::effective(&config);
    assert!(!printed.contains("canary") && printed.contains("[REDACTED]"), "{printed}");
    assert!(!format!("{config:?}").contains("canary"));
    let errors =
        load_text("admin: {token: \"canary\\n4\"}\nexporter: {otlp: {headers: {a: \"canary\\n5\"}}}\n").unwrap_err();
    assert_eq!(errors.errors.len(), 2);
    assert!(!format!("{errors:?}{errors}").contains("canary"));
}

/// Proves the exit status and the three forms of `validate`, and that print-config refuses what is invalid.
#[test]
fn commands() {
    let source = Source::Text("features: {max: 0}\nadmin: {token: '${env:NOT_SET}'}\n".to_owned());
    let run = |source: &Source, format| {
        let mut out = Vec::new();
        let status = validate(source, &env, format, &mut out).unwrap();
        (status, String::from_utf8(out).unwrap())
    };
    let (status, text) = run(&source, Format::Table);
    assert_eq!(status, 1);
    assert!(text.ends_with("config: invalid, 1 error, 1 warning\n"), "{text}");
    let (_, text) = run(&source, Format::Json);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json["valid"], &json["errors"][0]["field"]), (&false.into(), &"features.max".into()));
    assert_eq!((&json["errors"][0]["line"], &json["errors"][0]["column"]), (&1.into(), &17.into()));
    assert!(run(&source, Format::Markdown).1.contains("| error | 1:17 | features.max | 0 |"));
    assert_eq!(run(&Source::Default, Format::Table), (0, "default: valid, 0 errors, 0 warnings\n".to_owned()));
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    assert_eq!(print_config(&source, &env, &mut out, &mut errors).unwrap(), 1);
    assert!(out.is_empty() && !errors.is_empty());
    assert_eq!(print_config(&Source::Default, &env, &mut out, &mut errors).unwrap(), 0);
    assert_eq!(String::from_utf8(out).unwrap(), reference::effective(&Config::default()));
}

/// Proves that the annotated default file means the defaults, without a warning.
#[test]
fn annotated_file_is_the_defaults() {
    let (config, warnings) = load_text(&reference::annotated()).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!((config, warnings), (Config::default(), Vec::new()));
}

/// Proves that the examples of the reference page can be pasted.
#[test]
fn examples_of_the_reference_are_valid() {
    let page = reference::markdown();
    let examples: Vec<&str> = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        valid(example);
    }
}

/// Proves that the committed reference and default file are those of this code; `UPDATE=1` rewrites them.
#[test]
#[expect(clippy::disallowed_methods, reason = "UPDATE is a switch of the test, not of the program")]
fn generated_files_are_fresh() {
    for (path, text) in
        [("docs/configuration.md", reference::markdown()), ("deploy/config/freezeframe.yaml", reference::annotated())]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        if std::env::var("UPDATE").is_ok() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "{} is stale: UPDATE=1 cargo test --test it config", path.display());
    }
}

proptest::proptest! {
    /// Proves that no document makes the loader panic, and that every complaint says where, what and what instead.
    #[test]
    fn any_document_is_answered(
        lines in proptest::collection::vec(
            proptest::prop_oneof![
                proptest::sample::select(vec![
                    "rules:", "  rules:", "  - name: LLMOutage", "breakers: [{class: COST_SPIKE}]", "windows: {slot: 1s}",
                    "exporter:", "  otlp:", "    endpoint: ${env:ENDPOINT}", "data_dir: ${", "a: &a [*a]", "features: {max: 99999999999999999999}",
                    "admin: null", "admin: {endpoint: '[::]:1'}", "memory: {limit: 0}", "limit: {fixed: -0.0}", "? x",
                ]).prop_map(str::to_owned),
                "\\PC{0,20}",
            ],
            0..8,
        )
    ) {
        if let Err(errors) = load_text(&lines.join("\n")) {
            proptest::prop_assert!(!errors.errors.is_empty());
            for error in &errors.errors {
                proptest::prop_assert!(!error.found.is_empty() && !error.allowed.is_empty(), "{error:?}");
            }
        }
    }
}
