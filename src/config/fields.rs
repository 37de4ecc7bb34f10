//! The table of fields: path, slot and meaning of everything a user can write, in the order of the reference.

use std::time::Duration;

use super::error::{Problems, did_you_mean};
use super::slot::Slot;
use super::yaml::{Key, Node, Value};
use super::{Alertmanager, Config, Exporter, breakers, judges, rules};

/// One field of `T`.
pub(super) struct Field<T> {
    /// Dotted path in the document.
    pub(super) path: &'static str,
    /// One sentence for the reference.
    pub(super) meaning: &'static str,
    /// Where its value lives.
    pub(super) slot: for<'a> fn(&'a mut T) -> Slot<'a>,
}

/// What is being written: a configuration whose optional parts are spelled out, until `compile` closes it.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) config: Config,
    /// Counts when its endpoint is set.
    pub(super) exporter: Exporter,
    /// Counts when it has URLs.
    pub(super) alertmanager: Alertmanager,
    pub(super) admin_token_file: Option<std::path::PathBuf>,
    pub(super) alertmanager_token_file: Option<std::path::PathBuf>,
    pub(super) hmac_key_file: Option<std::path::PathBuf>,
    pub(super) rules: rules::RuleLists,
    pub(super) judges: Vec<judges::JudgeDraft>,
}

impl Draft {
    /// The draft that [`super::compile`] would turn into `config`.
    pub(super) fn of(config: &Config) -> Self {
        Self {
            exporter: config.exporter.clone().unwrap_or_default(),
            alertmanager: config
                .alertmanager
                .clone()
                .unwrap_or_else(|| Alertmanager { drills: config.alerting.drills, ..Alertmanager::default() }),
            config: config.clone(),
            admin_token_file: None,
            alertmanager_token_file: None,
            hmac_key_file: None,
            rules: rules::RuleLists::of(config),
            judges: config.judges.iter().map(judges::JudgeDraft::of).collect(),
        }
    }
}

