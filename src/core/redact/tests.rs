//! Tables of what is found and what must not be, and the properties of the whole.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

/// Proves that every pattern of ours compiles, though most are not needed before a text has their keyword.
#[test]
fn every_pattern_compiles() {
    let redactor = redactor();
    let secrets = redactor.secrets.iter().map(|secret| &secret.pattern);
    let all = secrets.chain(&redactor.personal).chain([&redactor.loose_pair]);
    assert_eq!(all.filter(|it| it.compile().is_ok()).count(), secret::KINDS.len() + personal::KINDS.len() + 1);
    assert_eq!(redactor.keys.of("password"), keys::Under::Blocked);
}

static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::new(&Settings::default()).unwrap());

fn redactor() -> &'static Redactor {
    &REDACTOR
}

fn list(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Keys are put together here so that no scanner takes this file for a leak.
fn secrets() -> Vec<(&'static str, String)> {
    let body = "q8Zr2LxW0vTn5KfYb1HsJd7PmC3gRtE9uQwXzAo4";
    let long = body.repeat(4);
    vec![
        ("AWS_ACCESS_KEY", format!("AKIA{}", "Q3EGTWV5ZLMN7XK2")),
        ("GCP_API_KEY", format!("AIza{}", &body[..35])),
        ("GCP_OAUTH_TOKEN", format!("ya29.{body}")),
        ("GITHUB_TOKEN", format!("ghp_{}", &body[..36])),
        ("GITHUB_TOKEN", format!("github_pat_{}", &long[..82])),
        ("GITLAB_TOKEN", format!("glpat-{}", &body[..20])),
        ("SLACK_TOKEN", format!("xoxb-{}-{}", "123456789012", &body[..24])),
        ("SLACK_TOKEN", format!("https://hooks.slack.com/services/T0123/B0456/{}", &body[..24])),
        ("STRIPE_KEY", format!("sk_live_{}", &body[..24])),
        ("ANTHROPIC_API_KEY", format!("sk-ant-api03-{}", &long[..90])),
        ("OPENAI_API_KEY", format!("sk-proj-{body}")),
        ("OPENAI_API_KEY", format!("sk-{}", long[..48].to_owned())),
        ("LLM_PROVIDER_KEY", format!("gsk_{}", &long[..52])),
        ("PACKAGE_REGISTRY_TOKEN", format!("npm_{}", &body[..36])),
        ("JWT", format!("eyJ{}.eyJ{}.{}", &body[..20], &body[..30], &body[..30])),
        ("AZURE_CLIENT_SECRET", format!("abc8Q~{}", &body[..34])),
    ]
}

/// Proves that every kind of token is found in running text, alone, quoted and after a newline, and named rightly.
#[test]
fn tokens_are_found_wherever_they_stand() {
    let redactor = redactor();
    for (entity, secret) in secrets() {
        for (before, after) in
            [("", ""), ("use ", " please"), ("key: \"", "\","), ("a\n", "\nb"), ("(", ")."), ("\\n", "\\n")]
        {
            let redacted = redactor.redact(&format!("{before}{secret}{after}")).text.into_owned();
            assert!(redacted.contains(&format!("<{entity}>")), "{entity}: {before}{secret}{after} -> {redacted}");
            assert!(!redacted.contains(&secret), "{redacted}");
        }
    }
}

/// Proves secrets that are known by their surroundings: only the secret part goes.
#[test]
fn surroundings_stay_readable() {
    let redactor = redactor();
    for (text, redacted) in [
        ("Authorization: Bearer q8Zr2LxW0vTn5KfYb1Hs", "Authorization: Bearer <AUTHORIZATION>"),
        ("postgres://app:hunter2@db.internal:5432/x", "postgres://app:<URL_PASSWORD>@db.internal:5432/x"),
        ("redis://:s3cret@cache:6379", "redis://:<URL_PASSWORD>@cache:6379"),
        ("password=hunter2;", "password=<PASSWORD>;"),
        ("PWD: 'corr3ct-horse'", "PWD: '<PASSWORD>'"),
        ("api_key = q8Zr2LxW0vTn5KfYb1Hs", "api_key = <GENERIC_SECRET>"),
        ("secret_token=\"Zk81-qpL0-vmX9-77aQ\"", "secret_token=\"<GENERIC_SECRET>\""),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AWS_SECRET_ACCESS_KEY=<AWS_SECRET_KEY>"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- x", "<PRIVATE_KEY> x"),
        ("-----BEGIN PRIVATE KEY-----\\nMIIE cut of", "<PRIVATE_KEY>"),
        ("AccountKey=q8Zr2LxW0vTn5KfYb1HsJd7PmC3gRtE9uQwXzAo4abc=;x", "AccountKey=<AZURE_STORAGE_KEY>;x"),
    ] {
        assert_eq!(redactor.redact(text).text, redacted);
    }
}

