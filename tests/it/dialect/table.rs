//! docs/dialects.md, written from the recordings: which dialect tells what.

use super::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How a field comes to be known.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    /// The SDK sends it.
    Told,
    /// It is worked out from what the SDK sends.
    Derived,
}

type Row = (&'static str, Source, fn(&Request) -> bool);

const ROWS: &[Row] = &[
    ("model requested", Source::Told, |it| it.calls.iter().any(|call| call.model_requested.is_some())),
    ("model served", Source::Told, |it| it.calls.iter().any(|call| call.model_served.is_some())),
    ("provider", Source::Told, |it| it.calls.iter().any(|call| call.provider.is_some())),
    ("fingerprint", Source::Told, |it| it.calls.iter().any(|call| call.fingerprint.is_some())),
    ("route", Source::Told, |it| it.calls.iter().any(|call| call.route.is_some())),
    ("temperature", Source::Told, |it| it.calls.iter().any(|call| call.temperature.is_some())),
    ("response id", Source::Told, |it| it.calls.iter().any(|call| call.response_id.is_some())),
    ("input, output tokens", Source::Told, |it| it.calls.iter().any(|call| call.output_tokens.is_some())),
    ("cached tokens", Source::Told, |it| it.calls.iter().any(|call| call.cached_input_tokens.is_some())),
    ("cost", Source::Told, |it| it.calls.iter().any(|call| call.cost_nano_usd.is_some())),
    ("finish reason", Source::Told, |it| it.finish_reason.is_some()),
    ("time to first token", Source::Told, |it| it.calls.iter().any(|call| call.time_to_first_token.is_some())),
    ("retries", Source::Told, |it| it.calls.iter().any(|call| call.retries.is_some())),
    ("errors with status code", Source::Told, |it| {
        it.calls.iter().any(|call| call.error.as_ref().is_some_and(|error| error.status_code.is_some()))
    }),
    ("user query, answer", Source::Told, |it| it.user_query.is_some() && it.response.is_some()),
    ("prompt digest", Source::Derived, |it| it.prompt.sha256.is_some()),
    ("prompt version", Source::Told, |it| it.prompt.version.is_some()),
    ("tool contracts", Source::Derived, |it| !it.tools_offered.is_empty()),
    ("tool executions", Source::Told, |it| it.tools.iter().any(|tool| tool.duration.is_some())),
    ("tool path", Source::Derived, |it| it.tool_path.is_some()),
    ("documents", Source::Told, |it| it.retrievals.iter().any(|it| it.documents.is_some())),
    ("document scores", Source::Told, |it| {
        it.retrievals.iter().flat_map(|it| it.documents.iter().flatten()).any(|it| it.score.is_some())
    }),
    ("index", Source::Told, |it| it.retrievals.iter().any(|it| it.index.is_some())),
    ("freshness lag", Source::Derived, |it| it.retrievals.iter().any(|it| it.freshness_lag.is_some())),
    ("evaluations", Source::Told, |it| !it.evaluations.is_empty()),
    ("session", Source::Told, |it| it.session_id.is_some()),
    ("user", Source::Told, |it| it.user_id.is_some()),
];

const HEAD: &str = "# What each dialect tells

Written by `UPDATE=1 cargo test --test it -- dialect::table` from recordings of real SDKs (`tests/fixtures/captures`), and
checked against them by the same test. **yes**: the SDK sends it in at least one recorded scenario. **derived**: worked out
from what it sends. **-**: not in any of its recorded scenarios. What a dialect leaves out can be sent by the application
under the names in [telemetry-contract.md](telemetry-contract.md), or mapped in `fields`
([configuration.md](configuration.md#fields)).
";

fn page() -> String {
    let mut found: BTreeMap<String, (Vec<String>, Vec<Request>)> = BTreeMap::new();
    for (dialect, scenario) in scenarios() {
        let entry = found.entry(dialect.clone()).or_default();
        entry.1.extend(requests(&dialect, &scenario));
        entry.0.push(scenario);
    }
    let mut page = HEAD.to_owned();
    for dialects in found.iter().collect::<Vec<_>>().chunks(8) {
        let names: Vec<&str> = dialects.iter().map(|(name, _)| name.as_str()).collect();
        writeln!(page, "\n| field | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len())).unwrap();
        for (field, source, told) in ROWS {
            let cell = |(_, (_, requests)): &(&String, &(Vec<String>, Vec<Request>))| match requests.iter().any(told) {
                true if *source == Source::Derived => "derived",
                true => "yes",
                false => "-",
            };
            let cells: Vec<&str> = dialects.iter().map(cell).collect();
            writeln!(page, "| {field} | {} |", cells.join(" | ")).unwrap();
        }
    }
    page += "\n## Recorded scenarios\n\n| recording | scenarios |\n|---|---|\n";
    for (dialect, (scenarios, _)) in &found {
        writeln!(page, "| {dialect} | {} |", scenarios.join(", ")).unwrap();
    }
    page
}

/// Proves that the table in the documentation is what the recordings say.
#[test]
#[expect(clippy::disallowed_methods, reason = "UPDATE is a switch of the test, not of the program")]
fn the_table_is_what_the_recordings_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dialects.md");
    let page = page();
    if std::env::var("UPDATE").is_ok() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/dialects.md is not what the recordings say: run it again with UPDATE=1");
}
