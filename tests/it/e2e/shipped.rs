//! The files of `deploy/`, as shipped but for addresses and a hurry: what takes minutes there takes seconds here.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

use super::http::TOKEN;
use super::real::repository;

/// Replaces every match and insists that there is one.
fn replace(text: &str, pattern: &str, by: &str) -> String {
    let pattern = Regex::new(pattern).expect("a pattern of this file");
    assert!(pattern.is_match(text), "the shipped file has no {pattern}");
    pattern.replace_all(text, by).into_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(repository(path)).expect("it is in the repository")
}

fn write(path: PathBuf, text: &str) -> PathBuf {
    fs::write(&path, text).expect("the test's directory takes files");
    path
}

/// Prometheus's configuration and rules in `dir`, scraping `sidecar` and alerting `alertmanager` (both host:port).
pub(crate) fn prometheus(dir: &Path, sidecar: &str, alertmanager: &str) -> PathBuf {
    let rules = read("deploy/prometheus/freezeframe.rules.yaml");
    let rules = replace(&rules, r"\[5m\]", "[10s]");
    let rules = replace(&rules, r"\[30m\]", "[15s]");
    let rules = replace(&rules, r"for: \d+[mh]", "for: 0s");
    write(dir.join("freezeframe.rules.yaml"), &rules);
    fs::create_dir_all(dir.join("targets")).expect("the test's directory takes directories");
    write(dir.join("targets/freezeframe.yaml"), &format!("- targets: ['{sidecar}']\n"));
    write(dir.join("targets/alertmanager.yaml"), &format!("- targets: ['{alertmanager}']\n"));
    let config =
        replace(&read("deploy/prometheus/prometheus.yaml"), "(scrape|evaluation)_interval: 15s", "${1}_interval: 1s");
    write(dir.join("prometheus.yaml"), &config)
}

/// The configuration of a Prometheus in `dir` that only scrapes `sidecar` (host:port).
pub(crate) fn scraping(dir: &Path, sidecar: &str) -> PathBuf {
    let scrape = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: freezeframe, static_configs: [{{targets: ['{sidecar}']}}]}}]\n"
    );
    write(dir.join("scraping.yaml"), &scrape)
}

/// Alertmanager's configuration in `dir`, with the sidecar's admin listener and the on-call tool as receivers.
pub(crate) fn alertmanager(dir: &Path, sidecar_url: &str, on_call_url: &str) -> PathBuf {
    let config = read("deploy/alertmanager/alertmanager.yaml");
    let config = replace(&config, r"group_wait: \d+s", "group_wait: 0s");
    let config = replace(&config, r"group_interval: \d+[sm]", "group_interval: 1s");
    let config = replace(&config, "http://127.0.0.1:8889", sidecar_url);
    let config = replace(&config, "http://127.0.0.1:9095", on_call_url);
    write(dir.join("freezeframe-token"), TOKEN);
    write(dir.join("alertmanager.yaml"), &config)
}
