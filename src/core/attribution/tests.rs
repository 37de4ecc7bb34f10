//! The honest answers, each on the smallest traffic that calls for it.

use super::dimension::Dimension::{self, *};
use super::{Answer, Mark, PARTS, Side, Standing, Verdict};
use crate::core::variable::Variable;

/// A number below 1 that looks like chance, the same in every run.
fn chance(n: u32) -> f64 {
    f64::from(n.wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(2_246_822_519) >> 8) / f64::from(1 << 24)
}

/// `requests` of one feature, with what `of` says of the `n`th: its values and the chance of its failing.
fn side(requests: u32, seed: u32, of: impl Fn(u32) -> (Vec<(Dimension, u8)>, f64)) -> Side {
    marked(requests, seed, None, |n| (of(n), 0.0))
}

/// The same, with the chance of being beyond what is usual by one mark.
fn marked(
    requests: u32,
    seed: u32,
    mark: Option<Mark>,
    of: impl Fn(u32) -> ((Vec<(Dimension, u8)>, f64), f64),
) -> Side {
    let mut side = Side::default();
    for n in 0..requests {
        let ((values, rate), beyond) = of(n);
        let mut codes = [1; Dimension::COUNT];
        values.into_iter().for_each(|(dimension, code)| codes[dimension.index()] = code);
        let part = u8::try_from(n as usize * PARTS / requests as usize).unwrap();
        let is_beyond = chance(n + seed + 900_000) < beyond;
        let marks = Mark::ALL.map(|it| (Some(it) == mark).then_some(is_beyond));
        side.push_marked(&codes, chance(n + seed) < rate, part, marks);
    }
    side
}

fn verdict(before: &Side, now: &Side) -> Verdict {
    Verdict::of(before, now, &|_, code| format!("v{code}"))
}

fn usual(rate: f64) -> Side {
    side(3_000, 7, move |_| (Vec::new(), rate))
}

/// Whether the `n`th request is in a half that goes with nothing else.
fn half(n: u32, of: u32) -> bool {
    (n / of).is_multiple_of(2)
}

/// Proves that a rollout that carries the failures is named with its value, and one beside it that does not is innocent.
#[test]
fn the_guilty_rollout_is_named_and_the_innocent_one_is_not() {
    let now = side(1_000, 50_000, |n| {
        let (prompt, index) = (1 + u8::from(half(n, 1)), 1 + u8::from(half(n, 2)));
        (vec![(PromptVersion, prompt), (IndexVersion, index)], if prompt == 2 { 0.4 } else { 0.08 })
    });
    let verdict = verdict(&usual(0.08), &now);
    let Answer::One(best) = &verdict.answer else { panic!("one answer expected: {verdict:?}") };
    assert_eq!((best.variable, best.value.as_str()), (Variable::PromptRevision, "v2"));
    assert!(best.explained > 0.8 && best.confidence.unwrap() > 0.9, "{best:?}");
    assert_eq!((best.with.0, best.without.0, best.baseline), (500, 500, (0, 3_000)));
    let index = verdict.suspects.iter().find(|it| it.variable == Variable::RetrievalIndex).expect("a suspect");
    assert_eq!(index.standing, Standing::MovedInnocent);
}

/// Proves that what changed on the same requests is not told apart.
#[test]
fn twins_are_both_named() {
    let now = side(1_000, 50_000, |n| {
        let new = 1 + u8::from(half(n, 1));
        (vec![(PromptVersion, new), (ModelVersion, new)], if new == 2 { 0.4 } else { 0.08 })
    });
    let Answer::Ambiguous(tied) = verdict(&usual(0.08), &now).answer else { panic!("ambiguous expected") };
    let variables: Vec<Variable> = tied.iter().map(|it| it.variable).collect();
    assert_eq!(variables.len(), 2);
    assert!(variables.contains(&Variable::PromptRevision) && variables.contains(&Variable::ModelRoute));
}

/// Proves that a cause that nobody records is not pinned on anybody, and is localised where it is.
#[test]
fn what_is_not_recorded_is_not_blamed() {
    let everywhere = side(1_000, 50_000, |_| (Vec::new(), 0.3));
    let answer = verdict(&usual(0.08), &everywhere).answer;
    assert!(matches!(answer, Answer::CannotTell(_)), "{answer:?}");
    let regions = |rate: f64| move |n| (vec![(Region, 1 + u8::from(half(n, 1)))], if half(n, 1) { rate } else { 0.08 });
    let (before, now) = (side(3_000, 7, regions(0.08)), side(1_000, 50_000, regions(0.4)));
    let Answer::CannotTell(why) = verdict(&before, &now).answer else { panic!("cannot tell expected") };
    assert!(why.ends_with("localised at region=v2"), "{why}");
}

/// Proves that chance is no change, and that too little is not judged.
#[test]
fn chance_is_no_change() {
    let now = side(1_000, 50_000, |_| (Vec::new(), 0.085));
    assert_eq!(verdict(&usual(0.08), &now).answer, Answer::NoSignificantChange);
    let few = side(5, 0, |_| (Vec::new(), 1.0));
    assert!(matches!(verdict(&usual(0.08), &few).answer, Answer::CannotTell(_)));
    assert!(matches!(verdict(&few, &now).answer, Answer::CannotTell(_)));
}

