//! Secrets: one row a kind, in the spirit of gitleaks (github.com/gitleaks/gitleaks): a keyword that must occur, then
//! a pattern, then a check of what it caught.
//!
//! Patterns that hold a group catch the group, otherwise the whole match. No caught value may hold `<` or `>`, so a
//! placeholder is never caught again. Bounds above a few dozen are left open: they would only make the automata larger.

use super::check::entropy;

/// One kind of secret.
pub(super) struct Kind {
    /// Name in the placeholder and in the counts.
    pub(super) entity: &'static str,
    /// One of these occurs, in any case, wherever the pattern matches.
    pub(super) keywords: &'static [&'static str],
    /// What it looks like.
    pub(super) pattern: &'static str,
    /// Whether what was caught is one.
    pub(super) check: fn(&str) -> bool,
}

/// Every kind. Where two catch the same text, the earlier row names it.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        entity: "PRIVATE_KEY",
        keywords: &["private key"],
        pattern: r"(?s)-----BEGIN[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----|\z)",
        check: any,
    },
    Kind {
        entity: "AWS_ACCESS_KEY",
        keywords: &["akia", "asia", "abia", "acca"],
        pattern: r"\b((?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16})\b",
        check: |key| entropy(key) >= 3.0,
    },
    Kind {
        entity: "AWS_SECRET_KEY",
        keywords: &["aws"],
        pattern: r#"(?i)aws[0-9a-z_ .-]{0,20}(?:secret|key)[0-9a-z_ .-]{0,20}["']?\s{0,3}[=:]\s{0,3}["']?([a-z0-9/+]{40})(?:[^a-z0-9/+=]|\z)"#,
        check: |key| entropy(key) >= 4.0,
    },
    Kind {
        entity: "GCP_API_KEY",
        keywords: &["aiza"],
        pattern: r"\b(AIza[0-9A-Za-z_-]{35})(?:[^0-9A-Za-z_-]|\z)",
        check: |key| entropy(key) >= 3.5,
    },
    Kind {
        entity: "GCP_OAUTH_TOKEN",
        keywords: &["ya29.", "gocspx-"],
        pattern: r"\b(?:ya29\.[0-9A-Za-z_-]{30,}|GOCSPX-[0-9A-Za-z_-]{28})",
        check: any,
    },
    Kind {
        entity: "AZURE_STORAGE_KEY",
        keywords: &["accountkey=", "sharedaccesskey="],
        pattern: r"(?i)(?:AccountKey|SharedAccessKey)=([a-z0-9+/]{43,86}={1,2})",
        check: any,
    },
    Kind {
        entity: "AZURE_SAS_SIGNATURE",
        keywords: &["sig="],
        pattern: r"[?&]sig=([A-Za-z0-9%+/_-]{40,100}={0,2})",
        check: any,
    },
    Kind {
        entity: "AZURE_CLIENT_SECRET",
        keywords: &["q~"],
        pattern: r"\b([A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34})",
        check: any,
    },
    Kind {
        entity: "GITHUB_TOKEN",
        keywords: &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        pattern: r"\b(?:gh[pousr]_[0-9A-Za-z]{36,}|github_pat_[0-9A-Za-z_]{22,})\b",
        check: |token| entropy(token) >= 3.0,
    },
    Kind {
        entity: "GITLAB_TOKEN",
        keywords: &["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-"],
        pattern: r"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat)-[0-9A-Za-z_-]{20,100}",
        check: |token| entropy(token) >= 3.0,
    },
    Kind {
        entity: "SLACK_TOKEN",
        keywords: &["xoxa-", "xoxb-", "xoxe", "xoxp-", "xoxo-", "xoxr-", "xoxs-", "xapp-", "hooks.slack.com"],
        pattern: r"\b(?:xox[abeoprs][.-][0-9A-Za-z-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{20,}|https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{20,100})",
        check: |token| token.bytes().any(|byte| byte.is_ascii_digit()),
    },
    Kind {
        entity: "STRIPE_KEY",
        keywords: &["sk_test_", "sk_live_", "rk_test_", "rk_live_", "whsec_"],
        pattern: r"\b(?:[rs]k_(?:test|live)_[0-9A-Za-z]{10,99}|whsec_[0-9A-Za-z+/]{24,99})",
        check: |key| entropy(key) >= 2.5,
    },
    Kind { entity: "ANTHROPIC_API_KEY", keywords: &["sk-ant-"], pattern: r"\bsk-ant-[0-9A-Za-z_-]{20,}", check: any },
    Kind {
        entity: "OPENAI_API_KEY",
        keywords: &["sk-"],
        pattern: r"(?:\A|[^0-9A-Za-z_-])(sk-(?:(?:proj|svcacct|admin|None|or-v1)-[0-9A-Za-z_-]{20,}|[0-9A-Za-z]{32,64}))(?:[^0-9A-Za-z_-]|\z)",
        check: |key| entropy(key) >= 3.0,
    },
    Kind {
        entity: "LLM_PROVIDER_KEY",
        keywords: &["hf_", "gsk_", "xai-", "sk-lf-", "lsv2_", "pcsk_", "pplx-", "r8_", "dapi"],
        pattern: r"\b(?:hf_[A-Za-z]{34}|gsk_[0-9A-Za-z]{40,60}|xai-[0-9A-Za-z]{70,90}|sk-lf-[0-9a-f-]{36}|lsv2_[ps][tk]_[0-9a-f]{32}_[0-9a-f]{10}|pcsk_[0-9A-Za-z_]{50,80}|pplx-[0-9A-Za-z]{40,60}|r8_[0-9A-Za-z]{37}|dapi[0-9a-f]{32}(?:-[0-9])?)\b",
        check: |key| entropy(key) >= 3.0,
    },
    Kind {
        entity: "PACKAGE_REGISTRY_TOKEN",
        keywords: &["npm_", "pypi-ageichlwas5vcmc", "sg."],
        pattern: r"\b(?:npm_[0-9A-Za-z]{36}|pypi-AgEIcHlwaS5vcmc[0-9A-Za-z_-]{50,}|SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43})",
        check: |key| entropy(key) >= 3.0,
    },
    Kind {
        entity: "JWT",
        keywords: &["eyj"],
        pattern: r"\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{10,}",
        check: any,
    },
    Kind {
        entity: "URL_PASSWORD",
        keywords: &["://"],
        pattern: r#"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s:/@"'<>]*:([^\s@/"'<>]+)@"#,
        check: any,
    },
    Kind {
        entity: "AUTHORIZATION",
        keywords: &["bearer", "basic"],
        pattern: r"(?i)\b(?:bearer|basic)\s{1,3}([a-z0-9._~+/-]{16,}={0,2})",
        check: token,
    },
    Kind {
        entity: "PASSWORD",
        keywords: &["passw", "pwd"],
        pattern: r#"(?i)(?:password|passwd|pwd)["']?\s{0,3}(?::=|=>|=|:)\s{0,3}["']?([^\s"',;&(){}<>]{4,})"#,
        check: |value| value.bytes().any(|byte| !byte.is_ascii_alphabetic() && byte != b'.' && byte != b'-'),
    },
    Kind {
        entity: "GENERIC_SECRET",
        keywords: &["key", "secret", "token", "credential"],
        pattern: r#"(?i)(?:api[_-]?key|access[_-]?key|secret|token|credentials?)[a-z0-9_.-]{0,20}["']?\s{0,3}(?::=|=>|=|:)\s{0,3}["']?([a-z0-9._~+/=-]{12,})"#,
        check: |value| token(value) && entropy(value) >= 3.5,
    },
];

fn any(_: &str) -> bool {
    true
}

/// A token mixes letters and digits; a word, a number, a path and a list of words do not.
fn token(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let letters = value.bytes().filter(u8::is_ascii_alphabetic).count();
    digits >= 2 && letters >= 2 && entropy(value) >= 3.0
}
