//! The verdict as the frame says it: every sentence backed by figures beside it.

use serde_json::{Value as Json, json};

use crate::core::attribution::{Answer, Finding, Share, Standing, Suspect, Verdict};

pub(super) fn suspect(suspect: &Suspect) -> Json {
    let (with, without, baseline) = (suspect.with, suspect.without, suspect.baseline);
    json!({
        "variable": suspect.variable.as_str(),
        "dimension": suspect.dimension.as_str(),
        "value": suspect.value,
        "verdict": match suspect.standing {
            Standing::Explains => "explains",
            Standing::MovedInnocent => "moved_innocent",
            Standing::Unmoved => "unmoved",
        },
        "explained": suspect.explained,
        "confidence": suspect.confidence,
        "rate_with": rate(with),
        "rate_without": rate(without),
        "incident_share": rate((with.0 + without.0, with.0)),
        "baseline_share": rate((baseline.1, baseline.0)),
        "requests_with": with.0,
        "failing_with": with.1,
        "requests_without": without.0,
        "failing_without": without.1,
    })
}

pub(super) fn document(verdict: &Verdict) -> Json {
    let (answer, suspects, evidence): (_, &[Suspect], String) = match &verdict.answer {
        Answer::One(best) => ("one", std::slice::from_ref(best), sentence(best, verdict)),
        Answer::Ambiguous(tied) => ("ambiguous", tied, ambiguous(tied)),
        Answer::CannotTell(why) => ("cannot_tell", &[], why.clone()),
        Answer::NoSignificantChange => {
            ("no_significant_change", &[], "the signal changed by no more than chance and its natural wander".into())
        }
    };
    let best = suspects.first().filter(|_| answer == "one");
    let explanation = verdict.explanation.as_ref();
    let shares = explanation.filter(|it| it.finding != Finding::NoSignificantChange).map(|it| {
        let name = |share: &Share| share.variable.map_or("unobserved", |it| it.as_str());
        let shares = it.shares.iter().map(|share| (name(share).to_owned(), json!(settled(share.explained))));
        Json::Object(shares.collect())
    });
    json!({
        "answer": answer,
        "variables": suspects.iter().map(|it| it.variable.as_str()).collect::<Vec<_>>(),
        "value": best.map(|it| &it.value),
        "dimension": best.map(|it| it.dimension.as_str()),
        "explained": best.map(|it| it.explained),
        "confidence": best.and_then(|it| it.confidence),
        "evidence": evidence,
        "low_evidence": verdict.is_low_evidence(),
        "requests": { "incident": verdict.requests[1], "baseline": verdict.requests[0] },
        "failing_share": explanation.map(|it| json!({ "incident": it.rates[1], "baseline": it.rates[0] })),
        "z": explanation.map(|it| it.z),
        "natural_wander": explanation.map(|it| it.wander),
        "shares": shares,
    })
}

/// `prompt_revision v41 explains 87 % of the change (confidence 0.96, n = 2,310; with it 31 % fail, without 8 %)`
fn sentence(best: &Suspect, verdict: &Verdict) -> String {
    let low = if verdict.is_low_evidence() { "; low evidence" } else { "" };
    let confidence = best.confidence.map_or_else(String::new, |it| format!("confidence {it:.2}, "));
    format!(
        "{} {} explains {} of the change ({confidence}n = {}; with it {} fail, without {}; {} of requests, {} before{low})",
        best.variable.as_str(),
        best.value,
        percent(Some(best.explained)),
        grouped(verdict.requests[1]),
        percent(rate(best.with)),
        percent(rate(best.without)),
        percent(rate((best.with.0 + best.without.0, best.with.0))),
        percent(rate((best.baseline.1, best.baseline.0))),
    )
}

fn ambiguous(tied: &[Suspect]) -> String {
    let names: Vec<String> = tied.iter().map(|it| format!("{} {}", it.variable.as_str(), it.value)).collect();
    format!("this data cannot tell apart: {}", names.join("; "))
}

/// Without what is only noise of the computation.
fn settled(share: f64) -> f64 {
    (share * 1e6).round() / 1e6 + 0.0
}

/// The second over the first; `None` of nothing.
fn rate((of, part): (usize, usize)) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "an unknown share".to_owned(), |it| format!("{:.0} %", it * 100.0))
}

/// `2,310`
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let groups = [&digits[..first]].into_iter().chain((first..digits.len()).step_by(3).map(|at| &digits[at..at + 3]));
    groups.filter(|it| !it.is_empty()).collect::<Vec<_>>().join(",")
}
