//! From a [`Draft`] whose fields are each in range to a [`Config`] whose fields fit together.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::error::Problems;
use super::fields::Draft;
use super::load::Outside;
use super::rules::RuleDraft;
use super::units::{show_duration, show_size};
use super::{Config, MASK, Secret, built_in, memory};
use crate::core::detect::{Direction, Relative, Rule};
use crate::core::redact::Redactor;
use crate::core::window;

/// Closes the draft. What does not fit is reported; the value returned counts only without errors.
pub(super) fn compile(mut draft: Draft, outside: Outside<'_>, problems: &mut Problems) -> Config {
    let admin = token(&mut draft.config.admin.token, draft.admin_token_file.as_ref(), "admin", outside, problems);
    let push = &mut draft.alertmanager.token;
    token(push, draft.alertmanager_token_file.as_ref(), "alertmanager", outside, problems);
    let rules = rules(&draft, problems);
    let Draft { mut config, exporter, alertmanager, .. } = draft;
    config.rules = rules;
    config.exporter = (!exporter.endpoint.is_empty()).then_some(exporter);
    config.alertmanager = (!alertmanager.urls.is_empty()).then_some(alertmanager);
    windows(&config.windows, problems);
    if admin {
        exposure(&config, problems);
    }
    addresses(&config, problems);
    forwarding(&config, outside, problems);
    patterns(&config, problems);
    dead_sections(&config, problems);
    budget(&config, problems);
    config
}

/// Fills a token from its file; `false` when what was said of it is already reported.
fn token(
    token: &mut Option<Secret>,
    file: Option<&PathBuf>,
    section: &str,
    outside: Outside<'_>,
    problems: &mut Problems,
) -> bool {
    let fields = [format!("{section}.token"), format!("{section}.token_file")];
    if token.as_ref().is_some_and(|token| token.0 == MASK) {
        problems.warn(problems.place(&fields[0]), &fields[0], "the mask that print-config writes", "the token itself");
    }
    let Some(path) = file else { return true };
    let at = problems.place(&fields[1]);
    if token.is_some() {
        problems.error(at, &fields[1], "a token and a token file", format!("{} or {}", fields[0], fields[1]));
        return false;
    }
    match (outside.read)(path).map(|text| text.trim().to_owned()) {
        Ok(text) if !text.is_empty() && !text.chars().any(char::is_control) => {
            *token = Some(Secret(text));
            true
        }
        Ok(_) => {
            problems.error(at, &fields[1], format!("{} without a token", path.display()), "a file with one line");
            false
        }
        Err(error) => {
            problems.error(at, &fields[1], format!("{}: {error}", path.display()), "a readable file with one line");
            false
        }
    }
}

fn windows(windows: &window::Policy, problems: &mut Problems) {
    let slot = windows.slot.as_nanos();
    for (name, length) in [("short", windows.short), ("long", windows.long), ("baseline", windows.baseline)] {
        let field = format!("windows.{name}");
        if !length.as_nanos().is_multiple_of(slot) || length.is_zero() {
            let allowed = format!("a multiple of windows.slot, {}", show_duration(windows.slot));
            problems.error(problems.place(&field), &field, show_duration(length), allowed);
        }
    }
    if windows.short > windows.long {
        let at = problems.place("windows.short").or(problems.place("windows.long"));
        let allowed = format!("at most windows.long, {}", show_duration(windows.long));
        problems.error(at, "windows.short", show_duration(windows.short), allowed);
    }
    if windows.baseline < windows.short {
        let at = problems.place("windows.baseline").or(problems.place("windows.short"));
        let allowed = format!("at least windows.short, {}", show_duration(windows.short));
        problems.error(at, "windows.baseline", show_duration(windows.baseline), allowed);
    }
}

/// An API that can open breakers must not be open to the network.
fn exposure(config: &Config, problems: &mut Problems) {
    let endpoint = &config.admin.endpoint;
    if config.admin.token.is_none() && !is_loopback(endpoint) {
        let at = problems.place("admin.endpoint");
        problems.error(at, "admin.endpoint", format!("{endpoint} without a token"), "a loopback address, or a token");
        problems.hint("set admin.token: ${env:FREEZEFRAME_TOKEN} or admin.token_file");
    }
}