/// Proves each kind of personal data, with the text around it untouched.
#[test]
fn personal_data_is_found() {
    let redactor = redactor();
    for (text, redacted) in [
        ("write to jane.doe+x@mail.example.co.uk.", "write to <EMAIL_ADDRESS>."),
        ("call +49 30 901820 now", "call <PHONE_NUMBER> now"),
        ("call +14155552671", "call <PHONE_NUMBER>"),
        ("(415) 555-2671 or 415-555-2671", "<PHONE_NUMBER> or <PHONE_NUMBER>"),
        ("card 4111 1111 1111 1111, thanks", "card <CREDIT_CARD>, thanks"),
        ("5555555555554444", "<CREDIT_CARD>"),
        ("3782-822463-10005", "<CREDIT_CARD>"),
        ("SSN 123-45-6789.", "SSN <US_SSN>."),
        ("to DE89 3704 0044 0532 0130 00 today", "to <IBAN_CODE> today"),
        ("GB82WEST12345698765432", "<IBAN_CODE>"),
        ("ITIN 912-71-1234.", "ITIN <US_ITIN>."),
        ("nic 3c:22:fb:0a:91:7e up", "nic <MAC_ADDRESS> up"),
        ("from 203.0.113.7:443", "from <IP_ADDRESS>:443"),
        ("from 2001:db8:85a3::8a2e:370:7334 on", "from <IP_ADDRESS> on"),
    ] {
        assert_eq!(redactor.redact(text).text, redacted);
    }
}

/// Proves that what only looks like it stays: ids, versions, times, amounts, words.
#[test]
fn near_misses_stay() {
    let redactor = redactor();
    for text in [
        "order 4111111111111112",
        "Order 112-7654321-1234567, invoice 2026-11-000123",
        "trace 4bf92f3577b34da6a3ce929d0e0e4736 span 00f067aa0ba902b7",
        "550e8400-e29b-41d4-a716-446655440000",
        "12345678-1234-4123-8123-123456789012",
        "at 2026-11-22T02:45:11.123456789+00:00, 1795313940123456789 ns, 1795313940123 ms",
        "v1.2.3.4 and version 10.0.0.1 and 1.2.3, kernel 5.15.0.1-2",
        "node react@18.2.0 pkg@1.0.0-beta.rc git@github.com:org/repo.git @types/node",
        "listening on 127.0.0.1:4317 and 0.0.0.0:4318 and ::1",
        "std::vec::Vec, a::b, 12:34:56, dead::beef",
        "max_tokens: 4096, total_tokens=123456789012, token: continuation, tokens per second",
        "password: required. Reset your password: click here",
        "the secret: patience and practice",
        "task-1234567890, risk-averse, ask-me-anything-about-this-long-word",
        "Bearer authentication required; Basic understanding of things",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "https://example.com:8443/path?x=1&y=2",
        "costs $1,234,567.89 or 0.000001234567890123",
        "000-12-3456 666-12-3456 900-12-3456 123-00-4567",
        "fingerprint 16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48, nic ff:ff:ff:ff:ff:ff",
        "call 123-456-7890 or 555-0199",
        "DE00 3704 0044 0532 0130 00",
        "gen_ai.usage.input_tokens",
    ] {
        assert_eq!(redactor.redact(text).text, text);
    }
}

