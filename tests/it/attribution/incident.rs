//! Incidents: six good windows, then one in which something happens, among innocent rollouts and a mix that wobbles.

use std::ops::RangeInclusive;

use freezeframe::core::attribution::PARTS;
use freezeframe::core::attribution::dimension::Dimension::{self, *};
use freezeframe::core::variable::Variable;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::world::{CLASSES, Conditions, LANGUAGES, REGIONS, Rollout, TIERS, VERSIONS, Values, World, normal};

/// A change of the failure rate worth an incident, and its standard deviations of chance.
const CHANGE_MIN: f64 = 0.012;
const Z_MIN: f64 = 3.0;
/// The cause's part of it at least.
const CAUSED_MIN: f64 = 0.5;
/// Requests that a failure rate is expected of.
const EXPECTED_OF: u32 = 20_000;
/// Attempts at an incident before another world is tried.
const ATTEMPTS: u64 = 40;

/// What is behind an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    Prompt,
    PromptDetour,
    ModelVersion,
    ModelRoute,
    ModelSilent,
    Parameters,
    Judge,
    IndexVersion,
    IndexStale,
    IndexOutage,
    ToolSchema,
    ToolPath,
    TrafficFeature,
    TrafficClass,
    TrafficLanguage,
    HiddenEverywhere,
    HiddenRegion,
    HiddenFeature,
    Nothing,
}

impl Cause {
    pub(crate) const ALL: [Self; 19] = [
        Self::Prompt,
        Self::PromptDetour,
        Self::ModelVersion,
        Self::ModelRoute,
        Self::ModelSilent,
        Self::Parameters,
        Self::Judge,
        Self::IndexVersion,
        Self::IndexStale,
        Self::IndexOutage,
        Self::ToolSchema,
        Self::ToolPath,
        Self::TrafficFeature,
        Self::TrafficClass,
        Self::TrafficLanguage,
        Self::HiddenEverywhere,
        Self::HiddenRegion,
        Self::HiddenFeature,
        Self::Nothing,
    ];

    /// The variable to name; `None` where none is right.
    pub(crate) fn variable(self) -> Option<Variable> {
        match self {
            Self::Prompt | Self::PromptDetour => Some(Variable::PromptRevision),
            Self::ModelVersion | Self::ModelRoute | Self::ModelSilent | Self::Parameters => Some(Variable::ModelRoute),
            Self::Judge => Some(Variable::Judge),
            Self::IndexVersion | Self::IndexStale | Self::IndexOutage => Some(Variable::RetrievalIndex),
            Self::ToolSchema | Self::ToolPath => Some(Variable::ToolSchemas),
            Self::TrafficFeature | Self::TrafficClass | Self::TrafficLanguage => Some(Variable::TrafficMix),
            Self::HiddenEverywhere | Self::HiddenRegion | Self::HiddenFeature | Self::Nothing => None,
        }
    }
}

/// One simulated request.
#[derive(Clone, Debug)]
pub(crate) struct Simulated {
    pub(crate) values: Values,
    pub(crate) fails: bool,
}

/// A simulated incident with its truth.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    /// The value to name, where there is one; a second where either is right.
    pub(crate) values: Vec<(Dimension, u8)>,
    /// Two variables that changed on the same requests: neither may be named alone.
    pub(crate) twins: Option<[Variable; 2]>,
    /// Whether an innocent rollout began with the incident.
    pub(crate) coincident: bool,
    /// Good windows, then the incident.
    pub(crate) before: Vec<Vec<Simulated>>,
    pub(crate) now: Vec<Simulated>,
}

/// How hard incidents are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// No other rollouts.
    Easy,
    /// Innocent rollouts, most of them at the onset.
    Hard,
    /// Two variables change on the same requests.
    Twins,
}

/// The incident of a seed.
pub(crate) fn incident(seed: u64, cause: Cause, mode: Mode, requests: RangeInclusive<usize>) -> Incident {
    (0..)
        .find_map(|world| {
            (0..ATTEMPTS).find_map(|attempt| {
                let seed = seed.wrapping_mul(1_000_003).wrapping_add(world * 1_009 + attempt);
                attempt_at(seed, &World::new(seed / 7), cause, mode, &requests)
            })
        })
        .expect("the search has no end")
}

