//! A service with LLM features as it runs when all is well: who asks what, which prompt, model, judge, index and tools
//! answer, and how often that fails.

use freezeframe::core::attribution::dimension::Dimension::{self, *};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// Values of one request by dimension; `None` where its telemetry does not say.
pub(crate) type Values = [Option<u8>; Dimension::COUNT];

/// Request classes, regions, tiers and languages.
pub(crate) const CLASSES: usize = 4;
pub(crate) const REGIONS: usize = 4;
pub(crate) const TIERS: usize = 3;
pub(crate) const LANGUAGES: usize = 5;
/// Models, tool paths, steps of age and of hits.
pub(crate) const MODELS: u8 = 3;
pub(crate) const PATHS: usize = 4;
pub(crate) const AGES: usize = 3;
pub(crate) const HITS: usize = 4;

/// Versions of one thing are codes from here on: `owner * VERSIONS + version`.
pub(crate) const VERSIONS: u8 = 8;

/// One request: its values, and the logit of its failing.
#[derive(Clone, Debug)]
pub(crate) struct Draw {
    pub(crate) values: Values,
    pub(crate) logit: f64,
}

/// One feature.
#[derive(Clone, Debug)]
pub(crate) struct Feature {
    pub(crate) weight: f64,
    pub(crate) logit: f64,
    pub(crate) classes: Vec<f64>,
    pub(crate) primary: u8,
    pub(crate) alternative: u8,
    /// Share of the alternative route by tier.
    pub(crate) alternative_share: [f64; TIERS],
    pub(crate) judge: u8,
    /// The knowledge base it searches.
    pub(crate) index: Option<u8>,
    /// Which of its requests run tools, by path.
    pub(crate) paths: Option<Vec<f64>>,
}

/// Versions that run, by owner, and what they do to the logit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rollout {
    /// Dimension that it shows in.
    pub(crate) dimension: Option<Dimension>,
    /// Owner: feature, model, judge, index.
    pub(crate) owner: u8,
    /// Version that is rolled out.
    pub(crate) version: u8,
    /// Share of the owner's requests that have it.
    pub(crate) share: f64,
    /// What it does to the logit of those requests, where they are of `class`.
    pub(crate) harm: f64,
    pub(crate) class: Option<u8>,
    /// Requests that have it take the worst tool path this much more often.
    pub(crate) detour: f64,
}

/// What differs from the usual while requests are drawn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) rollouts: Vec<Rollout>,
    /// Factors on the weights of features, classes and languages.
    pub(crate) features: Vec<f64>,
    pub(crate) classes: Vec<f64>,
    pub(crate) languages: Vec<f64>,
    /// Added share of the alternative route, by tier.
    pub(crate) rerouted: [f64; TIERS],
    /// Share of searches of an index that find nothing, and of those that are served stale.
    pub(crate) outage: Option<(u8, f64)>,
    pub(crate) stale: Option<(u8, f64)>,
    /// Added share of the worst path of a feature.
    pub(crate) detour: Option<(u8, f64)>,
    /// A model that fails more behind the same name.
    pub(crate) silent: Option<(u8, f64)>,
    /// What nobody records: added to the logit of everything, of a region, of a feature.
    pub(crate) hidden: Option<(Option<(Dimension, u8)>, f64)>,
    /// Natural wander: of everything, and of each feature.
    pub(crate) wander: f64,
    pub(crate) wanders: Vec<f64>,
}

/// The service.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) features: Vec<Feature>,
    pub(crate) indexes: u8,
    pub(crate) judges: u8,
    effects: Effects,
    regions: Vec<f64>,
    tiers: Vec<f64>,
    languages: Vec<f64>,
}