/// Proves that a canary is found in every role, in tool arguments and in JSON inside strings inside JSON, and that
/// everything else keeps its bytes.
#[test]
fn no_canary_survives_nested_json() {
    let redactor = redactor();
    let canary = "canary.7@leak.example";
    let mut nested = format!("mail {canary}\nnow");
    for depth in 0..6 {
        let document = format!(
            r#"[{{"role": "system", "content": {0}}},{{"role":"assistant","tool_calls":[{{"function":{{"name":"f{depth}","arguments":{0}}}}}]}},  {{"role":"tool","parts":[{{"type":"text","text":{0}}}], "n": 1.50}}]"#,
            serde_json::Value::from(nested.as_str())
        );
        let redacted = redactor.redact(&document);
        assert!(!redacted.text.contains("canary"), "depth {depth}");
        assert_eq!(redacted.counts.iter().collect::<Vec<_>>(), [("EMAIL_ADDRESS", 3_u64.pow(depth + 1))]);
        assert_eq!(redacted.text, document.replace(canary, "<EMAIL_ADDRESS>"));
        nested = document;
    }
    let cut = &nested[..nested.len() * 2 / 3];
    assert!(!redactor.redact(cut).text.contains(canary));
}

/// Proves that values under secret keys go whole, at any depth, in cut-off JSON and as numbers, and that keys about
/// model tokens do not count.
#[test]
fn blocked_keys_mask_their_values() {
    let settings = Settings {
        blocked_key_patterns: list(&["^x-internal$"]),
        allowed_values: list(&["^public$"]),
        ..Settings::default()
    };
    let redactor = Redactor::new(&settings).unwrap();
    for (text, redacted) in [
        (r#"{"password":"a","n":1}"#, r#"{"password":"<BLOCKED_KEY>","n":1}"#),
        (
            r#"{"clientSecret": ["a", {"b": 7}], "c": "d"}"#,
            r#"{"clientSecret": ["<BLOCKED_KEY>", {"b": "<BLOCKED_KEY>"}], "c": "d"}"#,
        ),
        (r#"{"Authorization":"Basic abc"}"#, r#"{"Authorization":"<BLOCKED_KEY>"}"#),
        (r#"{"x-internal":"abc","password":"public"}"#, r#"{"x-internal":"<BLOCKED_KEY>","password":"public"}"#),
        (
            r#"{"access_token":null,"api_key":true,"auth_token":""}"#,
            r#"{"access_token":null,"api_key":true,"auth_token":""}"#,
        ),
        (
            r#"{"max_tokens":100,"token":"hello","tokens":["a"]}"#,
            r#"{"max_tokens":100,"token":"hello","tokens":["a"]}"#,
        ),
        (r#"{"card":4111111111111111}"#, r#"{"card":"<CREDIT_CARD>"}"#),
        (r#"{"db_password":"pa ss", "x"#, r#"{"db_password":"<BLOCKED_KEY>", "x"#),
        (r#"args: {\"password\":\"hunter\"}"#, r#"args: {\"password\":\"<BLOCKED_KEY>\"}"#),
    ] {
        assert_eq!(redactor.redact(text).text, redacted);
    }
}

/// Proves that the user's patterns count, that allowed values win, and that a bad pattern is named.
#[test]
fn the_users_patterns() {
    let settings = Settings {
        blocked_values: list(&["ACME-[0-9]+"]),
        allowed_values: list(&[r".+@example\.com"]),
        ..Settings::default()
    };
    let redactor = Redactor::new(&settings).unwrap();
    let redacted = redactor.redact("ACME-17 for a@example.com and a@example.org");
    assert_eq!(redacted.text, "<BLOCKED_VALUE> for a@example.com and <EMAIL_ADDRESS>");
    assert_eq!(redacted.counts.total(), 2);
    let error = Redactor::new(&Settings { blocked_values: list(&["(open"]), ..settings }).unwrap_err();
    assert_eq!(error.pattern, "(open");
}

/// Proves that clean text is handed back borrowed.
#[test]
fn clean_text_is_borrowed() {
    let redactor = redactor();
    for text in ["", "Hello there.", r#"[{"role":"user","content":"Hi, 42 please."}]"#] {
        let redacted = redactor.redact(text);
        assert!(matches!(redacted.text, Cow::Borrowed(_)) && redacted.counts.is_empty());
    }
}

/// Proves that counts add up.
#[test]
fn counts_merge() {
    let redactor = redactor();
    let mut counts = redactor.redact("a@b.de c@d.de").counts;
    counts.merge(&redactor.redact("e@f.de 123-45-6789").counts);
    assert_eq!(counts.iter().collect::<Vec<_>>(), [("EMAIL_ADDRESS", 3), ("US_SSN", 1)]);
}

/// Pieces that stick together in awkward ways.
fn soup() -> impl Strategy<Value = String> {
    let mut pieces: Vec<String> = secrets().into_iter().map(|(_, secret)| secret).collect();
    pieces.extend(
        [
            "jane@example.org",
            "4111111111111111",
            "123-45-6789",
            "+14155552671",
            "203.0.113.7",
            "GB82WEST12345698765432",
            "password",
            "token",
            "=",
            ":",
            " ",
            "\n",
            "\"",
            "\\",
            "\\n",
            "{",
            "}",
            "[",
            "]",
            ",",
            "<",
            ">",
            "-",
            ".",
            "@",
            "x",
            "7",
            "<EMAIL_ADDRESS>",
            "<PASSWORD",
            "bearer ",
            "://",
            "a:",
            "key",
            "-----BEGIN PRIVATE KEY-----",
            "2001:db8::8a2e:370",
        ]
        .map(str::to_owned),
    );
    proptest::collection::vec(
        prop_oneof![3 => proptest::sample::select(pieces), 1 => "[ -~]{0,6}", 1 => "\\PC{0,3}"],
        0..12,
    )
    .prop_map(|pieces| pieces.concat())
}

/// A redactor with everything on: rules of the user's that reach far, and a key.
static KEYED: LazyLock<Redactor> = LazyLock::new(|| {
    let rule = |id: &str, regex: &str, keywords: &[&str]| Rule {
        id: id.to_owned(),
        regex: regex.to_owned(),
        keywords: list(keywords),
        ..Rule::default()
    };
    let rules = vec![
        rule("acme-ticket", r"(?i)ticket[=: ]+([^\n]{3,40})", &["ticket"]),
        rule("acme.any-key", r"[\w:]*key[^\s]{2,}", &[]),
    ];
    let settings = Settings {
        rules: Arc::new(Rules { rules, digest: "5f1d0c9a".to_owned(), ..Rules::default() }),
        blocked_values: list(&["x.*7", "DDRESS:[0-9a-f]+"]),
        ..Settings::default()
    };
    Redactor::new(&settings).unwrap().with_pseudonyms(Some(PseudonymKey::new(b"0123456789abcdef")))
});

proptest! {
    /// Proves that redacting twice is redacting once, for text and for JSON that holds it, with digests and rules of
    /// the user's that reach over placeholders.
    #[test]
    fn redaction_is_idempotent(text in soup()) {
        for redactor in [redactor(), &KEYED] {
            let once = redactor.redact(&text).text.into_owned();
            prop_assert_eq!(&redactor.redact(&once).text, &once);
            let document = serde_json::json!([{"content": text, "password": text}]).to_string();
            let once = redactor.redact(&document).text.into_owned();
            prop_assert!(serde_json::from_str::<serde_json::Value>(&once).is_ok());
            prop_assert_eq!(&redactor.redact(&once).text, &once);
        }
    }

    /// Proves that no pattern of anybody's can make it panic, whatever stands around and inside.
    #[test]
    fn any_text_is_taken(text in "(\\PC|[\n<>:\"{}]){0,60}") {
        let redacted = KEYED.redact(&text);
        prop_assert_eq!(redacted.counts.is_empty(), redacted.text == text);
    }
}

/// Proves that with a key equal values join across texts and ways of writing, that other values do not, and that a
/// value masked under a key carries a digest too.
#[test]
fn equal_values_join_with_a_key() {
    let once = |text: &str| KEYED.redact(text).text.into_owned();
    let jane = once("jane@example.org");
    assert_eq!((jane.len(), &jane[..15]), ("<EMAIL_ADDRESS:0123456789ab>".len(), "<EMAIL_ADDRESS:"));
    assert_eq!(once("hi Jane@Example.org!"), format!("hi {jane}!"));
    assert_ne!(once("john@example.org"), jane);
    let masked = once(r#"{"password":"a"}"#);
    assert_eq!(once(r#"[{"passphrase":"a"}]"#), format!(r#"[{{"passphrase":{}]"#, &masked[12..]));
    // What was redacted without a key, or by somebody else, stays as it is.
    for text in [format!("to {jane}"), "to <EMAIL_ADDRESS>".to_owned(), r#"{"password":"<PASSWORD>"}"#.to_owned()] {
        assert_eq!((once(&text), redactor().redact(&text).text.into_owned()), (text.clone(), text));
    }
}

/// Proves that what stands beside a placeholder goes with a rule of the user's that reaches over it.
#[test]
fn placeholders_shield_nothing() {
    let redacted = KEYED.redact("ticket: <EMAIL_ADDRESS> hunter2").text.into_owned();
    assert!(
        redacted.starts_with("ticket: <EMAIL_ADDRESS><ACME_TICKET:") && !redacted.contains("hunter2"),
        "{redacted}"
    );
}

/// Proves the lists of keys: ignored ones win over all, of the others only allowed ones are looked at.
#[test]
fn lists_of_keys() {
    let settings = Settings {
        ignored_keys: list(&["raw"]),
        ignored_key_patterns: list(&["^x-"]),
        blocked_key_patterns: list(&["^x-note$", "^note$"]),
        ..Settings::default()
    };
    let redact = |settings: &Settings, text: &str| Redactor::new(settings).unwrap().redact(text).text.into_owned();
    let text =
        r#"{"raw":{"password":"a@b.de","n":[4111111111111111]},"x-note":"a@b.de","note":{"k":"v"},"to":"a@b.de"}"#;
    assert_eq!(
        redact(&settings, text),
        r#"{"raw":{"password":"a@b.de","n":[4111111111111111]},"x-note":"a@b.de","note":{"k":"<BLOCKED_KEY>"},"to":"<EMAIL_ADDRESS>"}"#
    );
    let settings = Settings { allow_all_keys: false, allowed_keys: list(&["to", "items"]), ..settings };
    assert_eq!(
        redact(
            &settings,
            r#"{"raw":"s","to":"me, a@b.de","items":[{"to":1,"from":2}],"other":{"to":true,"n":null,"m":"s"}}"#
        ),
        r#"{"raw":"s","to":"me, <EMAIL_ADDRESS>","items":[{"to":1,"from":"<BLOCKED_KEY>"}],"other":{"to":true,"n":null,"m":"<BLOCKED_KEY>"}}"#
    );
    assert_eq!(redact(&settings, "plain text of a@b.de"), "plain text of <EMAIL_ADDRESS>");
}

/// Proves that short numbers are held against the user's patterns, and no number when only strings are.
#[test]
fn numbers_in_json() {
    let mut settings = Settings { blocked_values: list(&["^4711$"]), ..Settings::default() };
    let text = r#"{"n":4711,"card":4111111111111111,"password":7}"#;
    let redact = |settings: &Settings| Redactor::new(settings).unwrap().redact(text).text.into_owned();
    assert_eq!(redact(&settings), r#"{"n":"<BLOCKED_VALUE>","card":"<CREDIT_CARD>","password":"<BLOCKED_KEY>"}"#);
    settings.redact_all_types = false;
    assert_eq!(redact(&settings), r#"{"n":4711,"card":4111111111111111,"password":"<BLOCKED_KEY>"}"#);
}

/// Proves that the version of the rules says which of the user's were in use.
#[test]
fn the_version_covers_the_users_rules() {
    assert_eq!(redactor().rules_version(), RULES_VERSION);
    assert_eq!(KEYED.rules_version(), format!("{RULES_VERSION}+gitleaks.5f1d0c9a"));
}