fn attempt_at(
    seed: u64,
    world: &World,
    cause: Cause,
    mode: Mode,
    requests: &RangeInclusive<usize>,
) -> Option<Incident> {
    let mut random = StdRng::seed_from_u64(seed ^ 0x5eed);
    let random = &mut random;
    let (least, most) = (*requests.start() as f64, *requests.end() as f64);
    let size = (least.ln() + random.random::<f64>() * (most / least).ln()).exp() as usize;
    let usual = size.max(1_200) * 4 / PARTS;
    let mut innocent = if mode == Mode::Hard { innocent_rollouts(world, random) } else { Vec::new() };
    let (changed, values) = happen(world, cause, random)?;
    // The cause's own owner is not rolled out twice, or nobody could tell which did it.
    let own: Vec<_> = changed.rollouts.iter().map(|it| (it.dimension, it.owner)).collect();
    innocent.retain(|(_, it)| !own.contains(&(it.dimension, it.owner)));
    let coincident = innocent.iter().any(|(from, _)| *from == PARTS);
    let wobble = mode == Mode::Hard && random.random_bool(0.6);
    let before = (0..PARTS)
        .map(|part| {
            let mut conditions = noise(world, random);
            conditions.rollouts = innocent.iter().filter(|(from, _)| *from <= part).map(|(_, it)| it.clone()).collect();
            draw(world, &conditions, usual, random)
        })
        .collect::<Vec<_>>();
    let mut conditions = Conditions { wander: 0.0, wanders: Vec::new(), ..changed };
    let usual_noise = noise(world, random);
    conditions.wander = usual_noise.wander;
    conditions.wanders = usual_noise.wanders;
    merge(&mut conditions.features, &usual_noise.features);
    merge(&mut conditions.classes, &usual_noise.classes);
    merge(&mut conditions.languages, &usual_noise.languages);
    if wobble {
        let factors: Vec<f64> = (0..CLASSES).map(|_| (normal(random) * 0.15).exp()).collect();
        merge(&mut conditions.classes, &factors);
    }
    let twins = twins(world, mode, cause, &mut conditions, random)?;
    let mut without = conditions.clone();
    conditions.rollouts.extend(innocent.iter().map(|(_, it)| it.clone()));
    without.rollouts = innocent.iter().map(|(_, it)| it.clone()).collect();
    let reference = Conditions {
        rollouts: without.rollouts,
        wander: conditions.wander,
        wanders: conditions.wanders.clone(),
        features: usual_noise.features,
        classes: usual_noise.classes,
        languages: usual_noise.languages,
        ..Conditions::default()
    };
    let now = draw(world, &conditions, size, random);
    let rate = |side: &[Simulated]| side.iter().filter(|it| it.fails).count() as f64 / side.len() as f64;
    let good: Vec<Simulated> = before.iter().flatten().cloned().collect();
    let (was, is) = (rate(&good), rate(&now));
    let z = (is - was) / (was * (1.0 - was) * (1.0 / good.len() as f64 + 1.0 / now.len() as f64)).sqrt();
    let incident = Incident { values, twins, coincident, before, now };
    if cause == Cause::Nothing {
        return Some(incident);
    }
    let caused = expected(world, &conditions, seed) - expected(world, &reference, seed);
    (is - was > CHANGE_MIN && z > Z_MIN && caused > CAUSED_MIN * (is - was)).then_some(incident)
}

fn draw(world: &World, conditions: &Conditions, requests: usize, random: &mut StdRng) -> Vec<Simulated> {
    (0..requests)
        .map(|_| {
            let draw = world.draw(conditions, random);
            let fails = random.random_bool(1.0 / (1.0 + (-draw.logit).exp()));
            Simulated { values: draw.values, fails }
        })
        .collect()
}

/// The failure rate to expect, without the chance of each failure; the same draws for the same seed.
fn expected(world: &World, conditions: &Conditions, seed: u64) -> f64 {
    let mut random = StdRng::seed_from_u64(seed);
    let rates = (0..EXPECTED_OF).map(|_| 1.0 / (1.0 + (-world.draw(conditions, &mut random).logit).exp()));
    rates.sum::<f64>() / f64::from(EXPECTED_OF)
}

