use proptest::prelude::*;

use super::*;

fn scored(id: usize, label: bool, score: Option<f64>) -> Scored {
    let item = Item {
        id: format!("item-{id}"),
        question: "q".into(),
        context: Vec::new(),
        answer: "a".into(),
        passes: label,
        score: None,
    };
    Scored::of(&item, &[score.map(|it| (it, Some("why".into()))).ok_or("judge_error".into())], 0.5)
}

fn run(items: Vec<Scored>) -> Run {
    Run { judge: serde_json::json!({ "model": "m" }), set: "abc".into(), at: "2026-11-20T00:00:00Z".into(), items }
}

/// Proves what a line must have, and that the message says which line and what.
#[test]
fn lines_that_are_no_items_are_refused() {
    let good = r#"{"id":"a","question":"q","answer":"x","label":"pass"}"#;
    for (text, error) in [
        ("", "no items"),
        ("\n\n", "no items"),
        ("{", "line 1: not JSON"),
        ("[]", "line 1: not an object"),
        (r#"{"id":"","question":"q","answer":"x","label":"pass"}"#, "line 1: id: expected a text"),
        (r#"{"id":"a","question":"q","answer":7,"label":"pass"}"#, "line 1: answer: expected a text"),
        (r#"{"id":"a","question":"q","answer":"x","label":"maybe"}"#, "line 1: label"),
        (r#"{"id":"a","question":"q","answer":"x","label":"pass","score":7}"#, "line 1: score"),
        (r#"{"id":"a","question":"q","answer":"x","label":"pass","context":[1]}"#, "line 1: context"),
        (&format!("{good}\n\n{good}"), "line 3: the id \"a\" a second time"),
    ] {
        let found = Set::parse(text).unwrap_err().to_string();
        assert!(found.starts_with(error), "{text}: {found}");
    }
    let many: String = (0..=ITEMS_MAX)
        .map(|n| format!("{{\"id\":\"{n}\",\"question\":\"q\",\"answer\":\"x\",\"label\":\"fail\"}}\n"))
        .collect();
    assert_eq!(Set::parse(&many), Err(SetError::Long));
    let set = Set::parse(r#"{"id":"a","question":"q","context":["1","2"],"answer":"x","label":"fail","score":0.2}"#);
    let item = &set.unwrap().items[0];
    assert_eq!((item.context.len(), item.passes, item.score), (2, false, Some(0.2)));
}

/// Proves share and kappa against a published table (Cohen's example as Fleiss has it: 20, 5, 10, 15 give 0.4), and that an
/// error is neither agreement nor disagreement.
#[test]
fn agreement_is_cohens() {
    let found = Agreement { true_passes: 20, false_passes: 5, false_fails: 10, true_fails: 15, errors: 3 };
    assert_eq!((found.share(), found.judged()), (Some(0.7), 50));
    assert!((found.kappa().unwrap() - 0.4).abs() < 1e-9);
    let (low, high) = found.kappa_interval().unwrap();
    assert!(low < 0.4 && 0.4 < high && low > 0.1, "{low} {high}");

    let one_word = Agreement { true_passes: 9, ..Agreement::default() };
    assert_eq!((one_word.share(), one_word.kappa()), (Some(1.0), None), "chance agrees as often");
    let errors = Agreement::of(&[scored(1, true, None), scored(2, false, None)]);
    assert_eq!((errors.errors, errors.share(), errors.kappa(), errors.interval()), (2, None, None, (0.0, 1.0)));
    let of_each =
        [(true, 0.9), (true, 0.1), (false, 0.9), (false, 0.1)].map(|(label, score)| scored(1, label, Some(score)));
    let expected = Agreement { true_passes: 1, false_fails: 1, false_passes: 1, true_fails: 1, errors: 0 };
    assert_eq!(Agreement::of(&of_each), expected);
}

/// Proves what is a drift: many flips, flips in one direction, a shift of scores; and what is none: nothing, a few flips
/// either way, a score that wobbles.
#[test]
fn a_drift_is_told_from_noise() {
    let before = run((0..40).map(|n| scored(n, n % 2 == 0, Some(if n % 2 == 0 { 0.9 } else { 0.2 }))).collect());
    let changed = |change: &dyn Fn(usize, f64) -> Option<f64>| {
        let items = (0..40).map(|n| scored(n, n % 2 == 0, change(n, if n % 2 == 0 { 0.9 } else { 0.2 })));
        Drift::between(&before, &run(items.collect()), FLIPPED_MAX)
    };
    let same = changed(&|_, score| Some(score));
    assert_eq!((same.is_drift(), same.p, same.compared, same.flips.len()), (false, 1.0, 40, 0));
    let wobble = changed(&|n, score| Some(if n < 2 { 1.1 - score } else { score }));
    assert_eq!((wobble.is_drift(), wobble.flips.len()), (false, 2), "{:?}", wobble.reasons);
    let many = changed(&|n, score| Some(if n < 6 { 1.1 - score } else { score }));
    assert!(many.is_drift() && many.p > 0.9, "three each way: {:?}", many.reasons);
    let lenient = changed(&|n, score| Some(if n < 16 { score.max(0.8) } else { score }));
    assert_eq!((lenient.flips.len(), lenient.is_drift()), (8, true));
    assert!(lenient.p < 0.01 && lenient.flips.iter().all(|it| it.passes && !it.label));
    let shifted = changed(&|_, score| Some(score - 0.15));
    assert_eq!((shifted.is_drift(), shifted.flips.len()), (true, 0), "same verdicts, other scores");
    assert!((shifted.shift.unwrap().0 + 0.15).abs() < 1e-9);
    let silent = changed(&|_, _| None);
    assert_eq!((silent.compared, silent.is_drift(), silent.flipped()), (0, true, None), "no verdict proves nothing");
}

/// Proves that of several times the mean counts, that disagreement with itself is told, and one error among them is not.
#[test]
fn several_times_are_one_verdict() {
    let item = Set::parse(r#"{"id":"a","question":"q","answer":"x","label":"pass"}"#).unwrap().items.remove(0);
    let found = Scored::of(&item, &[Ok((0.9, None)), Ok((0.3, None)), Err("429".into())], 0.5);
    assert_eq!((found.passed, found.is_unstable, found.error), (Some(true), true, None));
    assert!((found.score.unwrap() - 0.6).abs() < 1e-9);
    let failed = Scored::of(&item, &[Err("429".into()), Err("timeout".into())], 0.5);
    assert_eq!((failed.passed, failed.score, failed.error.as_deref()), (None, None, Some("429")));
}

proptest! {
    /// Proves that a run reads back as itself.
    #[test]
    fn a_run_reads_back(items in prop::collection::vec((any::<bool>(), prop::option::of(0.0..1.0_f64)), 0..20)) {
        let run = run(items.into_iter().enumerate().map(|(n, (label, score))| scored(n, label, score)).collect());
        prop_assert_eq!(Run::parse(&run.to_json().to_string()), Ok(run));
    }

    /// Proves that whatever is read is a run or an error.
    #[test]
    fn whatever_is_read_does_no_harm(text in ".{0,80}") {
        drop(Run::parse(&text));
        drop(Set::parse(&text));
        drop(Run::parse(&format!(r#"{{"schema":"freezeframe.golden/v1","items":[{text:?}]}}"#)));
    }
}
