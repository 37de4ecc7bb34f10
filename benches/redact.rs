//! What redaction costs a byte: `prose` is clean English, `messages` a chat history as JSON, `tools` results of a tool
//! as JSON with one address each, `secrets` text of which three quarters are taken out. `built-in` are the defaults,
//! `keyed` the same with pseudonyms, `rules` has 200 more of a user's in gitleaks' form. `leaks` is the search of an
//! answer for what pages, which every answer goes through.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use freezeframe::core::redact::{PseudonymKey, Redactor, Rule, Rules, Settings};

/// As in the binary: every text that is changed is allocated.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PROSE: &str = "The refund was issued on Tuesday and takes five working days to arrive, 42.50 in all. If the bank \
    does not show it by then, ask them for the trace of order 112-7654321. We are sorry for the delay: the warehouse \
    had counted the parcel twice, and our agent could not tell which of them was yours.\n";
const TOOL: &str = r#"{"order":{"id":"A-10023","total":42.5,"currency":"EUR","items":[{"sku":"SKU-88213","n":2}],"at":"2026-11-22T02:45:11Z"},"customer":{"name":"J. Doe","email":"jane.doe@acme.example"}},"#;
const TEXT_BYTES: usize = 16 << 10;

criterion_group!(benches, redact, leaks);
criterion_main!(benches);

fn redact(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("redact");
    let plain = || Redactor::new(&Settings::default()).expect("the defaults are valid");
    let redactors = [
        ("built-in", plain()),
        ("keyed", plain().with_pseudonyms(Some(PseudonymKey::new(b"0123456789abcdef")))),
        ("rules", Redactor::new(&with_rules()).expect("no patterns")),
    ];
    for (name, redactor) in &redactors {
        for (text_name, text) in texts() {
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_with_input(BenchmarkId::new(*name, text_name), &text, |bencher, text| {
                bencher.iter(|| redactor.redact(black_box(text)).counts.total());
            });
        }
    }
    group.finish();
}

fn leaks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("leaks");
    let settings = [("built-in", Settings::default()), ("rules", with_rules())];
    for (name, settings) in settings {
        let redactor = Redactor::new(&settings).expect("no patterns");
        let text = PROSE.repeat(TEXT_BYTES / PROSE.len());
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::new(name, "prose"), &text, |bencher, text| {
            bencher.iter(|| redactor.leaks(black_box(text), None));
        });
    }
    group.finish();
}

fn texts() -> [(&'static str, String); 4] {
    let fill = |piece: &str| piece.repeat(TEXT_BYTES / piece.len());
    let message = |role: &str| serde_json::json!({"role": role, "content": PROSE}).to_string();
    let messages = fill(&format!("{},{},", message("user"), message("assistant")));
    let secrets = |n: usize| {
        let person = format!("user{n}@acme.example called +1415555{n:04} from 203.0.113.{}", n % 250);
        let key = format!("ghp_q8Zr2LxW0vTn5KfYb1HsJd7PmC3gRtE9{n:04}");
        format!("{person}, password: hunter{n}! key {key}, card 4111 1111 1111 1111\n")
    };
    [
        ("prose", fill(PROSE)),
        ("messages", format!("[{}]", messages.trim_end_matches(','))),
        ("tools", format!("[{}]", fill(TOOL).trim_end_matches(','))),
        ("secrets", (0..TEXT_BYTES / 128).map(secrets).collect()),
    ]
}

/// Rules as most of gitleaks' own: a name, something between, and a token.
fn with_rules() -> Settings {
    let rule = |n: usize| {
        let vendor = format!("{}corp{n}", ["acme", "zyx", "quo", "vex"][n % 4]);
        Rule {
            id: format!("{vendor}-api-key"),
            regex: format!(
                r#"(?i)[\w.-]{{0,50}}?(?:{vendor})(?:[ \t\w.-]{{0,20}})[\s'"]{{0,3}}(?:=|>|:{{1,3}}=|=>|:)[\x60'"\s=]{{0,5}}([a-z0-9]{{32}})(?:[\x60'"\s;]|\\[nr]|$)"#
            ),
            keywords: vec![vendor],
            ..Rule::default()
        }
    };
    let rules = Rules { rules: (0..200).map(rule).collect(), ..Rules::default() };
    Settings { rules: Arc::new(rules), ..Settings::default() }
}
