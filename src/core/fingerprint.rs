//! The identity of an alert as Prometheus and Alertmanager see it: its labels, and the fingerprint of them.
//!
//! The engine fills views with it and the notifier sends exactly these labels, so that an alert that comes back
//! by Alertmanager's webhook carries the fingerprint it left with.

use std::collections::BTreeMap;

use super::detect::Rule;

/// Labels by name; sorted, as the fingerprint wants them.
pub type Labels = BTreeMap<String, String>;

const OFFSET: u64 = 14_695_981_039_346_656_037;
const PRIME: u64 = 1_099_511_628_211;
/// Never part of UTF-8, hence never part of a label.
const SEPARATOR: u8 = 0xff;

/// Alertmanager's fingerprint: FNV-1a 64 over `name 0xff value 0xff` in order of name, as 16 hex digits
/// (`LabelSet.Fingerprint` of prometheus/common `model`). Labels without a value don't count: Alertmanager
/// removes them on arrival.
#[must_use]
pub fn fingerprint(labels: &Labels) -> String {
    let mut hash = OFFSET;
    for (name, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
        for part in [name, value] {
            hash = fnv1a(hash, part.as_bytes());
            hash = fnv1a(hash, &[SEPARATOR]);
        }
    }
    format!("{hash:016x}")
}

/// The labels of an alert of `rule` on `feature`. `extra` are the configured ones; the alert's own win.
#[must_use]
pub fn alert_labels(rule: &Rule, feature: &str, extra: &[(String, String)]) -> Labels {
    let mut labels: Labels = extra.iter().cloned().collect();
    labels.extend(
        [
            ("alertname", &*rule.name),
            ("feature", feature),
            ("class", rule.class.as_str()),
            ("severity", rule.severity.label()),
            ("sev", rule.severity.as_str()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    labels
}

fn fnv1a(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(labels: &[(&str, &str)], expected: u64) {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(fingerprint(&labels), format!("{expected:016x}"));
    }

    /// Proves equality with Prometheus: the vectors of `model/signature_test.go` of prometheus/common.
    #[test]
    fn agrees_with_prometheus() {
        check(&[], 14_695_981_039_346_656_037);
        check(&[("name", "garland, briggs"), ("fear", "love is not enough")], 5_799_056_148_416_392_346);
        check(&[("first-label", "first-label-value")], 5_146_282_821_936_882_169);
        let three = [
            ("third-label", "third-label-value"),
            ("first-label", "first-label-value"),
            ("second-label", "second-label-value"),
        ];
        check(&three[1..], 3_195_800_080_984_914_717);
        check(&three, 13_843_036_195_897_128_121);
    }

    /// Proves that a label Alertmanager would drop does not change the identity.
    #[test]
    fn empty_values_do_not_count() {
        check(&[("first-label", "first-label-value"), ("empty", "")], 5_146_282_821_936_882_169);
    }
}