#[derive(Clone, Debug)]
struct Effects {
    classes: Vec<f64>,
    languages: Vec<f64>,
    models: Vec<f64>,
    pub(crate) paths: Vec<f64>,
    ages: [f64; AGES],
    hits: [f64; HITS],
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let random = &mut random;
        let (indexes, judges) = (random.random_range(1..=3), random.random_range(1..=2));
        let count = random.random_range(5..=12);
        let effects = Effects {
            classes: normals(random, CLASSES, 0.5),
            languages: normals(random, LANGUAGES, 0.35),
            models: normals(random, usize::from(MODELS), 0.4),
            paths: vec![-0.3, 0.0, 0.2, random.random_range(0.6..1.4)],
            ages: [0.0, 0.15, random.random_range(0.6..1.4)],
            hits: [random.random_range(1.2..2.2), 0.3, 0.0, -0.1],
        };
        let features = (0..count).map(|_| Feature::new(random, indexes, judges)).collect();
        Self {
            features,
            indexes,
            judges,
            effects,
            regions: weights(random, REGIONS),
            tiers: weights(random, TIERS),
            languages: weights(random, LANGUAGES),
        }
    }

    /// Failure logits that would show as a worse mix: how bad each feature is by itself.
    pub(crate) fn badness(&self, feature: usize) -> f64 {
        self.features[feature].logit
    }

    /// The class and the language that fail most.
    pub(crate) fn worst_class(&self) -> usize {
        worst(&self.effects.classes)
    }

    pub(crate) fn worst_language(&self) -> usize {
        worst(&self.effects.languages)
    }

    /// One request under `conditions`.
    pub(crate) fn draw(&self, conditions: &Conditions, random: &mut StdRng) -> Draw {
        let mut values: Values = [None; Dimension::COUNT];
        let weighed: Vec<f64> =
            (0..self.features.len()).map(|it| self.features[it].weight * factor(&conditions.features, it)).collect();
        let at = pick(&weighed, random);
        let feature = &self.features[at];
        let classes: Vec<f64> = (0..CLASSES).map(|it| feature.classes[it] * factor(&conditions.classes, it)).collect();
        let languages: Vec<f64> =
            (0..LANGUAGES).map(|it| self.languages[it] * factor(&conditions.languages, it)).collect();
        let (class, language) = (pick(&classes, random), pick(&languages, random));
        let (region, tier) = (pick(&self.regions, random), pick(&self.tiers, random));
        for (dimension, value) in
            [(Feature, at), (RequestClass, class), (Region, region), (Tier, tier), (Language, language)]
        {
            values[dimension.index()] = u8::try_from(value).ok();
        }
        let rerouted = feature.alternative_share[tier] + conditions.rerouted[tier];
        let is_alternative = random.random_bool(rerouted.clamp(0.0, 1.0));
        let model = if is_alternative { feature.alternative } else { feature.primary };
        values[Route.index()] = Some(u8::from(is_alternative));
        values[Model.index()] = Some(model);
        let owner = u8::try_from(at).unwrap_or(u8::MAX);
        for (dimension, owner) in [
            (PromptVersion, Some(owner)),
            (ModelVersion, Some(model)),
            (Parameters, Some(owner)),
            (JudgeConfig, Some(feature.judge)),
            (IndexVersion, feature.index),
        ] {
            values[dimension.index()] = owner.map(|owner| owner * VERSIONS);
        }
        let mut logit = feature.logit + self.effects.classes[class] + self.effects.languages[language];
        logit +=
            self.effects.models[usize::from(model)] + conditions.wander + conditions.wanders.get(at).unwrap_or(&0.0);
        if let Some(index) = feature.index {
            logit += self.search(index, conditions, &mut values, random);
        }
        let mut detour = conditions.detour.filter(|it| it.0 == owner).map_or(0.0, |it| it.1);
        if feature.paths.is_some() {
            values[ToolSchema.index()] = Some(owner * VERSIONS);
        }
        for rollout in &conditions.rollouts {
            let Some(dimension) = rollout.dimension else { continue };
            let has = values[dimension.index()].is_some_and(|it| it / VERSIONS == rollout.owner);
            if has && random.random_bool(rollout.share) {
                values[dimension.index()] = Some(rollout.owner * VERSIONS + rollout.version);
                detour += rollout.detour;
                let is_harmed = rollout.class.is_none_or(|it| usize::from(it) == class);
                if dimension != ToolSchema && is_harmed {
                    logit += rollout.harm;
                }
            }
        }
        if let Some(paths) = &feature.paths {
            let mut path = pick(paths, random);
            if random.random_bool(detour.clamp(0.0, 1.0)) {
                path = PATHS - 1;
            }
            values[ToolPath.index()] = u8::try_from(path).ok();
            logit += self.effects.paths[path];
            if path > 0 {
                values[ToolUsed.index()] = values[ToolSchema.index()];
                let version = values[ToolSchema.index()];
                let broken = conditions.rollouts.iter().filter(|it| it.dimension == Some(ToolSchema));
                logit += broken
                    .filter(|it| version == Some(it.owner * VERSIONS + it.version))
                    .map(|it| it.harm)
                    .sum::<f64>();
            }
        }
        if let Some((model_harmed, harm)) = conditions.silent
            && model_harmed == model
        {
            logit += harm;
        }
        if let Some((slice, harm)) = conditions.hidden
            && slice.is_none_or(|(dimension, value)| values[dimension.index()] == Some(value))
        {
            logit += harm;
        }
        Draw { values, logit }
    }

    fn search(&self, index: u8, conditions: &Conditions, values: &mut Values, random: &mut StdRng) -> f64 {
        let mut age = pick(&[0.7, 0.25, 0.05], random);
        let mut hits = pick(&[0.04, 0.16, 0.5, 0.3], random);
        if conditions.stale.is_some_and(|(of, share)| of == index && random.random_bool(share)) {
            age = AGES - 1;
        }
        if conditions.outage.is_some_and(|(of, share)| of == index && random.random_bool(share)) {
            hits = 0;
        }
        values[IndexAge.index()] = u8::try_from(age).ok();
        values[RetrievalHits.index()] = u8::try_from(hits).ok();
        self.effects.ages[age] + self.effects.hits[hits]
    }
}

