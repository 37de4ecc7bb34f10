//! The tables of `docs/attribution.md`: which variable is named on simulated incidents, told as OTLP, beside what is used
//! today on the same incidents; and how long one answer takes. `cargo bench --bench attribution [-- INCIDENTS] [--only PART]`;
//! seeded, so that it repeats exactly.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark talks to its reader and stops where it fails"
)]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::cast_precision_loss, reason = "counts for people")]

mod anchors;
#[path = "../../tests/it/attribution/asked.rs"]
mod asked;
#[path = "../../tests/it/attribution/incident.rs"]
mod incident;
#[path = "../../tests/it/attribution/otlp.rs"]
mod otlp;
mod score;
mod sides;
mod timing;
#[path = "../../tests/it/attribution/world.rs"]
mod world;

use std::collections::BTreeMap;

use asked::Asked;
use incident::{Cause, Incident, Mode, incident};
use score::{Answered, Score};

/// Requests of an incident, evenly spread in their logarithm.
const REQUESTS: std::ops::RangeInclusive<usize> = 400..=16_000;
/// Causes of which two happen on the same requests.
const TWINS: [Cause; 2] = [Cause::Prompt, Cause::Parameters];
/// Seeds of incidents in which nothing happens, none of which is in the tables.
const NULL_SEED: u64 = 100_000;
const OURS: &str = "Freezeframe";

fn main() {
    let argument = std::env::args().skip(1).find_map(|it| it.parse().ok());
    let is_test = std::env::args().any(|it| it == "--test") || !std::env::args().any(|it| it == "--bench");
    let incidents: u64 = argument.unwrap_or(if is_test { Cause::ALL.len() as u64 } else { 760 });
    let only = std::env::args().skip_while(|it| it != "--only").nth(1);
    let parts: [(&str, &dyn Fn()); 6] = [
        ("hard", &|| table("hard", Mode::Hard, incidents)),
        ("easy", &|| table("easy", Mode::Easy, incidents / 4)),
        ("alert", &|| at_alert(incidents / 4)),
        ("twins", &|| twins(incidents / 4)),
        ("nulls", &|| nulls(incidents / 2)),
        ("timing", &|| timing::print(if is_test { 2 } else { 200 })),
    ];
    parts.iter().filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name)).for_each(|(_, part)| part());
}

/// Every cause in turn.
fn table(name: &str, mode: Mode, incidents: u64) {
    let mut methods: BTreeMap<&str, Score> = BTreeMap::new();
    let mut causes: BTreeMap<Cause, Score> = BTreeMap::new();
    for (seed, cause) in (1..=incidents).zip(Cause::ALL.into_iter().cycle()) {
        let incident = incident(seed, cause, mode, REQUESTS);
        let answered = Answered::of(&Asked::of(&incident), &incident);
        methods.entry(OURS).or_default().add(cause, &incident, &answered);
        causes.entry(cause).or_default().add(cause, &incident, &answered);
        let (before, now) = sides::sides(&incident);
        for (name, method) in anchors::ALL {
            let answered = Answered::by_anchor(method(&before, &now), &incident);
            methods.entry(name).or_default().add(cause, &incident, &answered);
        }
    }
    println!("## {incidents} {name} incidents\n\n{}", Score::HEADER);
    methods.iter().for_each(|(name, score)| println!("| {name} {score}"));
    println!("\n## By cause\n\n{}", Score::HEADER);
    causes.iter().for_each(|(cause, score)| println!("| {cause:?} {score}"));
    println!("\nCalibration error: {:.3}\n", methods[OURS].calibration_error());
}

/// The same hard incidents through `backtest`: what the first alert froze, which has only what came before it, and what its
/// second frame says.
fn at_alert(incidents: u64) {
    let (mut first, mut refined, mut newest) = (Score::default(), Score::default(), Score::default());
    let (mut alerts, mut seconds) = (0, 0);
    for (seed, cause) in (1..=incidents).zip(Cause::ALL.into_iter().cycle()) {
        let incident = incident(seed, cause, Mode::Hard, REQUESTS);
        let Some((asked, again)) = Asked::at_alert(&incident) else { continue };
        alerts += 1;
        first.add(cause, &incident, &Answered::of(&asked, &incident));
        if let Some(again) = &again {
            seconds += 1;
            refined.add(cause, &incident, &Answered::of(again, &incident));
        }
        newest.add(cause, &incident, &Answered::of(again.as_ref().unwrap_or(&asked), &incident));
    }
    println!(
        "## At the alert\n\n{alerts} alerts of {incidents} hard incidents, {seconds} refined\n\n{}",
        Score::HEADER
    );
    println!("| first frame {first}\n| second frame {refined}\n| newest frame {newest}\n");
}

/// Nothing happens but rollouts and chance: how often somebody is named, beside what the first table has of it.
fn nulls(incidents: u64) {
    let named = |seed: &u64| Asked::of(&incident(*seed, Cause::Nothing, Mode::Hard, REQUESTS)).answer() == "one";
    let named = (NULL_SEED..NULL_SEED + incidents).filter(named).count();
    println!("Nothing happened: of {incidents}, one is named in {named}\n");
}

/// Two variables that change on the same requests.
fn twins(incidents: u64) {
    let (mut named, mut both) = (0, 0);
    for (seed, cause) in (1..=incidents).zip(TWINS.into_iter().cycle()) {
        let incident: Incident = incident(seed, cause, Mode::Twins, REQUESTS);
        let asked = Asked::of(&incident);
        let variables = asked.variables();
        named += usize::from(asked.answer() == "one");
        let twins = incident.twins.unwrap();
        both += usize::from(asked.answer() == "ambiguous" && twins.iter().all(|it| variables.contains(&it.as_str())));
    }
    println!("Twins: of {incidents}, one is named in {named}, both in {both}\n");
}
