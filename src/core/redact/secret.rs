//! Secrets: one row a kind, in the form of gitleaks (github.com/gitleaks/gitleaks): a keyword that must occur, then a
//! pattern, then a check of what it caught. A user's rules come before them and work the same.
//!
//! Patterns that hold a group catch the group, otherwise the whole match. No caught value may hold `<` or `>`, so a
//! placeholder is never caught again. Bounds above a few dozen are left open: they would only make the automata larger.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::{Captures, Match};

use super::check::entropy;
use super::gitleaks::{Allowed, Caught, Rule, Rules};
use super::pattern::Lazy;

/// One kind of secret.
pub(super) struct Kind {
    /// Name in the placeholder and in the counts.
    pub(super) entity: &'static str,
    /// The rules of gitleaks' own that it stands for.
    pub(super) gitleaks: &'static [&'static str],
    /// One of these occurs, in any case, wherever the pattern matches.
    pub(super) keywords: &'static [&'static str],
    /// What it looks like.
    pub(super) pattern: &'static str,
    /// Whether what was caught is one.
    pub(super) check: fn(&str) -> bool,
}

/// A kind of ours or a rule of the user's, ready for use.
#[derive(Debug)]
pub(super) struct Secret {
    pub(super) entity: Cow<'static, str>,
    pub(super) keywords: Vec<Cow<'static, str>>,
    pub(super) pattern: Lazy,
    pub(super) is_users: bool,
    /// The group that holds it, when the rule names one.
    group: usize,
    check: fn(&str) -> bool,
    /// Bits a byte that it exceeds; 0 asks for none.
    entropy: f64,
    allowed: Vec<Allowed>,
}

impl Secret {
    fn of_kind(kind: &'static Kind, rules: &Rules) -> Self {
        let own = rules.built_in_allowlists.iter().filter(|(entity, _)| entity == kind.entity).map(|(_, list)| list);
        Self {
            entity: kind.entity.into(),
            keywords: kind.keywords.iter().map(|word| (*word).into()).collect(),
            pattern: Lazy::built_in(kind.pattern),
            is_users: false,
            group: 0,
            check: kind.check,
            entropy: 0.0,
            allowed: rules.default_allowlists.iter().chain(own).map(Allowed::new).collect(),
        }
    }

    fn of_rule(rule: &Rule, rules: &Rules) -> Self {
        Self {
            entity: rule.entity().into(),
            keywords: rule.keywords.iter().map(|word| word.clone().into()).collect(),
            pattern: Lazy::go(&rule.regex),
            is_users: true,
            group: rule.secret_group,
            check: any,
            entropy: rule.entropy,
            allowed: rules.allowlists.iter().chain(&rule.allowlists).map(Allowed::new).collect(),
        }
    }

    /// The secret in a match: the group that the rule names, else the first that caught something, else all of it.
    pub(super) fn group<'t>(&self, groups: &Captures<'t>) -> Option<Match<'t>> {
        if self.group > 0 {
            return groups.get(self.group);
        }
        groups.iter().skip(1).flatten().find(|group| !group.is_empty()).or(groups.get(0))
    }

    /// Whether what was caught is one.
    pub(super) fn is_one(&self, caught: &Caught<'_>) -> bool {
        (self.check)(caught.secret)
            && (self.entropy <= 0.0 || entropy(caught.secret) > self.entropy)
            && !self.allowed.iter().any(|list| list.holds(caught))
    }
}

/// The user's rules, then the built-in kinds that are not switched off.
pub(super) fn all(rules: &Rules) -> Vec<Secret> {
    let kinds = KINDS.iter().filter(|kind| !rules.disabled.iter().any(|entity| entity == kind.entity));
    let users = rules.rules.iter().map(|rule| Secret::of_rule(rule, rules));
    users.chain(kinds.map(|kind| Secret::of_kind(kind, rules))).collect()
}

/// Keywords at most for the fastest automaton, whose size is that of all of them times the bytes told apart.
const FAST_KEYWORDS_MAX: usize = 128;

/// Finds the keywords, in any case, of the secrets that are wanted; and the secret of each.
pub(super) fn keywords(secrets: &[Secret], wants: fn(&Secret) -> bool) -> (AhoCorasick, Vec<usize>) {
    let wanted = secrets.iter().enumerate().filter(|(_, secret)| wants(secret));
    let all: Vec<(&str, usize)> =
        wanted.flat_map(|(index, secret)| secret.keywords.iter().map(move |word| (&**word, index))).collect();
    let kind = (all.len() <= FAST_KEYWORDS_MAX).then_some(AhoCorasickKind::DFA);
    let words = AhoCorasick::builder().ascii_case_insensitive(true).kind(kind).build(all.iter().map(|(word, _)| word));
    let built = words.expect("literal keywords of a file of bounded size compile");
    (built, all.into_iter().map(|(_, index)| index).collect())
}