fn merge(factors: &mut Vec<f64>, others: &[f64]) {
    if factors.is_empty() {
        *factors = others.to_vec();
        return;
    }
    factors.iter_mut().zip(others).for_each(|(factor, other)| *factor *= other);
}

/// Natural noise of one window: of the mix and of the rates.
fn noise(world: &World, random: &mut StdRng) -> Conditions {
    let mut factors =
        |count: usize, deviation: f64| -> Vec<f64> { (0..count).map(|_| (normal(random) * deviation).exp()).collect() };
    let (features, classes, languages) =
        (factors(world.features.len(), 0.12), factors(CLASSES, 0.1), factors(LANGUAGES, 0.08));
    let wander = normal(random) * 0.05;
    let wanders = (0..world.features.len()).map(|_| normal(random) * 0.05).collect();
    Conditions { features, classes, languages, wander, wanders, ..Conditions::default() }
}

/// About three, each from a window on; 65 % from the incident's.
fn innocent_rollouts(world: &World, random: &mut StdRng) -> Vec<(usize, Rollout)> {
    let mut left = (-3.0_f64).exp();
    let (mut count, mut product) = (0, random.random::<f64>());
    while product > left {
        product *= random.random::<f64>();
        count += 1;
    }
    left = 0.65;
    (0..count)
        .map(|_| {
            let from = if random.random_bool(left) { PARTS } else { random.random_range(0..PARTS) };
            (from, rollout(world, random, 5, 0.0))
        })
        .collect()
}

/// A rollout of something, to some share.
fn rollout(world: &World, random: &mut StdRng, version: u8, harm: f64) -> Rollout {
    let features = u8::try_from(world.features.len()).expect("a dozen features");
    let (dimension, owners) = match random.random_range(0..6) {
        0 | 1 => (PromptVersion, features),
        2 => (ModelVersion, super::world::MODELS),
        3 => (JudgeConfig, world.judges),
        4 => (IndexVersion, world.indexes),
        _ => (ToolSchema, features),
    };
    let share = [0.1, 0.5, 1.0, 1.0][random.random_range(0..4)];
    Rollout {
        dimension: Some(dimension),
        owner: random.random_range(0..owners),
        version,
        share,
        harm,
        ..Rollout::default()
    }
}