impl Feature {
    fn new(random: &mut StdRng, indexes: u8, judges: u8) -> Self {
        let primary = random.random_range(0..MODELS);
        Self {
            weight: random.random_range(0.3..2.0),
            logit: random.random_range(-3.6..-1.6),
            classes: weights(random, CLASSES),
            primary,
            alternative: (primary + random.random_range(1..MODELS)) % MODELS,
            alternative_share: std::array::from_fn(|_| random.random_range(0.0..0.3)),
            judge: random.random_range(0..judges),
            index: random.random_bool(0.6).then(|| random.random_range(0..indexes)),
            paths: random.random_bool(0.45).then(|| {
                let mut paths = weights(random, PATHS);
                paths[PATHS - 1] *= 0.4;
                paths
            }),
        }
    }
}

/// A standard normal number.
pub(crate) fn normal(random: &mut StdRng) -> f64 {
    let (a, b): (f64, f64) = (random.random_range(f64::MIN_POSITIVE..1.0), random.random());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

fn normals(random: &mut StdRng, count: usize, deviation: f64) -> Vec<f64> {
    (0..count).map(|_| normal(random) * deviation).collect()
}

fn weights(random: &mut StdRng, count: usize) -> Vec<f64> {
    (0..count).map(|_| random.random_range(0.15..1.0)).collect()
}

fn worst(effects: &[f64]) -> usize {
    (0..effects.len()).max_by(|a, b| effects[*a].total_cmp(&effects[*b])).unwrap_or_default()
}

fn factor(factors: &[f64], at: usize) -> f64 {
    factors.get(at).copied().unwrap_or(1.0)
}

fn pick(weights: &[f64], random: &mut StdRng) -> usize {
    let mut left = random.random_range(0.0..weights.iter().sum::<f64>());
    for (at, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return at;
        }
    }
    weights.len() - 1
}