/// The entity of the built-in kind that a rule of gitleaks' own, or its own name, stands for; and all that it does.
#[must_use]
pub fn entity_of(id: &str) -> Option<(&'static str, &'static [&'static str])> {
    let kind = KINDS.iter().find(|kind| kind.entity == id || kind.gitleaks.contains(&id))?;
    Some((kind.entity, kind.gitleaks))
}

/// Every kind. Where two catch the same text, the earlier row names it.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        entity: "PRIVATE_KEY",
        gitleaks: &["private-key"],
        keywords: &["private key"],
        pattern: r"(?s)-----BEGIN[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----|\z)",
        check: any,
    },
    Kind {
        entity: "AWS_ACCESS_KEY",
        gitleaks: &["aws-access-token"],
        keywords: &["akia", "asia", "abia", "acca"],
        pattern: r"\b((?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16})\b",
        check: |key| entropy(key) >= 3.0,
    },
    Kind {
        entity: "AWS_SECRET_KEY",
        gitleaks: &[],
        keywords: &["aws"],
        pattern: r#"(?i)aws[0-9a-z_ .-]{0,20}(?:secret|key)[0-9a-z_ .-]{0,20}["']?\s{0,3}[=:]\s{0,3}["']?([a-z0-9/+]{40})(?:[^a-z0-9/+=]|\z)"#,
        check: |key| entropy(key) >= 4.0,
    },
    Kind {
        entity: "GCP_API_KEY",
        gitleaks: &["gcp-api-key"],
        keywords: &["aiza"],
        pattern: r"\b(AIza[0-9A-Za-z_-]{35})(?:[^0-9A-Za-z_-]|\z)",
        check: |key| entropy(key) >= 3.5,
    },
    Kind {
        entity: "GCP_OAUTH_TOKEN",
        gitleaks: &[],
        keywords: &["ya29.", "gocspx-"],
        pattern: r"\b(?:ya29\.[0-9A-Za-z_-]{30,}|GOCSPX-[0-9A-Za-z_-]{28})",
        check: any,
    },
    Kind {
        entity: "AZURE_STORAGE_KEY",
        gitleaks: &[],
        keywords: &["accountkey=", "sharedaccesskey="],
        pattern: r"(?i)(?:AccountKey|SharedAccessKey)=([a-z0-9+/]{43,86}={1,2})",
        check: any,
    },
    Kind {
        entity: "AZURE_SAS_SIGNATURE",
        gitleaks: &[],
        keywords: &["sig="],
        pattern: r"[?&]sig=([A-Za-z0-9%+/_-]{40,100}={0,2})",
        check: any,
    },
    Kind {
        entity: "AZURE_CLIENT_SECRET",
        gitleaks: &["azure-ad-client-secret"],
        keywords: &["q~"],
        pattern: r"\b([A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34})",
        check: any,
    },
    Kind {
        entity: "GITHUB_TOKEN",
        gitleaks: &[
            "github-app-token",
            "github-fine-grained-pat",
            "github-oauth",
            "github-pat",
            "github-refresh-token",
        ],
        keywords: &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        pattern: r"\b(?:gh[pousr]_[0-9A-Za-z]{36,}|github_pat_[0-9A-Za-z_]{22,})\b",
        check: |token| entropy(token) >= 3.0,
    },
    Kind {
        entity: "GITLAB_TOKEN",
        gitleaks: &[
            "gitlab-cicd-job-token",
            "gitlab-deploy-token",
            "gitlab-feed-token",
            "gitlab-pat",
            "gitlab-ptt",
            "gitlab-runner-authentication-token",
            "gitlab-scim-token",
        ],
        keywords: &["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-"],
        pattern: r"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat)-[0-9A-Za-z_-]{20,100}",
        check: |token| entropy(token) >= 3.0,
    },
    Kind {
        entity: "SLACK_TOKEN",
        gitleaks: &[
            "slack-app-token",
            "slack-bot-token",
            "slack-config-access-token",
            "slack-config-refresh-token",
            "slack-legacy-bot-token",
            "slack-legacy-token",
            "slack-legacy-workspace-token",
            "slack-user-token",
            "slack-webhook-url",
        ],
        keywords: &["xoxa-", "xoxb-", "xoxe", "xoxp-", "xoxo-", "xoxr-", "xoxs-", "xapp-", "hooks.slack.com"],
        pattern: r"\b(?:xox[abeoprs][.-][0-9A-Za-z-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{20,}|https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{20,100})",
        check: |token| token.bytes().any(|byte| byte.is_ascii_digit()),
    },
    Kind {
        entity: "STRIPE_KEY",
        gitleaks: &["stripe-access-token"],
        keywords: &["sk_test_", "sk_live_", "rk_test_", "rk_live_", "whsec_"],
        pattern: r"\b(?:[rs]k_(?:test|live)_[0-9A-Za-z]{10,99}|whsec_[0-9A-Za-z+/]{24,99})",
        check: |key| entropy(key) >= 2.5,
    },
    Kind {
        entity: "ANTHROPIC_API_KEY",
        gitleaks: &["anthropic-admin-api-key", "anthropic-api-key"],
        keywords: &["sk-ant-"],
        pattern: r"\bsk-ant-[0-9A-Za-z_-]{20,}",
        check: any,
    },
    Kind {
        entity: "OPENAI_API_KEY",
        gitleaks: &["openai-api-key"],
        keywords: &["sk-"],
        pattern: r"(?:\A|[^0-9A-Za-z_-])(sk-(?:(?:proj|svcacct|admin|None|or-v1)-[0-9A-Za-z_-]{20,}|[0-9A-Za-z]{32,64}))(?:[^0-9A-Za-z_-]|\z)",
        check: |key| entropy(key) >= 3.0,
    },
    Kind {
        entity: "LLM_PROVIDER_KEY",
        gitleaks: &["databricks-api-token", "huggingface-access-token", "perplexity-api-key"],
        keywords: &["hf_", "gsk_", "xai-", "sk-lf-", "lsv2_", "pcsk_", "pplx-", "r8_", "dapi"],
        pattern: r"\b(?:hf_[A-Za-z]{34}|gsk_[0-9A-Za-z]{40,60}|xai-[0-9A-Za-z]{70,90}|sk-lf-[0-9a-f-]{36}|lsv2_[ps][tk]_[0-9a-f]{32}_[0-9a-f]{10}|pcsk_[0-9A-Za-z_]{50,80}|pplx-[0-9A-Za-z]{40,60}|r8_[0-9A-Za-z]{37}|dapi[0-9a-f]{32}(?:-[0-9])?)\b",
        check: |key| entropy(key) >= 3.0,
    },
    Kind {
        entity: "PACKAGE_REGISTRY_TOKEN",
        gitleaks: &["npm-access-token", "pypi-upload-token", "sendgrid-api-token"],
        keywords: &["npm_", "pypi-ageichlwas5vcmc", "sg."],
        pattern: r"\b(?:npm_[0-9A-Za-z]{36}|pypi-AgEIcHlwaS5vcmc[0-9A-Za-z_-]{50,}|SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43})",
        check: |key| entropy(key) >= 3.0,
    },
    Kind {
        entity: "JWT",
        gitleaks: &["jwt"],
        keywords: &["eyj"],
        pattern: r"\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{10,}",
        check: any,
    },
    Kind {
        entity: "URL_PASSWORD",
        gitleaks: &[],
        keywords: &["://"],
        pattern: r#"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s:/@"'<>]*:([^\s@/"'<>]+)@"#,
        check: any,
    },
    Kind {
        entity: "AUTHORIZATION",
        gitleaks: &["curl-auth-header"],
        keywords: &["bearer", "basic"],
        pattern: r"(?i)\b(?:bearer|basic)\s{1,3}([a-z0-9._~+/-]{16,}={0,2})",
        check: token,
    },
    Kind {
        entity: "PASSWORD",
        gitleaks: &[],
        keywords: &["passw", "pwd"],
        pattern: r#"(?i)(?:password|passwd|pwd)["']?\s{0,3}(?::=|=>|=|:)\s{0,3}["']?([^\s"',;&(){}<>]{4,})"#,
        check: |value| value.bytes().any(|byte| !byte.is_ascii_alphabetic() && byte != b'.' && byte != b'-'),
    },
    Kind {
        entity: "GENERIC_SECRET",
        gitleaks: &["generic-api-key"],
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