/// The conditions that a cause makes, and the values to name.
fn happen(world: &World, cause: Cause, random: &mut StdRng) -> Option<(Conditions, Vec<(Dimension, u8)>)> {
    let count = world.features.len();
    let feature = random.random_range(0..count);
    let owner = u8::try_from(feature).ok()?;
    let harm = random.random_range(0.6..2.4);
    let share = [0.1, 0.25, 0.5, 1.0, 1.0][random.random_range(0..5)];
    let version = 1;
    let rolled = |dimension, owner: u8, rollout: Rollout| {
        let conditions = Conditions {
            rollouts: vec![Rollout { dimension: Some(dimension), owner, version, share, ..rollout }],
            ..Conditions::default()
        };
        Some((conditions, vec![(dimension, owner * VERSIONS + version)]))
    };
    let blank = Rollout::default();
    let class = random.random_bool(0.4).then(|| random.random_range(0..CLASSES as u8));
    let model = random.random_range(0..super::world::MODELS);
    let conditions = Conditions::default();
    match cause {
        Cause::Prompt => rolled(PromptVersion, owner, Rollout { harm, class, ..blank }),
        Cause::PromptDetour => {
            world.features[feature].paths.as_ref()?;
            rolled(PromptVersion, owner, Rollout { harm: harm / 2.0, detour: 0.4, ..blank })
        }
        Cause::ModelVersion => rolled(ModelVersion, model, Rollout { harm, ..blank }),
        Cause::Parameters => rolled(Parameters, owner, Rollout { harm, ..blank }),
        Cause::Judge => {
            rolled(JudgeConfig, random.random_range(0..world.judges), Rollout { harm: harm * 0.7, ..blank })
        }
        Cause::IndexVersion => rolled(IndexVersion, random.random_range(0..world.indexes), Rollout { harm, ..blank }),
        Cause::ToolSchema => {
            world.features[feature].paths.as_ref()?;
            let (conditions, mut values) = rolled(ToolSchema, owner, Rollout { harm: harm + 0.5, ..blank })?;
            values.push((ToolUsed, values[0].1));
            Some((conditions, values))
        }
        Cause::ModelRoute => {
            let rerouted = std::array::from_fn(|_| random.random_range(0.2..0.7));
            let values = vec![(Route, 1)];
            Some((Conditions { rerouted, ..conditions }, values))
        }
        Cause::ModelSilent => Some((
            Conditions { silent: Some((model, harm)), ..conditions },
            vec![(Model, model), (ModelVersion, model * VERSIONS)],
        )),
        Cause::IndexStale => {
            let index = random.random_range(0..world.indexes);
            Some((
                Conditions { stale: Some((index, random.random_range(0.4..0.95))), ..conditions },
                vec![(IndexAge, 2)],
            ))
        }
        Cause::IndexOutage => {
            let index = random.random_range(0..world.indexes);
            Some((
                Conditions { outage: Some((index, random.random_range(0.2..0.9))), ..conditions },
                vec![(RetrievalHits, 0)],
            ))
        }
        Cause::ToolPath => {
            world.features[feature].paths.as_ref()?;
            Some((
                Conditions { detour: Some((owner, random.random_range(0.3..0.8))), ..conditions },
                vec![(ToolPath, 3)],
            ))
        }
        Cause::TrafficFeature => {
            let bad = (0..count).max_by(|a, b| world.badness(*a).total_cmp(&world.badness(*b)))?;
            let features = (0..count).map(|it| if it == bad { random.random_range(2.5..6.0) } else { 1.0 }).collect();
            Some((Conditions { features, ..conditions }, vec![(Feature, u8::try_from(bad).ok()?)]))
        }
        Cause::TrafficClass => {
            let worst = world.worst_class();
            let classes =
                (0..CLASSES).map(|it| if it == worst { random.random_range(2.5..7.0) } else { 1.0 }).collect();
            Some((Conditions { classes, ..conditions }, vec![(RequestClass, u8::try_from(worst).ok()?)]))
        }
        Cause::TrafficLanguage => {
            let worst = world.worst_language();
            let languages =
                (0..LANGUAGES).map(|it| if it == worst { random.random_range(3.0..8.0) } else { 1.0 }).collect();
            Some((Conditions { languages, ..conditions }, vec![(Language, u8::try_from(worst).ok()?)]))
        }
        Cause::HiddenEverywhere => Some((Conditions { hidden: Some((None, harm * 0.5)), ..conditions }, Vec::new())),
        Cause::HiddenRegion => {
            let region = random.random_range(0..REGIONS as u8);
            Some((Conditions { hidden: Some((Some((Region, region)), harm)), ..conditions }, Vec::new()))
        }
        Cause::HiddenFeature => {
            Some((Conditions { hidden: Some((Some((Feature, owner)), harm)), ..conditions }, Vec::new()))
        }
        Cause::Nothing => Some((conditions, Vec::new())),
    }
}

/// Makes a second variable change on the very requests of the first; `None` where that cannot be.
fn twins(
    world: &World,
    mode: Mode,
    cause: Cause,
    conditions: &mut Conditions,
    random: &mut StdRng,
) -> Option<Option<[Variable; 2]>> {
    if mode != Mode::Twins {
        return Some(None);
    }
    let first = conditions.rollouts.first_mut()?;
    // Only full rollouts of two things of one feature are on the same requests.
    let owner = first.owner;
    first.share = 1.0;
    let other = match first.dimension? {
        PromptVersion => [Parameters, ToolSchema][random.random_range(0..2)],
        Parameters => PromptVersion,
        _ => return None,
    };
    if other == ToolSchema && world.features[usize::from(owner)].paths.is_none() {
        return None;
    }
    let variables = [cause.variable()?, other.variable()];
    let twin = Rollout { dimension: Some(other), owner, version: 1, share: 1.0, ..Rollout::default() };
    conditions.rollouts.push(twin);
    Some(Some(variables))
}

/// Unused tiers keep their routes.
const _: () = assert!(TIERS == 3);