/// Whether a `host:port` can be reached from this machine only.
fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn addresses(config: &Config, problems: &mut Problems) {
    let listeners = [
        ("receiver.otlp.grpc.endpoint", &config.receiver.grpc),
        ("receiver.otlp.http.endpoint", &config.receiver.http),
        ("admin.endpoint", &config.admin.endpoint),
        ("health.endpoint", &config.health),
    ];
    for (index, (field, address)) in listeners.iter().enumerate() {
        let taken = listeners[..index].iter().find(|(_, other)| clash(other, address));
        if let Some((other, _)) = taken {
            let at = problems.place(field).or(problems.place(other));
            problems.error(at, field, address.as_str(), format!("a port other than that of {other}"));
        }
        if let Some(exporter) = &config.exporter
            && exporter
                .endpoint
                .split_once("://")
                .is_some_and(|(_, rest)| rest.trim_end_matches('/') == address.as_str())
        {
            let at = problems.place("exporter.otlp.endpoint");
            problems.error(
                at,
                "exporter.otlp.endpoint",
                &exporter.endpoint,
                format!("another process; this is our own {field}"),
            );
        }
    }
}

fn clash(a: &str, b: &str) -> bool {
    let (Some((host_a, port_a)), Some((host_b, port_b))) = (a.rsplit_once(':'), b.rsplit_once(':')) else {
        return false;
    };
    let anywhere = |host: &str| matches!(host, "0.0.0.0" | "[::]");
    port_a == port_b && port_a != "0" && (host_a == host_b || anywhere(host_a) || anywhere(host_b))
}

fn forwarding(config: &Config, outside: Outside<'_>, problems: &mut Problems) {
    let Some(exporter) = &config.exporter else { return };
    let tls = &exporter.tls;
    let files = [("ca_file", &tls.ca_file), ("cert_file", &tls.cert_file), ("key_file", &tls.key_file)];
    for (name, path) in files.iter().filter_map(|(name, path)| path.as_ref().map(|path| (name, path))) {
        let field = format!("exporter.otlp.tls.{name}");
        if let Err(error) = (outside.read)(path) {
            let found = format!("{}: {error}", path.display());
            problems.warn(problems.place(&field), &field, found, "a readable PEM file when the sidecar starts");
        }
    }
    if tls.cert_file.is_some() != tls.key_file.is_some() {
        let at = problems.place("exporter.otlp.tls.cert_file").or(problems.place("exporter.otlp.tls.key_file"));
        problems.error(at, "exporter.otlp.tls", "one of cert_file and key_file", "both, or neither");
    }
    let plain = exporter.endpoint.starts_with("http://");
    if plain && files.iter().any(|(_, path)| path.is_some()) {
        let at = problems.place("exporter.otlp.endpoint");
        problems.warn(at, "exporter.otlp.endpoint", &exporter.endpoint, "https:// for the tls section to count");
    }
    if plain && !exporter.headers.is_empty() && !is_loopback(exporter.endpoint.trim_start_matches("http://")) {
        let at = problems.place("exporter.otlp.headers");
        problems.warn(
            at,
            "exporter.otlp.headers",
            "headers sent over http://",
            "https:// for an endpoint off this machine",
        );
    }
    for (name, _) in &exporter.headers {
        if http::HeaderName::try_from(name.as_str()).is_err() {
            let field = "exporter.otlp.headers";
            problems.error(problems.place(field), field, format!("{name:?}"), "an HTTP header name");
        }
    }
    let retry = &exporter.retry;
    if retry.initial_interval > retry.max_interval {
        let field = "exporter.otlp.retry_on_failure.initial_interval";
        let allowed = format!("at most max_interval, {}", show_duration(retry.max_interval));
        problems.error(problems.place(field), field, show_duration(retry.initial_interval), allowed);
    }
}

