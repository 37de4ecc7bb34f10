//! The names, help texts and units of Freezeframe's own counters and gauges, in one closed list, recorded through
//! the `metrics` facade. (The per-feature product metrics are read from `engine::registry` at scrape time.)

use metrics::{KeyName, Label, Unit};

/// A counter or gauge of the process itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Spans by what became of them.
    Spans,
    /// Log records by what became of them.
    LogRecords,
    /// OTLP requests by transport, signal and result.
    ReceiverRequests,
    /// OTLP requests being worked on.
    ReceiverInFlight,
    /// Pass-through requests by signal and result.
    ExporterRequests,
    /// Bytes waiting for the next hop.
    ExporterQueueBytes,
    /// Traces being assembled.
    AssemblyOpenTraces,
    /// Traces closed early, by reason.
    AssemblyEvictions,
    /// Declared judges, indexes, prompts and tools that were forgotten.
    DeclarationEvictions,
    /// Frames by result.
    Frames,
    /// Frames committed to the log.
    LogSize,
    /// Frames that can still be committed if the disk is full from now on.
    LogReserve,
    /// Leaves other than frames by result.
    LogLeaves,
    /// Logs that could not be continued and damage that was found, by kind.
    LogIncidents,
    /// Alert notifications by result.
    Notifications,
    /// Breaker transitions.
    BreakerTransitions,
    /// Configuration reloads by result.
    ConfigReloads,
    /// Readings and writings of the files that are kept over a restart, by file and result.
    KeptFiles,
    /// Alerts received by webhook, by result.
    WebhookAlerts,
    /// Requests the admin listener turned away, by reason.
    AdminRejections,
    /// Calls without a cost because no price is known, by provider and model.
    UnpricedCalls,
    /// Requests of drills, kept apart from all others.
    DrillRequests,
    /// Requests that a judge was asked about, by judge, reason and result.
    Judged,
    /// Requests that were not put to a judge, by judge and reason.
    JudgeDropped,
    /// Share of a golden set on which a judge agrees with its human labels.
    GoldenAgreement,
    /// The same beyond chance.
    GoldenKappa,
    /// Items of a golden set whose verdict is not that of the reference.
    GoldenFlipped,
    /// Whether a judge drifted.
    GoldenDrifted,
    /// When a golden set was scored last.
    GoldenTime,
    /// Runs over a golden set, by result.
    GoldenRuns,
    /// Requests to the witnesses of the log, by witness and result.
    WitnessRequests,
    /// Size of the checkpoint a witness cosigned last, by witness.
    WitnessSize,
    /// Witnesses that remember another history of the log, by witness and kind.
    WitnessContradictions,
    /// Checkpoints of other logs shown to this sidecar as their witness, by result.
    WitnessedCheckpoints,
}

impl Metric {
    /// Every metric, for registration and the reference page.
    pub const ALL: [Self; 34] = [
        Self::Spans,
        Self::LogRecords,
        Self::ReceiverRequests,
        Self::ReceiverInFlight,
        Self::ExporterRequests,
        Self::ExporterQueueBytes,
        Self::AssemblyOpenTraces,
        Self::AssemblyEvictions,
        Self::DeclarationEvictions,
        Self::Frames,
        Self::LogSize,
        Self::LogReserve,
        Self::LogLeaves,
        Self::LogIncidents,
        Self::Notifications,
        Self::BreakerTransitions,
        Self::ConfigReloads,
        Self::KeptFiles,
        Self::WebhookAlerts,
        Self::AdminRejections,
        Self::UnpricedCalls,
        Self::DrillRequests,
        Self::Judged,
        Self::JudgeDropped,
        Self::GoldenAgreement,
        Self::GoldenKappa,
        Self::GoldenFlipped,
        Self::GoldenDrifted,
        Self::GoldenTime,
        Self::GoldenRuns,
        Self::WitnessRequests,
        Self::WitnessSize,
        Self::WitnessContradictions,
        Self::WitnessedCheckpoints,
    ];