const MIB: usize = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Every field but the lists of rules and breakers (`list`).
pub(super) const FIELDS: &[Field<Draft>] = &[
    Field {
        path: "receiver.otlp.grpc.endpoint",
        meaning: "Where OTLP/gRPC is received.",
        slot: |draft| Slot::Address(&mut draft.config.receiver.grpc),
    },
    Field {
        path: "receiver.otlp.http.endpoint",
        meaning: "Where OTLP/HTTP is received, protobuf and JSON.",
        slot: |draft| Slot::Address(&mut draft.config.receiver.http),
    },
    Field {
        path: "receiver.otlp.request_bytes_max",
        meaning: "Size of one request after decompression; larger ones are refused.",
        slot: |draft| Slot::Size(&mut draft.config.receiver.request_bytes_max, 64 << 10..=256 * MIB),
    },
    Field {
        path: "receiver.otlp.in_flight_max",
        meaning: "Requests worked on at once over both receivers; beyond it clients are told to retry.",
        slot: |draft| Slot::Count(&mut draft.config.receiver.in_flight_max, 1..=4096),
    },
    Field {
        path: "receiver.otlp.retry_after",
        meaning: "The retry hint of a refusal.",
        slot: |draft| Slot::Time(&mut draft.config.receiver.retry_after, SECOND..=300 * SECOND),
    },
    Field {
        path: "receiver.scores.langfuse",
        meaning: "Whether scores are taken as Langfuse takes them, POST /api/public/scores and /api/public/ingestion on the OTLP/HTTP endpoint. They are not forwarded.",
        slot: |draft| Slot::Flag(&mut draft.config.receiver.scores.langfuse),
    },
    Field {
        path: "receiver.scores.langsmith",
        meaning: "Whether feedback is taken as LangSmith takes it, POST /feedback on the OTLP/HTTP endpoint. It is not forwarded.",
        slot: |draft| Slot::Flag(&mut draft.config.receiver.scores.langsmith),
    },
    Field {
        path: "exporter.otlp.endpoint",
        meaning: "The next OTLP hop, http://host:4317 for gRPC or http://host:4318 for HTTP. Unset forwards nothing.",
        slot: |draft| Slot::Url(&mut draft.exporter.endpoint),
    },
    Field {
        path: "exporter.otlp.protocol",
        meaning: "Transport to the next hop.",
        slot: |draft| Slot::Word(&mut draft.exporter.protocol),
    },
    Field {
        path: "exporter.otlp.headers",
        meaning: "Headers (gRPC metadata) sent with every request; values are secrets.",
        slot: |draft| Slot::SecretPairs(&mut draft.exporter.headers),
    },
    Field {
        path: "exporter.otlp.compression",
        meaning: "Compression of requests.",
        slot: |draft| Slot::Either(&mut draft.exporter.gzip, ["none", "gzip"]),
    },
    Field {
        path: "exporter.otlp.timeout",
        meaning: "Bound of one attempt.",
        slot: |draft| Slot::Time(&mut draft.exporter.timeout, SECOND / 10..=300 * SECOND),
    },
    Field {
        path: "exporter.otlp.tls.ca_file",
        meaning: "PEM file of the roots to trust; the built-in Mozilla roots when unset.",
        slot: |draft| Slot::MaybePath(&mut draft.exporter.tls.ca_file),
    },
    Field {
        path: "exporter.otlp.tls.cert_file",
        meaning: "PEM file of the client certificate.",
        slot: |draft| Slot::MaybePath(&mut draft.exporter.tls.cert_file),
    },
    Field {
        path: "exporter.otlp.tls.key_file",
        meaning: "PEM file of the client key.",
        slot: |draft| Slot::MaybePath(&mut draft.exporter.tls.key_file),
    },
    Field {
        path: "exporter.otlp.tls.server_name_override",
        meaning: "Name to verify instead of the endpoint's host.",
        slot: |draft| Slot::MaybeText(&mut draft.exporter.tls.server_name),
    },
    Field {
        path: "exporter.otlp.sending_queue.queue_size",
        meaning: "Requests held for the next hop; when full, new ones are dropped and counted.",
        slot: |draft| Slot::Count(&mut draft.exporter.queue_requests_max, 1..=1_000_000),
    },
    Field {
        path: "exporter.otlp.sending_queue.bytes_max",
        meaning: "Bytes held for the next hop.",
        slot: |draft| Slot::Size(&mut draft.exporter.queue_bytes_max, MIB..=16 * 1024 * MIB),
    },
    Field {
        path: "exporter.otlp.sending_queue.num_consumers",
        meaning: "Attempts in parallel.",
        slot: |draft| Slot::Count(&mut draft.exporter.concurrency, 1..=64),
    },
    Field {
        path: "exporter.otlp.retry_on_failure.initial_interval",
        meaning: "First pause after a failed attempt.",
        slot: |draft| Slot::Time(&mut draft.exporter.retry.initial_interval, SECOND / 100..=HOUR),
    },
    Field {
        path: "exporter.otlp.retry_on_failure.max_interval",
        meaning: "Longest pause between attempts.",
        slot: |draft| Slot::Time(&mut draft.exporter.retry.max_interval, SECOND / 100..=HOUR),
    },
    Field {
        path: "exporter.otlp.retry_on_failure.max_elapsed_time",
        meaning: "After this long a request is dropped and counted.",
        slot: |draft| Slot::Time(&mut draft.exporter.retry.max_elapsed_time, Duration::ZERO..=DAY),
    },
    Field {
        path: "admin.endpoint",
        meaning: "Where metrics, API, page, OFREP and the log are served. Off loopback it needs a token.",
        slot: |draft| Slot::Address(&mut draft.config.admin.endpoint),
    },
    Field {
        path: "admin.token",
        meaning: "Bearer token of everything but /metrics and the probes.",
        slot: |draft| Slot::Secret(&mut draft.config.admin.token),
    },
    Field {
        path: "admin.token_file",
        meaning: "File that holds the token, read at start; instead of admin.token.",
        slot: |draft| Slot::MaybePath(&mut draft.admin_token_file),
    },
    Field {
        path: "admin.external_url",
        meaning: "How others reach the admin listener, for frame_url; its bound address when unset.",
        slot: |draft| Slot::MaybeUrl(&mut draft.config.admin.external_url),
    },
    Field {
        path: "health.endpoint",
        meaning: "Where /livez, /readyz and /healthz are served.",
        slot: |draft| Slot::Address(&mut draft.config.health),
    },
    Field {
        path: "data_dir",
        meaning: "Directory of the evidence log and its key.",
        slot: |draft| Slot::Path(&mut draft.config.data_dir),
    },
    Field {
        path: "features.keys",
        meaning: "Attributes that name a request's feature, in order of precedence; the root span's name and service.name come after them.",
        slot: |draft| Slot::Texts(&mut draft.config.features.keys),
    },
    Field {
        path: "features.max",
        meaning: "Features told apart; requests of later ones fall under _other.",
        slot: |draft| Slot::Count(&mut draft.config.features.max, 1..=10_000),
    },
    Field {
        path: "features.records_max",
        meaning: "Whole requests of one feature kept for the samples of frames.",
        slot: |draft| Slot::Count(&mut draft.config.records_max, 2..=100_000),
    },
    Field {
        path: "features.rows_max",
        meaning: "Requests kept as rows of what they ran under, from which frames say which variable moved: half for the whole service, half shared by its features, each again half for the newest and half for the baseline.",
        slot: |draft| Slot::Count(&mut draft.config.rows_max, 10_000..=10_000_000),
    },
    Field {
        path: "fields",
        meaning: "Attribute keys of your own, by the field they set, before those of the dialects. a.b also means b inside the JSON of a, and metadata.x means x wherever an SDK keeps what the application added.",
        slot: |draft| Slot::Keys(&mut draft.config.fields),
    },
    Field {
        path: "assembly.root_grace",
        meaning: "A trace closes this long after its root ended, so that late children and log records join it.",
        slot: |draft| Slot::Time(&mut draft.config.assembly.root_grace, Duration::ZERO..=600 * SECOND),
    },
    Field {
        path: "assembly.idle_timeout",
        meaning: "A trace without a root closes after this much silence.",
        slot: |draft| Slot::Time(&mut draft.config.assembly.idle_timeout, SECOND..=HOUR),
    },
    Field {
        path: "assembly.traces_max",
        meaning: "Open traces; beyond it the oldest closes early.",
        slot: |draft| Slot::Count(&mut draft.config.assembly.traces_max, 1..=1_000_000),
    },
    Field {
        path: "assembly.spans_per_trace_max",
        meaning: "Spans of one trace; later ones are left out and counted.",
        slot: |draft| Slot::Count(&mut draft.config.assembly.spans_per_trace_max, 1..=100_000),
    },
    Field {
        path: "assembly.bytes_max",
        meaning: "Bytes of content held in open traces.",
        slot: |draft| Slot::Size(&mut draft.config.assembly.bytes_max, MIB..=64 * 1024 * MIB),
    },
    Field {
        path: "assembly.content_bytes_max",
        meaning: "Bytes kept of one text: prompt, answer, tool result.",
        slot: |draft| Slot::Size(&mut draft.config.assembly.content_bytes_max, 256..=MIB),
    },
    Field {
        path: "windows.slot",
        meaning: "Length of a slot and interval of evaluation; divides every window.",
        slot: |draft| Slot::Time(&mut draft.config.windows.slot, SECOND..=600 * SECOND),
    },
    Field {
        path: "windows.short",
        meaning: "The short window; what a rule watches unless it says otherwise.",
        slot: |draft| Slot::Time(&mut draft.config.windows.short, SECOND..=DAY),
    },
    Field {
        path: "windows.long",
        meaning: "The long window, and the longest a rule may watch.",
        slot: |draft| Slot::Time(&mut draft.config.windows.long, SECOND..=DAY),
    },
    Field {
        path: "windows.baseline",
        meaning: "Length of the last-good baseline that windows are compared with.",
        slot: |draft| Slot::Time(&mut draft.config.windows.baseline, SECOND..=7 * DAY),
    },
    Field {
        path: "memory.limit",
        meaning: "Worst case of everything held, checked against all limits when the configuration is loaded.",
        slot: |draft| Slot::Bytes(&mut draft.config.memory_bytes_max, 16 << 20..=1 << 40),
    },
    Field {
        path: "alerting.runbook_url_base",
        meaning: "Base of every alert's runbook_url: /, the alert's name and .md are added. Unset leaves the annotation out.",
        slot: |draft| Slot::MaybeUrl(&mut draft.config.alerting.runbook_url_base),
    },
    Field {
        path: "rules.defaults",
        meaning: "Whether the built-in rules apply.",
        slot: |draft| Slot::Flag(&mut draft.rules.defaults),
    },
    Field {
        path: "rules.disabled",
        meaning: "Names of built-in rules left out.",
        slot: |draft| Slot::Texts(&mut draft.rules.disabled),
    },
    Field {
        path: "breakers.open_max",
        meaning: "Features whose breakers may be open at once, a count or a share of those there are (rounded up). One past it stays closed and says capped; orders by hand are obeyed all the same.",
        slot: |draft| Slot::Cap(&mut draft.config.breakers_open_max),
    },
    Field {
        path: "alertmanager.urls",
        meaning: "Alertmanagers alerts are pushed to, every replica. Empty pushes nothing.",
        slot: |draft| Slot::Urls(&mut draft.alertmanager.urls),
    },
    Field {
        path: "alertmanager.token",
        meaning: "Bearer token for Alertmanager.",
        slot: |draft| Slot::Secret(&mut draft.alertmanager.token),
    },
    Field {
        path: "alertmanager.token_file",
        meaning: "File that holds the token, read at start; instead of alertmanager.token.",
        slot: |draft| Slot::MaybePath(&mut draft.alertmanager_token_file),
    },
    Field {
        path: "alertmanager.resend_interval",
        meaning: "Interval at which firing alerts are sent again.",
        slot: |draft| Slot::Time(&mut draft.alertmanager.resend_interval, SECOND..=HOUR),
    },
    Field {
        path: "alertmanager.resolved_for",
        meaning: "How long resolved alerts are sent again.",
        slot: |draft| Slot::Time(&mut draft.alertmanager.resolved_for, Duration::ZERO..=DAY),
    },
    Field {
        path: "alertmanager.timeout",
        meaning: "Bound of one attempt.",
        slot: |draft| Slot::Time(&mut draft.alertmanager.timeout, SECOND / 10..=300 * SECOND),
    },
    Field {
        path: "alertmanager.drills",
        meaning: "Whether alerts of drills go out as any others: to Alertmanager, and with feature _drill into the metrics that rules read.",
        slot: |draft| Slot::Flag(&mut draft.alertmanager.drills),
    },
    Field {
        path: "alertmanager.labels",
        meaning: "Labels added to every alert, as Prometheus's external_labels.",
        slot: |draft| Slot::Pairs(&mut draft.alertmanager.labels),
    },
    Field {
        path: "cost.enabled",
        meaning: "Whether calls that report no cost are priced by the built-in table. Reported costs always count.",
        slot: |draft| Slot::Flag(&mut draft.config.cost.enabled),
    },
    Field {
        path: "cost.prices_file",
        meaning: "File of own prices that win over the built-in ones, in the JSON form of genai-prices or of LiteLLM; read at start and reload.",
        slot: |draft| Slot::MaybePath(&mut draft.config.cost.prices_file),
    },
    Field {
        path: "redaction.enabled",
        meaning: "Whether secrets and personal data are taken out of what leaves memory, and answers are watched for leaks.",
        slot: |draft| Slot::Flag(&mut draft.config.redaction.enabled),
    },
    Field {
        path: "redaction.allow_all_keys",
        meaning: "Whether every key of JSON is allowed; false masks the values of all but allowed_keys.",
        slot: |draft| Slot::Flag(&mut draft.config.redaction.settings.allow_all_keys),
    },
    Field {
        path: "redaction.allowed_keys",
        meaning: "Keys that are allowed when not all are, at every depth.",
        slot: |draft| Slot::Texts(&mut draft.config.redaction.settings.allowed_keys),
    },
    Field {
        path: "redaction.ignored_keys",
        meaning: "Keys whose values are left as they are, with all that is in them.",
        slot: |draft| Slot::Texts(&mut draft.config.redaction.settings.ignored_keys),
    },
    Field {
        path: "redaction.ignored_key_patterns",
        meaning: "The same as regular expressions.",
        slot: |draft| Slot::Texts(&mut draft.config.redaction.settings.ignored_key_patterns),
    },
    Field {
        path: "redaction.blocked_key_patterns",
        meaning: "Regular expressions of keys whose values are masked whole, beside the built-in ones.",
        slot: |draft| Slot::Texts(&mut draft.config.redaction.settings.blocked_key_patterns),
    },
    Field {
        path: "redaction.blocked_values",
        meaning: "Regular expressions of values that are masked, beside the built-in ones.",
        slot: |draft| Slot::Texts(&mut draft.config.redaction.settings.blocked_values),
    },
    Field {
        path: "redaction.allowed_values",
        meaning: "Regular expressions of values that are never masked; they win.",
        slot: |draft| Slot::Texts(&mut draft.config.redaction.settings.allowed_values),
    },
    Field {
        path: "redaction.redact_all_types",
        meaning: "Whether numbers in JSON are looked at, not strings alone.",
        slot: |draft| Slot::Flag(&mut draft.config.redaction.settings.redact_all_types),
    },
    Field {
        path: "redaction.gitleaks_file",
        meaning: "A gitleaks.toml whose rules for secrets count beside the built-in ones.",
        slot: |draft| Slot::MaybePath(&mut draft.config.redaction.gitleaks_file),
    },
    Field {
        path: "redaction.hash_function",
        meaning: "Whether placeholders carry a keyed digest, so that equal values still join; on by itself with a key.",
        slot: |draft| Slot::Either(&mut draft.config.redaction.is_hashed, ["none", "hmac-sha256"]),
    },
    Field {
        path: "redaction.hmac_key",
        meaning: "The key of those digests, 16 bytes or more.",
        slot: |draft| Slot::Secret(&mut draft.config.redaction.hmac_key),
    },
    Field {
        path: "redaction.hmac_key_file",
        meaning: "File that holds the key; instead of redaction.hmac_key.",
        slot: |draft| Slot::MaybePath(&mut draft.hmac_key_file),
    },
    Field {
        path: "evidence.origin",
        meaning: "First part of the log's origin, host/path; a volume id is added.",
        slot: |draft| Slot::Text(&mut draft.config.evidence.origin),
    },
    Field {
        path: "evidence.key_file",
        meaning: "File with the 32-byte Ed25519 seed; made in the data directory when unset.",
        slot: |draft| Slot::MaybePath(&mut draft.config.evidence.key_file),
    },
    Field {
        path: "evidence.previous_key_file",
        meaning: "File with the seed that key_file replaces; as long as it is set, checkpoints carry both signatures.",
        slot: |draft| Slot::MaybePath(&mut draft.config.evidence.previous_key_file),
    },
    Field {
        path: "evidence.heartbeat",
        meaning: "A log that was silent this long records that it is alive.",
        slot: |draft| Slot::Time(&mut draft.config.evidence.retention.heartbeat, 60 * SECOND..=24 * 3600 * SECOND),
    },
    Field {
        path: "evidence.retention.age",
        meaning: "Frames older than this are destroyed, and a leaf of the log says so; 0s keeps them for good.",
        slot: |draft| {
            Slot::Time(&mut draft.config.evidence.retention.age, Duration::ZERO..=10 * 365 * 24 * 3600 * SECOND)
        },
    },
    Field {
        path: "evidence.retention.size",
        meaning: "Beyond this size on disk the oldest frames are destroyed, whole segments of 8 MiB at a time; 0B keeps them for good.",
        slot: |draft| Slot::Bytes(&mut draft.config.evidence.retention.bytes_max, 0..=1 << 50),
    },
    Field {
        path: "evidence.commit_timeout",
        meaning: "How long an alert waits for its frame before it goes out without.",
        slot: |draft| Slot::Time(&mut draft.config.evidence.commit_timeout, SECOND / 10..=60 * SECOND),
    },
    Field {
        path: "evidence.witnesses",
        meaning: "C2SP witnesses asked to cosign every checkpoint of this log, other sidecars among them: url is the submission prefix (/add-checkpoint is added), vkey the witness's key.",
        slot: |draft| Slot::Witnesses(&mut draft.config.evidence.witnesses),
    },
    Field {
        path: "evidence.witness.logs",
        meaning: "Keys of the logs this sidecar is a witness of, one vkey each, named as the log's origin. With any, POST /add-checkpoint is served, without a token.",
        slot: |draft| Slot::Logs(&mut draft.config.evidence.witnessed_logs),
    },
    Field {
        path: "telemetry.log_filter",
        meaning: "What is logged: info, freezeframe=debug, ...",
        slot: |draft| Slot::Text(&mut draft.config.telemetry.log_filter),
    },
    Field {
        path: "telemetry.log_format",
        meaning: "How it is logged.",
        slot: |draft| Slot::Either(&mut draft.config.telemetry.log_json, ["text", "json"]),
    },
    Field {
        path: "telemetry.traces_endpoint",
        meaning: "OTLP/gRPC endpoint for the sidecar's own traces; unset sends none.",
        slot: |draft| Slot::MaybeUrl(&mut draft.config.telemetry.traces_endpoint),
    },
    Field {
        path: "shutdown_timeout",
        meaning: "One deadline for the whole drain.",
        slot: |draft| Slot::Time(&mut draft.config.shutdown_timeout, SECOND..=600 * SECOND),
    },
];

