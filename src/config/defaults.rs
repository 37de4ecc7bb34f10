//! The configuration of somebody who wrote none, each value with its reason. Together they keep to
//! [`MEMORY_BYTES_MAX`] by the budget of `compile`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{
    Admin, Alerting, Alertmanager, Config, Cost, Evidence, Exporter, Features, Protocol, Receiver, Redaction,
    Retention, Retry, Scores, Telemetry, Tls, built_in,
};
use crate::core::breaker::Cap;
use crate::core::{assembly, dialect, redact, window};

/// Half a GiB: what the Collector's Helm chart gives a pod. The worst case, not what an idle sidecar takes.
const MEMORY_BYTES_MAX: u64 = 512 << 20;

impl Default for Config {
    fn default() -> Self {
        Self {
            receiver: Receiver::default(),
            exporter: None,
            admin: Admin { endpoint: "127.0.0.1:8889".to_owned(), token: None, external_url: None },
            health: "127.0.0.1:13133".to_owned(),
            data_dir: PathBuf::from("./freezeframe-data"),
            features: Features {
                keys: dialect::Settings::default().feature,
                // A service has a handful; more is a feature key with ids in it.
                max: 32,
            },
            fields: Vec::new(),
            assembly: assembly::Limits {
                // One export interval of the SDKs' batch processor (5 s) and a second to arrive.
                root_grace: Duration::from_secs(6),
                // Longer than providers let a model think without a token.
                idle_timeout: Duration::from_secs(120),
                traces_max: 10_000,
                spans_per_trace_max: 512,
                bytes_max: 64 << 20,
                content_bytes_max: 8 << 10,
            },
            windows: window::Policy {
                slot: Duration::from_secs(10),
                short: Duration::from_secs(5 * 60),
                long: Duration::from_secs(60 * 60),
                baseline: Duration::from_secs(60 * 60),
            },
            // Enough for the samples of a frame.
            records_max: 24,
            rows_max: 200_000,
            memory_bytes_max: MEMORY_BYTES_MAX,
            rules: built_in::rules().into_iter().map(Arc::new).collect(),
            alerting: Alerting {
                drills: false,
                runbook_url_base: Some(
                    "https://github.com/freezeframe/freezeframe/blob/main/deploy/runbooks".to_owned(),
                ),
            },
            // One cause in everything is a cause to look at, not to switch everything off.
            breakers_open_max: Cap::Share(0.5),
            breakers: built_in::breakers(),
            alertmanager: None,
            cost: Cost::default(),
            judges: Vec::new(),
            redaction: Redaction {
                enabled: true,
                settings: redact::Settings::default(),
                gitleaks_file: None,
                is_hashed: false,
                hmac_key: None,
            },
            evidence: Evidence::default(),
            telemetry: Telemetry { log_filter: "info".to_owned(), log_json: false, traces_endpoint: None },
            // Inside the 30 s a pod has by default, with room for the application's own shutdown.
            shutdown_timeout: Duration::from_secs(20),
        }
    }
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            origin: "freezeframe.dev/local".to_owned(),
            key_file: None,
            // An fsync takes milliseconds; a page must not wait for a sick disk.
            commit_timeout: Duration::from_secs(5),
            previous_key_file: None,
            retention: Retention { age: Duration::ZERO, bytes_max: 0, heartbeat: Duration::from_secs(3600) },
            witnesses: Vec::new(),
            witnessed_logs: Vec::new(),
        }
    }
}

impl Default for Cost {
    fn default() -> Self {
        Self { enabled: true, prices_file: None, prices: None }
    }
}

impl Default for Receiver {
    fn default() -> Self {
        Self {
            grpc: "127.0.0.1:4317".to_owned(),
            http: "127.0.0.1:4318".to_owned(),
            // A full SDK batch (512 spans) with 16 KiB of content each.
            request_bytes_max: 8 << 20,
            in_flight_max: 16,
            retry_after: Duration::from_secs(1),
            scores: Scores::default(),
        }
    }
}

impl Default for Exporter {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            protocol: Protocol::Grpc,
            headers: Vec::new(),
            tls: Tls::default(),
            gzip: true,
            timeout: Duration::from_secs(10),
            queue_requests_max: 1_000,
            queue_bytes_max: 64 << 20,
            concurrency: 4,
            retry: Retry {
                initial_interval: Duration::from_secs(5),
                max_interval: Duration::from_secs(30),
                max_elapsed_time: Duration::from_secs(300),
            },
        }
    }
}

impl Default for Alertmanager {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            token: None,
            // As Prometheus: an Alertmanager forgets an alert that is not sent again.
            resend_interval: Duration::from_secs(60),
            resolved_for: Duration::from_secs(15 * 60),
            timeout: Duration::from_secs(10),
            // Nobody is paged by a rehearsal unless the page itself is to be rehearsed.
            drills: false,
            labels: Vec::new(),
        }
    }
}
