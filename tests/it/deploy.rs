//! Everything in `deploy/` is parsed or executed: rules by promtool, routes by amtool, overlays structurally, runbooks
//! against the alerts they are for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use freezeframe::metrics::Metric;
use regex::Regex;
use serde_json::{Value, json};

use crate::e2e::real::{installed, repository};

const RULES: &str = "deploy/prometheus/freezeframe.rules.yaml";
const ROUTES: &str = "deploy/alertmanager/alertmanager.yaml";
const RUNBOOK_SECTIONS: [&str; 4] = ["Meaning", "Impact", "Diagnosis", "Mitigation"];
const RUNBOOK_URL: &str = "https://github.com/freezeframe/freezeframe/blob/main/deploy/runbooks";

/// The binding metrics that are read from windows and states at scrape time, so that no counter of `metrics` names them.
const PRODUCT_METRICS: [&str; 17] = [
    "freezeframe_requests_total",
    "freezeframe_request_duration_seconds",
    "freezeframe_time_to_first_token_seconds",
    "freezeframe_tokens_total",
    "freezeframe_cost_usd_total",
    "freezeframe_evaluations_total",
    "freezeframe_tool_calls_total",
    "freezeframe_retrievals_total",
    "freezeframe_retrieval_freshness_lag_seconds",
    "freezeframe_alert_state",
    "freezeframe_breaker_capped",
    "freezeframe_breaker_state",
    "freezeframe_breaker_transitions_total",
    "freezeframe_frames_total",
    "freezeframe_build_info",
    "freezeframe_postmortem_due_timestamp_seconds",
    "freezeframe_postmortem_findings",
];

/// The sidecar's own rules by name, as the binary prints them.
fn built_in() -> BTreeMap<String, Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_freezeframe")).arg("print-config").output().expect("the binary runs");
    let config: Value = serde_saphyr::from_str(&String::from_utf8_lossy(&output.stdout)).expect("it prints YAML");
    let rules = config["rules"]["rules"].as_array().cloned().unwrap_or_else(|| panic!("rules in {output:?}"));
    rules.into_iter().map(|rule| (rule["name"].as_str().expect("a name").to_owned(), rule)).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Files below `directory` whose name ends in `suffix`, relative to the repository.