/// Keys of the OTel redaction processor that mean nothing here, and what to do instead.
const ELSEWHERE: [(&str, &str); 3] = [
    ("redaction.summary", "leave it out: every frame counts what was taken out, by entity"),
    ("redaction.url_sanitizer", "leave it out: no label is made of a URL; passwords in URLs are taken out anyway"),
    ("redaction.db_sanitizer", "leave it out, and mask the literals of statements by redaction.blocked_values"),
];

/// A list of maps at `path`, which reads itself.
pub(super) struct List<T> {
    pub(super) path: &'static str,
    pub(super) read: fn(&Node, &mut T, &mut Problems),
}

/// The lists of a document.
pub(super) const LISTS: &[List<Draft>] = &[
    List { path: "rules.rules", read: rules::read },
    List { path: "breakers", read: breakers::read },
    List { path: "judges", read: judges::read },
];

/// Reads a whole document into `draft`.
pub(super) fn read(root: &Node, draft: &mut Draft, problems: &mut Problems) {
    Table { fields: FIELDS, lists: LISTS, prefix: "" }.read(root, "", draft, problems);
}

/// Fields and lists of one `T`, with the path of that `T` in the document for messages.
pub(super) struct Table<'a, T> {
    pub(super) fields: &'a [Field<T>],
    pub(super) lists: &'a [List<T>],
    pub(super) prefix: &'a str,
}

