//! The configuration as a user meets it: loading, complaints, printing, and the generated files.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use expect_test::{Expect, expect};
use freezeframe::cli::{Format, print_config::print_config, validate::validate};
use freezeframe::config::{Config, ConfigErrors, Outside, Source, Warning, load, load_from, reference};
use freezeframe::core::breaker::Mode;
use freezeframe::core::detect::Relative;
use freezeframe::core::incident::Class;

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
    let errors = load_text(text).unwrap_err();
    expected.assert_eq(&format!("{errors}\n"));
}

fn check_warnings(text: &str, expected: &Expect) {
    let (_, warnings) = load_text(text).unwrap();
    let shown = warnings.iter().fold(String::new(), |mut shown, warning| {
        write!(shown, "{}", warning.render("config", "warning")).unwrap();
        shown
    });
    expected.assert_eq(&shown);
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
    let outside = Outside { env: &env, read: &|path| if path == Path::new("a.yaml") { Ok("features: {max: 5}".into()) } else { read(path) } };
    assert_eq!(load_from(&Source::parse("a.yaml"), outside).unwrap().0.features.max, 5);
    assert_eq!(load_from(&Source::parse("env:YAML"), outside).unwrap().0.features.max, 3);
    assert_eq!(load_from(&Source::parse("env:NONE"), outside).unwrap_err().source, "env:NONE");
    assert_eq!(load_from(&Source::parse("b.yaml"), outside).unwrap_err().errors.len(), 1);
}

/// Proves that variables reach strings, numbers and secrets, that tokens come from files, and that a value with
/// newlines adds no fields.
#[test]
fn variables_and_files() {
    let config = valid("features: {max: '${env:MAX}'}\nadmin: {token: '${env:TOKEN}'}\nalertmanager: {urls: ['http://a'], token_file: /run/token}\n");
    assert_eq!(config.features.max, 17);
    assert_eq!(config.admin.token.unwrap().0, "s3cr3t-$-value");
    assert_eq!(config.alertmanager.unwrap().token.unwrap().0, "from-file");
    check(
        "data_dir: ${env:EVIL}\nadmin: {token_file: /run/empty}\nalertmanager: {token: x, token_file: /run/token}\n",
        &expect![[r#""#]],
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
        &expect![[r#""#]],
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
        &expect![[r#""#]],
    );
}

/// Proves the relations between fields that no field can see alone.
#[test]
fn errors_between_fields() {
    check(
        "receiver: {otlp: {http: {endpoint: 127.0.0.1:4317}}}\nhealth: {endpoint: '0.0.0.0:4317'}\nmemory: {limit: 64MiB}\nexporter: {otlp: {endpoint: 'http://127.0.0.1:4317', tls: {cert_file: /run/ca.pem}}}\nredaction: {blocked_values: ['(']}\nevidence: {origin: 'a b'}\n",
        &expect![[r#""#]],
    );
    check("a: [1\nb: 2\n", &expect![[r#""#]]);
    check("- a\n", &expect![[r#""#]]);
}

/// Proves what is only worth a warning.
#[test]
fn warnings() {
    check_warnings(
        "admin: {token: '${env:NOT_SET}'}\nexporter: {otlp: {timeout: 5s}}\nredaction: {enabled: false}\nrules: {rules: [{name: LLMLatencyRegression, limit: {baseline_factor: 0.5}}]}\nalertmanager: {urls: ['http://a'], token: '[REDACTED]'}\n",
        &expect![[r#""#]],
    );
    check_warnings(
        "exporter: {otlp: {endpoint: 'https://c:4317', tls: {ca_file: /nowhere.pem}}}\n",
        &expect![[r#""#]],
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
    let changed = |config: &Config| (*config.rules.iter().find(|rule| &*rule.name == "LLMLatencyHigh").unwrap()).clone();
    let (old, new) = (changed(&before), changed(&config));
    assert_eq!(new.limit.fixed, Some(8.0));
    assert_eq!((new.hold, new.samples_min, &new.summary), (old.hold, old.samples_min, &old.summary));
    let mine = config.rules.last().unwrap();
    assert_eq!((mine.window, mine.limit.baseline), (config.windows.short, Some(Relative::Factor(3.0))));
    for (old, new) in before.breakers.iter().zip(&config.breakers) {
        if new.class == Class::QualityDegradation {
            assert_eq!((new.policy.mode, new.route.as_deref()), (Mode::Enforce, Some("fallback")));
            assert_eq!(new.policy.open_for, old.policy.open_for);
        } else {
            assert_eq!(new, old);
        }
    }
    assert_eq!(valid("rules: {defaults: false}").rules, []);
}

/// Proves that what print-config prints loads back to the same configuration, whatever strings it holds.
#[test]
fn printed_configuration_loads_back() {
    for text in [
        "",
        "exporter: {otlp: {endpoint: 'https://c:4317', protocol: http, compression: none, tls: {ca_file: /run/ca.pem}}}\n",
        "features: {keys: ['a.b', 'true', '5', 'x: y', '- z', '# no', '\"q\"', '$${env:TOKEN}', 'tail ', 'ünï']}\nalerting: {runbook_url_base: null}\n",
        "alertmanager: {urls: ['http://a:1', 'http://b:2'], labels: {cluster: eu-1, 'odd key': 'a, b'}}\n",
        "rules: {defaults: false, rules: [{name: A, class: COST_SPIKE, severity: SEV-1, signal: quality, direction: below, limit: {fixed: 0.25}, features: ['f*'], summary: 'a: b'}]}\n",
        "rules: {rules: [{name: LLMErrorRateHigh, limit: {baseline_delta: null}}]}\nbreakers: [{class: COST_SPIKE, probes: 3}]\n",
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
    let errors = load_text("admin: {token: \"canary\\n4\"}\nexporter: {otlp: {headers: {a: \"canary\\n5\"}}}\n").unwrap_err();
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