fn files(directory: &str, suffix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(repository(directory)).expect("the directory is there") {
        let entry = entry.expect("the directory can be read");
        let path = format!("{directory}/{}", entry.file_name().display());
        match entry.file_type().expect("the file can be looked at").is_dir() {
            true => found.extend(files(&path, suffix)),
            false if path.ends_with(suffix) => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}

/// Runs an installed tool and returns its standard output; fails with all it said.
fn tool(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(installed(&format!("bin/{name}"))).args(arguments).current_dir(repository("")).output();
    let output = output.expect("the tool runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{name} {arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// All rules of the file, in order.
fn rules() -> Vec<Value> {
    let groups = yaml(RULES)["groups"].as_array().cloned().expect("groups");
    groups.iter().flat_map(|group| group["rules"].as_array().cloned().expect("rules")).collect()
}

fn alerts() -> Vec<(String, Value)> {
    let named = rules().into_iter().filter_map(|rule| Some((rule["alert"].as_str()?.to_owned(), rule)));
    named.collect()
}

/// Proves that the shipped rules are those of the default configuration; `UPDATE=1` writes them.
#[test]
#[expect(clippy::disallowed_methods, reason = "UPDATE is a switch of the test, not of the program")]
fn the_shipped_rules_are_exported() {
    let output = Command::new(env!("CARGO_BIN_EXE_freezeframe")).args(["rules", "export"]).output();
    let output = output.expect("the binary runs");
    assert!(output.status.success(), "{output:?}");
    if std::env::var("UPDATE").is_ok() {
        fs::write(repository(RULES), &output.stdout).expect("the repository takes files");
    }
    assert_eq!(read(RULES), String::from_utf8_lossy(&output.stdout), "run with UPDATE=1");
}

/// Prometheus accepts its configuration and rules, and the rules pass their own tests.
#[test]
fn promtool_passes_rules_their_tests_and_the_configuration() {
    tool("promtool", &["check", "rules", RULES]);
    tool("promtool", &["check", "config", "deploy/prometheus/prometheus.yaml"]);
    let tests = files("deploy/prometheus/tests", ".test.yaml");
    assert_eq!(tests.len(), 2);
    let mut arguments = vec!["test", "rules"];
    arguments.extend(tests.iter().map(String::as_str));
    tool("promtool", &arguments);
}

/// No alert goes untested: each is named in a test of the rules.
#[test]
fn every_prometheus_alert_is_in_a_test() {
    let tests: String = files("deploy/prometheus/tests", ".test.yaml").iter().map(|path| read(path)).collect();
    let untested: Vec<String> =
        alerts().into_iter().map(|(name, _)| name).filter(|name| !tests.contains(name)).collect();
    assert!(untested.is_empty(), "{untested:?}");
}

/// Rules use only metrics that exist, and recorded series that are recorded.
#[test]
fn rules_use_only_known_metrics() {
    let recorded: BTreeSet<String> =
        rules().iter().filter_map(|rule| rule["record"].as_str().map(str::to_owned)).collect();
    let own = Metric::ALL.into_iter().map(Metric::name);
    let known: BTreeSet<&str> = own.chain(PRODUCT_METRICS).collect();
    let name = Regex::new(r"[a-z_:]*freezeframe_[a-z0-9_:]+").expect("a pattern");
    let suffix = Regex::new(r"(_seconds)_(bucket|sum|count)$").expect("a pattern");
    for rule in rules() {
        let expression = rule["expr"].as_str().expect("an expression");
        for found in name.find_iter(expression).map(|found| found.as_str()) {
            let metric = suffix.replace(found, "$1");
            assert!(recorded.contains(found) || known.contains(metric.as_ref()), "{found} in {expression}");
        }
    }
}

/// Labels and annotations are the contract's: a severity with its SEV, a summary, a description, the runbook.
#[test]
fn alerts_carry_the_labels_and_annotations_of_the_contract() {
    let severities = BTreeMap::from([("critical", "SEV-1"), ("warning", "SEV-2"), ("info", "SEV-3")]);
    for (name, alert) in alerts() {
        let (labels, annotations) = (&alert["labels"], &alert["annotations"]);
        assert_eq!(annotations["runbook_url"], format!("{RUNBOOK_URL}/{name}.md"));
        assert!(annotations["summary"].is_string() && annotations["description"].is_string(), "{name}");
        // The mirror takes class and severity over from the series it mirrors.
        if name != "FreezeframeAlertFiring" {
            let severity = labels["severity"].as_str().unwrap_or_else(|| panic!("{name} has a severity"));
            assert_eq!(labels["sev"], severities[severity], "{name}");
        }
    }
}

/// A fleet-wide alert is one of the sidecar's own over all pods: same name, class and severity. No other has its name.
#[test]
fn fleet_alerts_are_the_sidecars_own_over_all_pods() {
    let built_in = built_in();
    for (name, alert) in alerts() {
        let labels = &alert["labels"];
        assert_eq!(labels["scope"] == "fleet", built_in.contains_key(&name), "{name}");
        if let Some(rule) = built_in.get(&name) {
            assert_eq!((&labels["class"], &labels["sev"]), (&rule["class"], &rule["severity"]), "{name}");
        }
    }
}

/// One page an alert, of the sidecar's rules and of Prometheus's, each with the four sections; and no page too many.
#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let prometheus = alerts().into_iter().map(|(name, _)| name);
    let expected: BTreeSet<String> = prometheus.chain(built_in().into_keys()).collect();
    let stem = |path: &String| Path::new(path).file_stem().map(|stem| stem.display().to_string());
    // Those of classes and patterns are written from a table, which has a test of its own.
    let pages = files("deploy/runbooks", ".md").into_iter().filter(|path| !path.contains("/classes/"));
    let pages: BTreeSet<String> = pages.collect::<Vec<_>>().iter().filter_map(stem).collect();
    assert_eq!(pages, expected);
    let link = Regex::new(r"\]\(([^)]+)\)").expect("a pattern");
    for name in pages {
        let page = read(&format!("deploy/runbooks/{name}.md"));
        assert!(page.starts_with(&format!("# {name}\n")), "{name}");
        let sections: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(sections, RUNBOOK_SECTIONS, "{name}");
        for target in link.captures_iter(&page).map(|captures| captures[1].to_owned()) {
            assert!(repository("deploy/runbooks").join(&target).exists(), "{name} links to {target}");
        }
    }
}

/// Alertmanager accepts the configuration, and alerts go where they should: (labels, receivers).
#[test]
fn amtool_accepts_the_routes_and_routes_by_class_and_severity() {
    tool("amtool", &["check-config", ROUTES]);
    let table = [
        (
            "alertname=LLMQualityDegradation feature=support class=QUALITY_DEGRADATION severity=warning",
            "freezeframe,ml",
        ),
        (
            "alertname=LLMErrorRateHigh feature=support class=PERFORMANCE_DEGRADATION severity=critical",
            "freezeframe,pager",
        ),
        ("alertname=LLMRetrievalEmpty feature=_all class=RETRIEVAL_OUTAGE severity=warning", "freezeframe,platform"),
        ("alertname=LLMCostSpike feature=support class=COST_SPIKE severity=warning", "freezeframe,cost"),
        ("alertname=LLMDataLeak feature=support class=DATA_INCIDENT severity=critical", "freezeframe,security,pager"),
        ("alertname=LLMDataLeak feature=support class=DATA_INCIDENT severity=warning", "freezeframe,security"),
        ("alertname=FreezeframeAlertFiring feature=support class=QUALITY_DEGRADATION severity=warning", "ml"),
        ("alertname=FreezeframeDown severity=warning", "platform"),
        ("alertname=NodeDown severity=warning", "default"),
    ];
    for (labels, receivers) in table {
        let mut arguments = vec!["config", "routes", "test", "--config.file", ROUTES];
        arguments.extend(labels.split(' '));
        assert_eq!(tool("amtool", &arguments).trim(), receivers, "{labels}");
    }
}

/// Alerts come back to the sidecar with its token and when they are over, too.
#[test]
fn the_sidecar_is_an_authorised_receiver_of_both_ends_of_an_alert() {
    let receivers = yaml(ROUTES)["receivers"].clone();
    let receivers = receivers.as_array().expect("receivers");
    let ours =
        receivers.iter().find(|one| one["name"] == "freezeframe").expect("the receiver")["webhook_configs"][0].clone();
    assert!(ours["url"].as_str().is_some_and(|url| url.ends_with("/api/v1/alertmanager")));
    assert_eq!(ours["send_resolved"], true);
    assert_eq!(
        ours["http_config"]["authorization"],
        json!({"type": "Bearer", "credentials_file": "freezeframe-token"})
    );
}

/// Every YAML file is YAML.
#[test]
fn every_yaml_file_parses() {
    let paths = files("deploy", ".yaml");
    assert!(paths.len() >= 12, "{paths:?}");
    for path in paths {
        assert!(!yaml(&path).is_null(), "{path}");
    }
}

/// The image: built in one stage, run in another that has no shell, as a user without rights, ready to listen.
#[test]
fn the_dockerfile_makes_a_small_unprivileged_image() {
    let text = read("deploy/Dockerfile").replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let instructions: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(' ')).collect();
    let all = |name: &str| instructions.iter().filter(|(i, _)| *i == name).map(|(_, rest)| *rest).collect::<Vec<_>>();
    let stages = all("FROM");
    assert!(stages.len() == 2 && stages[0].ends_with(" AS builder") && stages[1].contains("distroless"), "{stages:?}");
    assert_eq!(all("USER"), ["65532:65532"]);
    assert_eq!(all("EXPOSE"), ["4317 4318 8889 13133"]);
    assert_eq!(all("ENTRYPOINT"), [r#"["/usr/local/bin/freezeframe"]"#]);
    assert_eq!(all("HEALTHCHECK"), [""; 0]);
    let last = instructions.iter().rposition(|(name, _)| *name == "FROM").expect("stages");
    assert!(instructions[last..].iter().all(|(name, _)| *name != "RUN"), "there is nothing to run in the last stage");
}

/// The component's patch: a native sidecar that gates the start, has no rights, and writes to one mount.
#[test]
fn the_component_adds_a_native_sidecar_without_rights() {
    let component = yaml("deploy/kustomize/component/kustomization.yaml");
    assert_eq!(component["kind"], "Component");
    assert_eq!(component["patches"][0]["target"]["labelSelector"], "freezeframe.dev/inject=true");
    let spec = yaml("deploy/kustomize/component/sidecar.yaml")["spec"]["template"]["spec"].clone();
    let container = &spec["initContainers"][0];
    assert_eq!(container["restartPolicy"], "Always");
    let security = json!({
        "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "readOnlyRootFilesystem": true,
        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
    });
    assert_eq!(container["securityContext"], security);
    let names = |list: &Value| -> BTreeSet<String> {
        list.as_array().into_iter().flatten().filter_map(|one| Some(one["name"].as_str()?.to_owned())).collect()
    };
    let ports = names(&container["ports"]);
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let port = container[probe]["httpGet"]["port"].as_str().unwrap_or_else(|| panic!("{probe} has a port"));
        assert!(ports.contains(port), "{probe} on {port}");
    }
    assert_eq!(names(&container["volumeMounts"]), names(&spec["volumes"]));
    let monitor = yaml("deploy/kustomize/monitoring/podmonitor.yaml");
    let scraped = monitor["spec"]["podMetricsEndpoints"][0]["port"].as_str().expect("a port").to_owned();
    assert!(ports.contains(&scraped), "{scraped}");
}

/// Every file a kustomization names is there, and the example uses the component.
#[test]
fn kustomizations_name_files_that_exist() {
    for path in files("deploy/kustomize", "kustomization.yaml") {
        let (document, directory) = (yaml(&path), PathBuf::from(&path).parent().expect("a directory").to_owned());
        let listed =
            ["resources", "components"].into_iter().flat_map(|key| document[key].as_array().into_iter().flatten());
        let patched =
            ["patches", "replacements"].into_iter().flat_map(|key| document[key].as_array().into_iter().flatten());
        let named = listed.filter_map(Value::as_str).chain(patched.filter_map(|one| one["path"].as_str()));
        for name in named {
            assert!(repository(&directory.join(name).display().to_string()).exists(), "{path} names {name}");
        }
    }
    let example = yaml("deploy/kustomize/example/kustomization.yaml");
    assert!(example["components"].as_array().is_some_and(|all| all.contains(&json!("../component"))));
}

/// The configuration the component ships is one the binary takes.
#[test]
fn the_component_ships_a_valid_configuration() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_freezeframe"));
    command.args(["validate", "--config", "deploy/kustomize/component/freezeframe.yaml"]).current_dir(repository(""));
    command.envs([("POD_IP", "10.0.0.7"), ("POD_NAMESPACE", "support"), ("FREEZEFRAME_TOKEN", "secret")]);
    let output = command.output().expect("the binary runs");
    assert!(output.status.success(), "{output:?}");
}