impl<T> Table<'_, T> {
    /// Reads the map `node` into the fields below `section`.
    pub(super) fn read(&self, node: &Node, section: &str, target: &mut T, problems: &mut Problems) {
        let Value::Map(entries) = &node.value else {
            if node.value != Value::Null {
                let allowed = format!("a section with {}", self.children(section).join(", "));
                problems.error(Some(node.at), &self.full(section), node.value.describe(), allowed);
            }
            return;
        };
        for (key, value) in entries {
            let path = if section.is_empty() { key.name.clone() } else { format!("{section}.{}", key.name) };
            if let Some(field) = self.fields.iter().find(|field| field.path == path) {
                problems.wrote(&self.full(&path), value.at);
                if let Err(refusal) = (field.slot)(target).read(&value.value) {
                    problems.error(Some(value.at), &self.full(&path), refusal.found, refusal.allowed);
                    refusal.hint.into_iter().for_each(|hint| problems.hint(hint));
                }
            } else if let Some(list) = self.lists.iter().find(|list| list.path == path) {
                (list.read)(value, target, problems);
            } else if self.children(&path).is_empty() {
                self.unknown(&path, section, key, problems);
            } else {
                self.read(value, &path, target, problems);
            }
        }
    }

    fn unknown(&self, path: &str, section: &str, key: &Key, problems: &mut Problems) {
        let known = self.children(section);
        let namesake = self.fields.iter().find(|field| field.path.rsplit('.').next() == Some(&key.name));
        let meant = did_you_mean(&key.name, known.iter().copied()).or(namesake.map(|field| field.path));
        problems.error(Some(key.at), &self.full(path), "an unknown field", known.join(", "));
        if let Some((_, hint)) = ELSEWHERE.iter().find(|(other, _)| *other == path) {
            problems.hint(*hint);
        } else if let Some(meant) = meant {
            problems.hint(format!("did you mean {meant}?"));
        }
    }

    /// Names of what stands directly below `section`.
    fn children(&self, section: &str) -> Vec<&'static str> {
        let all = self.fields.iter().map(|field| field.path).chain(self.lists.iter().map(|list| list.path));
        let below = all.filter_map(|known| match section {
            "" => Some(known),
            _ => known.strip_prefix(section)?.strip_prefix('.'),
        });
        let mut names: Vec<&'static str> = Vec::new();
        for name in below.filter_map(|rest| rest.split('.').next()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn full(&self, path: &str) -> String {
        match (self.prefix, path) {
            ("", path) => path.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, path) => format!("{prefix}.{path}"),
        }
    }
}