fn patterns(config: &Config, problems: &mut Problems) {
    let redaction = &config.redaction;
    let lists = [&redaction.blocked_key_patterns, &redaction.blocked_values, &redaction.allowed_values];
    for (name, list) in ["blocked_key_patterns", "blocked_values", "allowed_values"].into_iter().zip(lists) {
        let field = format!("redaction.{name}");
        for pattern in list {
            if let Err(error) = Redactor::new(std::slice::from_ref(pattern), &[], &[]) {
                problems.error(
                    problems.place(&field),
                    &field,
                    error.to_string(),
                    "regular expressions of the regex crate",
                );
            }
        }
    }
    if !redaction.enabled {
        let field = "redaction.enabled";
        problems.warn(problems.place(field), field, "false", "true, unless content is captured already redacted");
    }
    if !is_origin(&config.evidence.origin) {
        let field = "evidence.origin";
        problems.error(
            problems.place(field),
            field,
            format!("{:?}", config.evidence.origin),
            "host/path without spaces or +",
        );
    }
    if config.features.keys.iter().any(String::is_empty) {
        let field = "features.keys";
        problems.error(problems.place(field), field, "an empty key", "attribute keys");
    }
}

/// A name for a signed note: no spaces, no plus (C2SP signed-note).
fn is_origin(origin: &str) -> bool {
    !origin.contains(|c: char| c.is_whitespace() || c == '+') && !origin.starts_with('/') && !origin.ends_with('/')
}

/// Sections that were written but switched off by what was not.
fn dead_sections(config: &Config, problems: &mut Problems) {
    let switches = [
        ("exporter.otlp.", "exporter.otlp.endpoint", config.exporter.is_some()),
        ("alertmanager.", "alertmanager.urls", config.alertmanager.is_some()),
    ];
    for (prefix, switch, on) in switches {
        if let Some(at) = problems.first_below(prefix).filter(|_| !on && !problems.was_written(switch)) {
            problems.warn(
                Some(at),
                prefix.trim_end_matches('.'),
                format!("a section without {switch}"),
                "the section has no effect",
            );
        }
    }
}

fn budget(config: &Config, problems: &mut Problems) {
    let parts = memory::worst_case(config);
    let total = parts.iter().fold(0_u64, |all, (_, bytes)| all.saturating_add(*bytes));
    if total <= config.memory_bytes_max {
        return;
    }
    let shown = |bytes: u64| show_size(bytes.div_ceil(1 << 20) << 20);
    let sum: Vec<String> = parts.iter().map(|(what, bytes)| format!("{what} {}", shown(*bytes))).collect();
    let limit = show_size(config.memory_bytes_max);
    let found = format!("a worst case of {} ({})", shown(total), sum.join(" + "));
    problems.error(problems.place("memory.limit"), "memory.limit", found, format!("at most {limit}"));
    let largest = parts.iter().max_by_key(|(_, bytes)| *bytes).map_or("", |(what, _)| what);
    problems.hint(format!("raise memory.limit, or lower the limits behind {largest}"));
}

fn rules(draft: &Draft, problems: &mut Problems) -> Vec<Arc<Rule>> {
    let mut rules = if draft.rules.defaults { built_in::rules() } else { Vec::new() };
    for name in &draft.rules.disabled {
        if !built_in::rules().iter().any(|rule| *rule.name == **name) {
            let known: Vec<String> = built_in::rules().iter().map(|rule| rule.name.to_string()).collect();
            problems.error(problems.place("rules.disabled"), "rules.disabled", format!("{name:?}"), known.join(", "));
        }
        rules.retain(|rule| *rule.name != **name);
    }
    let mut seen: Vec<&str> = Vec::new();
    for (index, (_, written)) in draft.rules.written.iter().enumerate() {
        let prefix = format!("rules.rules[{index}]");
        if seen.contains(&written.name.as_str()) {
            let at = problems.place(&format!("{prefix}.name"));
            problems.error(
                at,
                &format!("{prefix}.name"),
                format!("{:?} a second time", written.name),
                "one rule of each name",
            );
        }
        seen.push(&written.name);
        let Some(rule) = rule(written, &prefix, &draft.config.windows, problems) else { continue };
        match rules.iter_mut().find(|other| other.name == rule.name) {
            Some(other) => *other = rule,
            None => rules.push(rule),
        }
    }
    rules.into_iter().map(Arc::new).collect()
}

