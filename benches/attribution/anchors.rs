//! What is used today, on the same incidents: each names the dimension and value that it would put first.

use freezeframe::core::attribution::Side;
use freezeframe::core::attribution::dimension::Dimension;

/// A named method: the dimension and code it blames, or nothing.
pub(crate) type Anchor = (&'static str, fn(&Side, &Side) -> Option<(Dimension, u8)>);

pub(crate) const ALL: [Anchor; 5] = [
    ("deploy marker", deploy_marker),
    ("lift", lift),
    ("Adtributor", adtributor),
    ("BubbleUp-like", bubble_up),
    ("marginal Kitagawa", kitagawa),
];

const CODES: usize = 256;
/// Share of the failing requests that a value needs, for lift.
const SUPPORT_MIN: f64 = 0.05;
/// Explanatory power of a value that Adtributor keeps, and in sum.
const ELEMENT_MIN: f64 = 0.1;
const POWER_MIN: f64 = 0.67;

/// Requests and failures by code.
struct Tally {
    requests: [f64; CODES],
    failing: [f64; CODES],
    all: f64,
    all_failing: f64,
}

impl Tally {
    fn of(side: &Side, dimension: Dimension) -> Self {
        let mut tally = Self { requests: [0.0; CODES], failing: [0.0; CODES], all: 0.0, all_failing: 0.0 };
        for (code, fails) in side.columns[dimension.index()].iter().zip(&side.fails) {
            tally.requests[usize::from(*code)] += 1.0;
            tally.all += 1.0;
            if *fails {
                tally.failing[usize::from(*code)] += 1.0;
                tally.all_failing += 1.0;
            }
        }
        tally
    }

    fn share(&self, code: usize) -> f64 {
        self.requests[code] / self.all.max(1.0)
    }

    fn rate(&self, code: usize) -> Option<f64> {
        (self.requests[code] > 0.0).then(|| self.failing[code] / self.requests[code])
    }

    fn mean(&self) -> f64 {
        self.all_failing / self.all.max(1.0)
    }
}

/// The best value by a score over all dimensions.
fn best(score: impl Fn(Dimension, usize) -> Option<f64>) -> Option<(Dimension, u8)> {
    let all = Dimension::ALL.into_iter().flat_map(|dimension| (0..CODES).map(move |code| (dimension, code)));
    let scored = all.filter_map(|(dimension, code)| Some((score(dimension, code)?, dimension, code)));
    let (_, dimension, code) = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some((dimension, u8::try_from(code).ok()?))
}

/// The dimension of the largest score of dimensions, with its best value.
fn best_dimension(
    score: impl Fn(Dimension) -> f64,
    value: impl Fn(Dimension, usize) -> f64,
) -> Option<(Dimension, u8)> {
    let dimension = Dimension::ALL.into_iter().max_by(|a, b| score(*a).total_cmp(&score(*b)))?;
    let code = (0..CODES).max_by(|a, b| value(dimension, *a).total_cmp(&value(dimension, *b)))?;
    Some((dimension, u8::try_from(code).ok()?))
}

fn entropy_part(p: f64, m: f64) -> f64 {
    if p > 0.0 { p * (p / m).log2() } else { 0.0 }
}

fn jensen_shannon(p: f64, q: f64) -> f64 {
    let m = f64::midpoint(p, q);
    f64::midpoint(entropy_part(p, m), entropy_part(q, m))
}

/// Whatever changed most is to blame.
fn deploy_marker(before: &Side, now: &Side) -> Option<(Dimension, u8)> {
    let tallies = Dimension::ALL.map(|it| (Tally::of(before, it), Tally::of(now, it)));
    let moved = |it: Dimension, code: usize| {
        let (before, now) = &tallies[it.index()];
        (before.share(code), now.share(code))
    };
    let divergence = |it| (0..CODES).map(|code| moved(it, code)).map(|(p, q)| jensen_shannon(p, q)).sum();
    best_dimension(divergence, |it, code| {
        let (before, now) = moved(it, code);
        now - before
    })
}

/// Association of a value with failure inside the incident window (FP-growth with lift, Meta 2020; risk ratio, DIFF 2019).
fn lift(_: &Side, now: &Side) -> Option<(Dimension, u8)> {
    let tallies = Dimension::ALL.map(|it| Tally::of(now, it));
    best(|it, code| {
        let tally = &tallies[it.index()];
        let supported = tally.failing[code] >= SUPPORT_MIN * tally.all_failing.max(1.0);
        let rest = (tally.all_failing - tally.failing[code] + 0.5) / (tally.all - tally.requests[code] + 1.0);
        (supported && tally.requests[code] < tally.all).then(|| tally.rate(code).unwrap_or(0.0) / rest)
    })
}

/// Explanatory power and surprise for a derived measure (Bhagwan et al., NSDI 2014, sections 4 and 5).
fn adtributor(before: &Side, now: &Side) -> Option<(Dimension, u8)> {
    let mut candidates = Vec::new();
    for dimension in Dimension::ALL {
        let (was, is) = (Tally::of(before, dimension), Tally::of(now, dimension));
        // Forecast and actual on the same footing: the baseline scaled to the incident's requests.
        let scale = is.all / was.all.max(1.0);
        let change = is.mean() - was.mean();
        let power = |code: usize| {
            let (forecast, requests) = (was.failing[code] * scale, was.requests[code] * scale);
            let swapped = (was.all_failing * scale - forecast + is.failing[code])
                / (is.all - requests + is.requests[code]).max(1.0);
            (swapped - was.mean()) / if change.abs() < 1e-9 { 1e-9 } else { change }
        };
        let surprise = |code: usize| {
            let failing = jensen_shannon(
                was.failing[code] / was.all_failing.max(1.0),
                is.failing[code] / is.all_failing.max(1.0),
            );
            failing + jensen_shannon(was.share(code), is.share(code))
        };
        let mut values: Vec<usize> = (0..CODES).filter(|code| is.requests[*code] + was.requests[*code] > 0.0).collect();
        values.sort_by(|a, b| surprise(*b).total_cmp(&surprise(*a)));
        let (mut sum, mut surprised, mut first) = (0.0, 0.0, None);
        for code in values {
            if power(code) > ELEMENT_MIN {
                sum += power(code);
                surprised += surprise(code);
                first.get_or_insert(code);
            }
            if sum > POWER_MIN {
                candidates.push((surprised, dimension, first));
                break;
            }
        }
    }
    let (_, dimension, code) = candidates.into_iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some((dimension, u8::try_from(code?).ok()?))
}

/// How each dimension's histogram differs between what fails now and everything else.
fn bubble_up(before: &Side, now: &Side) -> Option<(Dimension, u8)> {
    let tallies = Dimension::ALL.map(|it| (Tally::of(before, it), Tally::of(now, it)));
    let difference = |it: Dimension, code: usize| {
        let (before, now) = &tallies[it.index()];
        let rest = before.requests[code] + now.requests[code] - now.failing[code];
        now.failing[code] / now.all_failing.max(1.0) - rest / (before.all + now.all - now.all_failing).max(1.0)
    };
    best_dimension(|it| (0..CODES).map(|code| difference(it, code).abs()).sum(), difference)
}

/// Composition part of each value, one dimension at a time; nothing where no value's is two fifths of the change. The rate part
/// of a value that keeps its share names nothing that moved.
fn kitagawa(before: &Side, now: &Side) -> Option<(Dimension, u8)> {
    let change = now.rate() - before.rate();
    let tallies = Dimension::ALL.map(|it| (Tally::of(before, it), Tally::of(now, it)));
    let part = |it: Dimension, code: usize| {
        let (was, is) = &tallies[it.index()];
        let (rate, usual) = (is.rate(code)?, was.rate(code));
        let mean = usual.map_or(rate, |usual| f64::midpoint(rate, usual));
        Some((is.share(code) - was.share(code)) * (mean - was.mean()))
    };
    let found = best(part)?;
    (part(found.0, usize::from(found.1))? > 0.4 * change).then_some(found)
}