    /// The exposed name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Spans => "freezeframe_spans_total",
            Self::LogRecords => "freezeframe_log_records_total",
            Self::ReceiverRequests => "freezeframe_receiver_requests_total",
            Self::ReceiverInFlight => "freezeframe_receiver_in_flight",
            Self::ExporterRequests => "freezeframe_exporter_requests_total",
            Self::ExporterQueueBytes => "freezeframe_exporter_queue_bytes",
            Self::AssemblyOpenTraces => "freezeframe_assembly_open_traces",
            Self::AssemblyEvictions => "freezeframe_assembly_evictions_total",
            Self::DeclarationEvictions => "freezeframe_declaration_evictions_total",
            Self::Frames => "freezeframe_frames_total",
            Self::LogSize => "freezeframe_log_size",
            Self::LogReserve => "freezeframe_log_reserve_frames",
            Self::LogLeaves => "freezeframe_log_leaves_total",
            Self::LogIncidents => "freezeframe_log_incidents_total",
            Self::Notifications => "freezeframe_notifications_total",
            Self::BreakerTransitions => "freezeframe_breaker_transitions_total",
            Self::ConfigReloads => "freezeframe_config_reloads_total",
            Self::KeptFiles => "freezeframe_kept_files_total",
            Self::WebhookAlerts => "freezeframe_webhook_alerts_total",
            Self::AdminRejections => "freezeframe_admin_rejections_total",
            Self::UnpricedCalls => "freezeframe_unpriced_calls_total",
            Self::DrillRequests => "freezeframe_drill_requests_total",
            Self::Judged => "freezeframe_judged_requests_total",
            Self::JudgeDropped => "freezeframe_judge_dropped_total",
            Self::GoldenAgreement => "freezeframe_judge_golden_agreement",
            Self::GoldenKappa => "freezeframe_judge_golden_kappa",
            Self::GoldenFlipped => "freezeframe_judge_golden_flipped",
            Self::GoldenDrifted => "freezeframe_judge_golden_drifted",
            Self::GoldenTime => "freezeframe_judge_golden_timestamp_seconds",
            Self::GoldenRuns => "freezeframe_judge_golden_runs_total",
            Self::WitnessRequests => "freezeframe_witness_requests_total",
            Self::WitnessSize => "freezeframe_witness_size",
            Self::WitnessContradictions => "freezeframe_witness_contradictions_total",
            Self::WitnessedCheckpoints => "freezeframe_witnessed_checkpoints_total",
        }
    }

    /// The `# HELP` text.
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            Self::Spans => "Spans received, by result (accepted, rejected, not_llm) and reason.",
            Self::LogRecords => "Log records received, by result (accepted, rejected, not_llm) and reason.",
            Self::ReceiverRequests => "OTLP requests received, by transport, signal and result.",
            Self::ReceiverInFlight => "OTLP requests being worked on.",
            Self::ExporterRequests => "OTLP requests passed on, by signal and result (sent, failed, dropped).",
            Self::ExporterQueueBytes => "Bytes waiting to be passed on.",
            Self::AssemblyOpenTraces => "Traces being assembled.",
            Self::AssemblyEvictions => "Traces closed before their time, by reason.",
            Self::DeclarationEvictions => "Declared judges, indexes, prompts and tools forgotten for want of space.",
            Self::Frames => "Freeze frames, by result (committed, retried, failed, late).",
            Self::LogSize => "Freeze frames committed to the log.",
            Self::LogReserve => {
                "Freeze frames that the log still takes when the disk is full; at least 32 with room on it."
            }
            Self::LogLeaves => {
                "Leaves other than frames, by type (heartbeat, override) and result (committed, retried, failed)."
            }
            Self::LogIncidents => "Evidence found damaged, rolled back or forked, by kind.",
            Self::Notifications => "Alerts sent to Alertmanager, by result (sent, partial, rejected, failed).",
            Self::BreakerTransitions => "Breaker transitions, by feature, class, from, to and reason.",
            Self::ConfigReloads => "Configuration reloads, by result.",
            Self::KeptFiles => {
                "Files kept over a restart: reads at the start and writes since, by file and result (restored, missing, refused, saved, failed)."
            }
            Self::WebhookAlerts => {
                "Alerts received by webhook, by result (frozen, known, resolved, not_committed, refused, skipped)."
            }
            Self::AdminRejections => {
                "Admin requests turned away, by reason (not_authorised, body_too_large, timeout, subscribers)."
            }
            Self::UnpricedCalls => {
                "Model calls without a cost because no price is known, by provider and model (64, then _other)."
            }
            Self::DrillRequests => {
                "Requests with the resource attribute freezeframe.drill: they count for no feature but _drill."
            }
            Self::Judged => {
                "Requests that a judge was asked about, by judge, sampled_by (uniform, failing, value) and result (pass, fail, error)."
            }
            Self::JudgeDropped => {
                "Requests and verdicts lost to a judge, by reason (no_answer, rate_limit, values, queue_full, engine_busy, stopping)."
            }
            Self::GoldenAgreement => "Share of the golden set on which the judge agrees with its human labels.",
            Self::GoldenKappa => "Cohen's kappa of the judge and the human labels of its golden set.",
            Self::GoldenFlipped => "Items of the golden set whose verdict is not that of the reference run.",
            Self::GoldenDrifted => "1 when the judge's verdicts on its golden set are not those of the reference run.",
            Self::GoldenTime => "When the golden set was scored last, Unix time.",
            Self::GoldenRuns => "Runs over a golden set, by judge and result (reference, same, drifted, failed).",
            Self::WitnessRequests => {
                "Checkpoints shown to a witness, by result (cosigned, conflict, inconsistent, refused, failed)."
            }
            Self::WitnessSize => "Leaves of the log in the checkpoint that a witness cosigned last.",
            Self::WitnessContradictions => {
                "Times a witness was found to remember another history of the log, by kind (rolled_back, forked)."
            }
            Self::WitnessedCheckpoints => {
                "Checkpoints of other logs shown to this witness, by result (cosigned, conflict, inconsistent, refused, failed)."
            }
        }
    }

    /// The label values known beforehand. Their series start at zero, so that the first event is an increase.
    fn known(self) -> &'static [&'static [(&'static str, &'static str)]] {
        match self {
            Self::Frames => {
                &[&[("result", "committed")], &[("result", "retried")], &[("result", "failed")], &[("result", "late")]]
            }
            Self::Notifications => {
                &[&[("result", "sent")], &[("result", "partial")], &[("result", "rejected")], &[("result", "failed")]]
            }
            Self::LogIncidents => &[&[("kind", "damage")], &[("kind", "rollback")], &[("kind", "fork")]],
            Self::UnpricedCalls => &[&[("provider", "_other"), ("model", "_other")]],
            Self::ConfigReloads => &[&[("result", "ok")], &[("result", "failed")]],
            _ => &[],
        }
    }

    /// Whether it is a gauge.
    #[must_use]
    pub fn is_gauge(self) -> bool {
        matches!(
            self,
            Self::ReceiverInFlight
                | Self::ExporterQueueBytes
                | Self::AssemblyOpenTraces
                | Self::LogSize
                | Self::LogReserve
                | Self::GoldenAgreement
                | Self::GoldenKappa
                | Self::GoldenFlipped
                | Self::GoldenDrifted
                | Self::GoldenTime
                | Self::WitnessSize
        )
    }

    /// Adds `n` to the counter with these labels.
    pub fn add(self, labels: &[(&'static str, &str)], n: u64) {
        self.counter(labels).increment(n);
    }

    /// Sets the gauge with these labels.
    #[expect(clippy::cast_precision_loss, reason = "gauges are doubles in Prometheus")]
    pub fn set(self, labels: &[(&'static str, &str)], value: u64) {
        self.set_to(labels, value as f64);
    }

    /// Sets the gauge with these labels to what is no whole number.
    pub fn set_to(self, labels: &[(&'static str, &str)], value: f64) {
        self.gauge(labels).set(value);
    }

    /// A handle to the counter with these labels, for hot paths. One taken before the recorder is installed stays
    /// dead.
    pub fn counter(self, labels: &[(&'static str, &str)]) -> metrics::Counter {
        let key = self.key(labels);
        metrics::with_recorder(|recorder| recorder.register_counter(&key, &METADATA))
    }

    /// A handle to the gauge with these labels; see [`Metric::counter`].
    pub fn gauge(self, labels: &[(&'static str, &str)]) -> metrics::Gauge {
        let key = self.key(labels);
        metrics::with_recorder(|recorder| recorder.register_gauge(&key, &METADATA))
    }

    /// Tells the recorder what the metric means, and of the series it has from the start.
    pub fn describe(self) {
        let name = KeyName::from_const_str(self.name());
        metrics::with_recorder(|recorder| match self.is_gauge() {
            true => recorder.describe_gauge(name, None::<Unit>, self.help().into()),
            false => recorder.describe_counter(name, None::<Unit>, self.help().into()),
        });
        self.known().iter().for_each(|labels| self.add(labels, 0));
    }

    fn key(self, labels: &[(&'static str, &str)]) -> metrics::Key {
        let labels: Vec<Label> = labels.iter().map(|(key, value)| Label::new(*key, (*value).to_owned())).collect();
        metrics::Key::from_parts(self.name(), labels)
    }
}

static METADATA: metrics::Metadata<'static> =
    metrics::Metadata::new(module_path!(), metrics::Level::INFO, Some(module_path!()));