/// Proves that a worse mix of classes, each of which fails as before, is the traffic's doing (Simpson's paradox).
#[test]
fn a_worse_mix_is_the_traffics_doing() {
    let mix = |hard_of_ten: u32| {
        move |n: u32| {
            let is_hard = n % 10 < hard_of_ten;
            (vec![(RequestClass, 1 + u8::from(is_hard))], if is_hard { 0.4 } else { 0.05 })
        }
    };
    let (before, now) = (side(3_000, 7, mix(2)), side(1_500, 50_000, mix(7)));
    let Answer::One(best) = verdict(&before, &now).answer else { panic!("one answer expected") };
    assert_eq!((best.variable, best.value.as_str()), (Variable::TrafficMix, "v2"));
}

/// Proves that a fall is explained like a rise: a model that was taken back made it better.
#[test]
fn a_fall_is_explained_too() {
    let before = side(3_000, 7, |_| (Vec::new(), 0.4));
    let now = side(1_500, 50_000, |_| (vec![(ModelVersion, 2)], 0.08));
    let verdict = verdict(&before, &now);
    let Answer::One(best) = &verdict.answer else { panic!("one answer expected: {verdict:?}") };
    assert_eq!((best.variable, best.value.as_str()), (Variable::ModelRoute, "v2"));
    let rates = verdict.explanation.unwrap().rates;
    assert!(rates[0] > 0.35 && rates[1] < 0.12, "{rates:?}");
}

/// Proves that a baseline without any failure is no obstacle, nor is an incident in which all fail.
#[test]
fn nothing_before_and_everything_now() {
    let now = side(30, 50_000, |_| (vec![(PromptVersion, 2)], 1.0));
    let Answer::One(best) = verdict(&usual(0.0), &now).answer else { panic!("one answer expected") };
    assert_eq!(best.variable, Variable::PromptRevision);
    assert!(best.explained > 0.8, "{best:?}");
}

/// Proves that a cause is named whose first requests were learned as good before anybody noticed.
#[test]
fn a_cause_that_crept_into_the_baseline_is_named() {
    let of = |bad_of_ten: u32| {
        move |n: u32| {
            let is_bad = n % 10 < bad_of_ten;
            (vec![(PromptVersion, 1 + u8::from(is_bad))], if is_bad { 1.0 } else { 0.0 })
        }
    };
    let (before, now) = (side(80, 7, of(1)), side(40, 50_000, of(10)));
    let Answer::One(best) = verdict(&before, &now).answer else { panic!("one answer expected") };
    assert_eq!((best.variable, best.value.as_str()), (Variable::PromptRevision, "v2"));
}

/// What two rollouts to the same half of the requests are blamed for, where that half shifts `mark` to `beyond` from a half.
fn blamed(rollouts: [Dimension; 2], mark: Option<Mark>, beyond: f64) -> Vec<Variable> {
    let before = marked(3_000, 7, mark, |_| ((Vec::new(), 0.08), 0.5));
    let now = marked(1_500, 50_000, mark, |n| {
        let is_new = half(n, 1);
        let values = rollouts.map(|dimension| (dimension, 1 + u8::from(is_new))).to_vec();
        ((values, if is_new { 0.4 } else { 0.08 }), if is_new { beyond } else { 0.5 })
    });
    match verdict(&before, &now).answer {
        Answer::One(best) => vec![best.variable],
        Answer::Ambiguous(tied) => tied.iter().map(|it| it.variable).collect(),
        other => panic!("somebody to blame expected: {other:?}"),
    }
}

/// Proves that users who stay content exonerate what they see and those who do not the judge, which they never see; that
/// longer answers tell nothing where a rollout that makes them so anyway went to the same requests; and that a mark
/// tells nothing between two that shift it alike.
#[test]
fn users_tell_a_judge_from_a_prompt() {
    use Variable::{Judge, ModelRoute, PromptRevision};
    let twins = [PromptVersion, JudgeConfig];
    assert_eq!(blamed(twins, None, 0.5).len(), 2);
    assert_eq!(blamed(twins, Some(Mark::Feedback), 0.9), [PromptRevision]);
    assert_eq!(blamed(twins, Some(Mark::Feedback), 0.5).first(), Some(&Judge));
    assert_eq!(blamed(twins, Some(Mark::OutputTokens), 0.9).len(), 2);
    let mut tied = blamed([PromptVersion, ModelVersion], Some(Mark::Feedback), 0.9);
    tied.sort_unstable();
    assert_eq!(tied, [PromptRevision, ModelRoute]);
}

/// Proves that a model that writes more and slower than it did, behind the same name and to one feature alone, is suspected,
/// where without that nobody recorded the cause.
#[test]
fn a_model_is_seen_to_change_behind_its_name() {
    let of = |is_bad: bool, mark: Option<Mark>| {
        let feature = move |n: u32| 1 + u8::from(half(n, 1));
        let side = |requests, seed, rate: f64, beyond: f64| {
            marked(requests, seed, mark, move |n| {
                let of = feature(n);
                let (rate, beyond) = if of == 2 { (rate, beyond) } else { (0.08, 0.5) };
                ((vec![(Feature, of), (Model, of)], rate), beyond)
            })
        };
        let now = if is_bad { side(1_500, 50_000, 0.4, 0.9) } else { side(1_500, 50_000, 0.4, 0.5) };
        verdict(&side(3_000, 7, 0.08, 0.5), &now).answer
    };
    for (mark, is_shifted) in [(None, false), (Some(Mark::Pace), false)] {
        assert!(matches!(of(is_shifted, mark), Answer::CannotTell(_)), "{mark:?}");
    }
    let Answer::One(best) = of(true, Some(Mark::Pace)) else { panic!("one answer expected") };
    assert_eq!((best.variable, best.dimension, best.value.as_str()), (Variable::ModelRoute, Model, "v2"));
}
