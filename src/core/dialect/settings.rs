//! What a user can say about attribute names.

use super::Field;

/// Names beside those of the dialects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Attribute keys that name the feature, in order of precedence, 256 at most. After them come the root's name and
    /// `service.name`.
    pub feature: Vec<String>,
    /// The user's own attribute keys for fields, before any dialect's. `a.b` also means `b` inside the JSON of `a`, and
    /// `metadata.x` means `x` wherever a dialect keeps what the application added.
    pub fields: Vec<(Field, String)>,
}

/// An explicit feature first, then workflow, agent, route.
const FEATURE_KEYS: [&str; 13] = [
    "freezeframe.feature",
    "app.feature",
    "feature",
    "gen_ai.feature.name",
    "metadata.feature",
    "gen_ai.workflow.name",
    "traceloop.workflow.name",
    "ai.telemetry.functionId",
    "gen_ai.agent.name",
    "agent.name",
    "http.route",
    "langfuse.trace.name",
    "mlflow.traceName",
];

impl Default for Settings {
    fn default() -> Self {
        Self { feature: FEATURE_KEYS.iter().map(|key| (*key).to_owned()).collect(), fields: Vec::new() }
    }
}
