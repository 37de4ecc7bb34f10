//! From a [`Draft`] whose fields are each in range to a [`Config`] whose fields fit together.

mod gitleaks;
mod judges;
mod redaction;
mod rules;

use std::path::PathBuf;
use std::sync::Arc;

use super::error::Problems;
use super::fields::Draft;
use super::load::Outside;
use super::units::{show_duration, show_size};
use super::{Config, MASK, Secret, memory};
use crate::core::price::Table;
use crate::core::window;

/// A file of own prices, bytes: LiteLLM's of 4500 models has 3 MiB.
const PRICES_BYTES_MAX: usize = 16 << 20;

/// Closes the draft. What does not fit is reported; the value returned counts only without errors.
pub(super) fn compile(mut draft: Draft, outside: Outside<'_>, problems: &mut Problems) -> Config {
    let admin = &mut draft.config.admin.token;
    let readable = secret(admin, draft.admin_token_file.as_ref(), "admin.token", outside, problems);
    let push = &mut draft.alertmanager.token;
    secret(push, draft.alertmanager_token_file.as_ref(), "alertmanager.token", outside, problems);
    let key = &mut draft.config.redaction.hmac_key;
    secret(key, draft.hmac_key_file.as_ref(), "redaction.hmac_key", outside, problems);
    redaction::compile(&mut draft.config.redaction, outside, problems);
    let rules = rules::compile(&draft, problems);
    let Draft { mut config, exporter, alertmanager, judges, .. } = draft;
    config.rules = rules;
    config.judges = judges::compile(judges, outside, problems);
    config.exporter = (!exporter.endpoint.is_empty()).then_some(exporter);
    config.alerting.drills = alertmanager.drills;
    config.alertmanager = (!alertmanager.urls.is_empty()).then_some(alertmanager);
    windows(&config.windows, problems);
    triggers(&config, problems);
    if readable && !problems.refused("admin.token") {
        exposure(&config, problems);
    }
    addresses(&config, problems);
    forwarding(&config, outside, problems);
    prices(&mut config, outside, problems);
    names(&config, problems);
    dead_sections(&config, problems);
    budget(&config, problems);
    config
}

/// Fills a secret from its file; `false` when what was said of it is already reported.
fn secret(
    secret: &mut Option<Secret>,
    file: Option<&PathBuf>,
    field: &str,
    outside: Outside<'_>,
    problems: &mut Problems,
) -> bool {
    let what = field.rsplit(['.', '_']).next().unwrap_or_default();
    if secret.as_ref().is_some_and(|secret| secret.0 == MASK) {
        let allowed = format!("the {what} itself");
        problems.warn(problems.place(field), field, "the mask that print-config writes", allowed);
    }
    let Some(path) = file else { return true };
    let file_field = format!("{field}_file");
    let at = problems.place(&file_field);
    if secret.is_some() {
        problems.error(at, &file_field, format!("a {what} and a {what} file"), format!("{field} or {file_field}"));
        return false;
    }
    match (outside.read)(path).map(|text| text.trim().to_owned()) {
        Ok(text) if !text.is_empty() && !text.chars().any(char::is_control) => {
            *secret = Some(Secret(text));
            true
        }
        Ok(_) => {
            let found = format!("{} without a {what}", path.display());
            problems.error(at, &file_field, found, "a file with one line");
            false
        }
        Err(error) => {
            let found = format!("{}: {error}", path.display());
            problems.error(at, &file_field, found, "a readable file with one line");
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
            problems.error(
                problems.place(&field).or(problems.place("windows.slot")),
                &field,
                show_duration(length),
                allowed,
            );
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

/// A breaker that waits for an alert nobody raises would never open.
fn triggers(config: &Config, problems: &mut Problems) {
    for breaker in &config.breakers {
        let rules: Vec<&str> =
            config.rules.iter().filter(|rule| rule.class == breaker.class).map(|rule| &*rule.name).collect();
        for name in breaker.plan.trigger.iter().filter(|name| !rules.contains(&&***name)) {
            let field = format!("breakers, trigger of {}", breaker.class.as_str());
            problems.error(problems.first_below("breakers"), &field, format!("{name:?}"), rules.join(", "));
        }
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

/// Whether what is sent to a URL stays on this machine, or is encrypted.
fn is_near(url: &str) -> bool {
    let plain = url.strip_prefix("http://").map(|rest| rest.split(['/', '?']).next().unwrap_or(rest));
    plain.is_none_or(|authority| {
        let address = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
        let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|it| it.is_ascii_digit()));
        if has_port { is_loopback(address) } else { is_loopback(&format!("{address}:80")) }
    })
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

/// Reads the file of own prices.
fn prices(config: &mut Config, outside: Outside<'_>, problems: &mut Problems) {
    let Some(path) = &config.cost.prices_file else { return };
    let allowed = "prices in the JSON form of genai-prices or of LiteLLM";
    let read = match (outside.read)(path) {
        Ok(text) if text.len() > PRICES_BYTES_MAX => {
            Err(format!("{} of more than {}", path.display(), show_size(PRICES_BYTES_MAX as u64)))
        }
        Ok(text) => Table::parse(&text).map_err(|error| format!("{}: {error}", path.display())),
        Err(error) => Err(format!("{}: {error}", path.display())),
    };
    match read {
        Ok(table) if table.models() == 0 => {
            let found = format!("{} without a price of tokens", path.display());
            problems.error(problems.place("cost.prices_file"), "cost.prices_file", found, allowed);
        }
        Ok(table) => config.cost.prices = Some(Arc::new(table)),
        Err(found) => problems.error(problems.place("cost.prices_file"), "cost.prices_file", found, allowed),
    }
}

fn names(config: &Config, problems: &mut Problems) {
    if !is_origin(&config.evidence.origin) {
        let field = "evidence.origin";
        problems.error(
            problems.place(field),
            field,
            format!("{:?}", config.evidence.origin),
            "host/path without spaces or +",
        );
    }
    for (name, _) in config.alertmanager.iter().flat_map(|push| &push.labels).filter(|(name, _)| !is_label_name(name)) {
        let field = "alertmanager.labels";
        problems.error(problems.place(field), field, format!("{name:?}"), "label names of letters, digits and _");
    }
    if let Err(error) = tracing_subscriber::EnvFilter::try_new(&config.telemetry.log_filter) {
        let (field, filter) = ("telemetry.log_filter", &config.telemetry.log_filter);
        let allowed = "directives as in info,freezeframe=debug";
        problems.error(problems.place(field), field, format!("{filter:?}: {error}"), allowed);
    }
    if config.features.keys.iter().any(String::is_empty) {
        let field = "features.keys";
        problems.error(problems.place(field), field, "an empty key", "attribute keys");
    }
}

/// A Prometheus label name, and what we ask of an alert's name too.
fn is_label_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A name for a signed note: no spaces, no plus (C2SP signed-note).
fn is_origin(origin: &str) -> bool {
    !origin.contains(|c: char| c.is_whitespace() || c == '+') && !origin.starts_with('/') && !origin.ends_with('/')
}

/// Sections that were written but switched off by what was not.
fn dead_sections(config: &Config, problems: &mut Problems) {
    let switches = [
        ("exporter.otlp.", "exporter.otlp.endpoint", config.exporter.is_some()),
        ("alertmanager.", "alertmanager.urls", config.alertmanager.is_some() || config.alerting.drills),
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