fn rule(written: &RuleDraft, prefix: &str, windows: &window::Policy, problems: &mut Problems) -> Option<Rule> {
    limits(written, prefix, problems);
    let window = if written.window.is_zero() { windows.short } else { written.window };
    judged(window, prefix, windows, problems);
    for glob in &written.features {
        if glob.is_empty() || glob.contains(['[', ']', '{', '}', '\\']) {
            let field = format!("{prefix}.features");
            problems.error(problems.place(&field), &field, format!("{glob:?}"), "globs of *, ? and plain characters");
        }
    }
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let missing = [
        ("name", !is_name(&written.name)),
        ("class", written.class.is_none()),
        ("severity", written.severity.is_none()),
        ("signal", written.signal.is_none()),
        ("direction", written.direction.is_none()),
    ];
    for (name, _) in missing.iter().filter(|(_, missing)| *missing) {
        let found = if *name == "name" && !written.name.is_empty() {
            format!("{:?}", written.name)
        } else {
            "nothing".to_owned()
        };
        let allowed = if *name == "name" {
            "letters, digits and _, CamelCase by custom"
        } else {
            "a value: a rule of its own needs it"
        };
        problems.require(prefix, name, found, allowed);
    }
    if missing.iter().any(|(_, missing)| *missing) {
        return None;
    }
    Some(Rule {
        name: written.name.as_str().into(),
        class: written.class?,
        severity: written.severity?,
        signal: written.signal?,
        direction: written.direction?,
        limit: written.limit(),
        window,
        hold: written.hold,
        keep_firing: written.keep_firing,
        samples_min: written.samples_min as u64,
        features: written.features.iter().map(|glob| glob.as_str().into()).collect(),
        summary: match written.summary.as_str() {
            "" => written.name.as_str().into(),
            summary => summary.into(),
        },
    })
}

fn judged(window: Duration, prefix: &str, windows: &window::Policy, problems: &mut Problems) {
    let slot = windows.slot.as_nanos().max(1);
    if window > windows.long || !window.as_nanos().is_multiple_of(slot) {
        let field = format!("{prefix}.window");
        let allowed = format!(
            "a multiple of windows.slot, {}, and at most windows.long, {}",
            show_duration(windows.slot),
            show_duration(windows.long)
        );
        problems.error(problems.place(&field).or(problems.place(prefix)), &field, show_duration(window), allowed);
    }
}

fn limits(written: &RuleDraft, prefix: &str, problems: &mut Problems) {
    let field = |name: &str| format!("{prefix}.limit.{name}");
    let at = |name: &str, problems: &Problems| problems.place(&field(name)).or(problems.place(prefix));
    if written.fixed.is_none() && written.factor.is_none() && written.delta.is_none() {
        let found = "no limit";
        problems.error(
            problems.place(prefix),
            &format!("{prefix}.limit"),
            found,
            "fixed, baseline_factor or baseline_delta",
        );
    }
    if written.factor.is_some() && written.delta.is_some() {
        let hint_at = at("baseline_delta", problems);
        problems.error(hint_at, &field("baseline_delta"), "a factor and a delta", "one of them");
        problems.hint("a built-in rule's part is taken out with null, as baseline_factor: null");
    }
    if let Some(fixed) =
        written.fixed.filter(|fixed| written.signal.is_some_and(built_in::is_ratio) && !(0.0..=1.0).contains(fixed))
    {
        problems.error(
            at("fixed", problems),
            &field("fixed"),
            fixed.to_string(),
            "a share from 0 to 1, as the signal is",
        );
    }
    if let Some(factor) = written.factor.filter(|factor| *factor <= 0.0) {
        problems.error(
            at("baseline_factor", problems),
            &field("baseline_factor"),
            factor.to_string(),
            "a number above 0",
        );
    }
    let within = match (written.direction, written.limit().baseline) {
        (Some(Direction::Above), Some(Relative::Factor(factor))) => factor > 0.0 && factor <= 1.0,
        (Some(Direction::Below), Some(Relative::Factor(factor))) => factor >= 1.0,
        (Some(Direction::Above), Some(Relative::Delta(delta))) => delta <= 0.0,
        (Some(Direction::Below), Some(Relative::Delta(delta))) => delta >= 0.0,
        (None, _) | (_, None) => false,
    };
    if within {
        let part = if written.factor.is_some() { "baseline_factor" } else { "baseline_delta" };
        problems.warn(
            at(part, problems),
            &field(part),
            "a limit that the baseline itself breaches",
            "a limit beyond the baseline",
        );
    }
}
