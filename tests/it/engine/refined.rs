//! The second frame of an incident.

use serde_json::Value as Json;

use super::*;

fn compared(frame: &FrameBytes) -> u64 {
    frame.body["verdict"]["requests"]["incident"].as_u64().unwrap()
}

/// Proves that the answer of an alert that goes on firing is asked for again at twice the requests, once, in a frame of its
/// own that says which it refines; and that the first frame stays the incident's, whatever becomes of the second.
#[test]
fn an_answer_is_asked_for_again_once() {
    let mut sim = Sim::start();
    sim.traffic(60, |it| it);
    sim.traffic_until_a_frame(failing);
    let mut frames = Vec::new();
    for _ in 0..900 {
        frames.extend(sim.frames.clone());
        sim.answer(receipt);
        sim.send(failing);
    }
    let (second, first): (Vec<_>, Vec<_>) = frames.iter().partition(|it| it.body["refines"].is_string());
    assert!(!second.is_empty());
    for frame in &second {
        let refined: Vec<_> = first.iter().filter(|it| frame.body["refines"] == *it.id).collect();
        let [first] = refined.as_slice() else { panic!("one frame is refined: {refined:?}") };
        assert_eq!(second.iter().filter(|it| it.body["refines"] == *first.id).count(), 1);
        assert!(compared(frame) >= 2 * compared(first), "{} after {}", compared(frame), compared(first));
        assert!(frame.captured_at > first.captured_at);
        for key in ["name", "fingerprint", "starts_at", "fired_at", "value", "threshold"] {
            assert_eq!(frame.body["alert"][key], first.body["alert"][key], "{key}");
        }
        assert_eq!(frame.body["alert"]["fired_at"], Json::from(&*first.captured_at));
        let view = sim.engine.view(sim.now);
        let incident = view.incidents.iter().find(|it| it.id == first.id).unwrap();
        let known = incident.refined.as_ref().unwrap();
        assert_eq!((&known.id, &known.frame), (&frame.id, &FrameState::Committed(receipt(frame).unwrap())));
        assert!(matches!(&incident.frame, FrameState::Committed(it) if it.frame_id == first.id));
        assert!(view.incidents.iter().all(|it| it.id != frame.id), "a second frame is no incident");
    }
    let told = sim.notices.iter().filter(|it| matches!(it, Notice::Refined { .. })).count();
    assert_eq!(told, second.len());
}

/// Fails until an incident has a second frame, which nobody has answered yet.
fn second_frame(sim: &mut Sim) -> Arc<FrameBytes> {
    sim.traffic(60, |it| it);
    sim.traffic_until_a_frame(failing);
    loop {
        if let Some(found) = sim.frames.iter().find(|it| it.body["refines"].is_string()) {
            return found.clone();
        }
        sim.answer(receipt);
        sim.send(failing);
    }
}

/// Proves that after a restart a second frame belongs to its incident, and is an incident where the first is not there: pruned,
/// or never committed.
#[test]
fn a_second_frame_is_found_again() {
    let mut sim = Sim::start();
    let second = second_frame(&mut sim);
    let first = second.body["refines"].as_str().unwrap().to_owned();
    let recalled = |frames: &[&FrameBytes]| {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::open(dir.path(), &config().evidence, START, evidence::os_entropy()).unwrap();
        frames.iter().for_each(|it| drop(log.append(it).unwrap()));
        let mut later = Sim::start_at(sim.now.plus(Duration::from_secs(60)));
        assert_eq!(later.engine.recall(&log).unwrap(), 0);
        let incidents = later.engine.view(later.now).incidents;
        let told = |it: &Arc<freezeframe::engine::view::Incident>| {
            (it.id.clone(), it.refined.as_ref().map(|it| it.id.clone()), it.suspect.is_some())
        };
        incidents.iter().map(told).collect::<Vec<_>>()
    };
    let is_told = second.body["verdict"]["value"].is_string();
    assert_eq!(recalled(&[&second]), [(second.id.clone(), None, is_told)]);
    let body = [("refines".to_owned(), Json::Null), ("id".to_owned(), first.as_str().into())].into_iter();
    let original = FrameBytes {
        id: first.clone(),
        body: second.body.clone().into_iter().chain(body).collect(),
        captured_at: second.captured_at.clone(),
        feature: second.feature.clone(),
        fingerprint: second.fingerprint.clone(),
    };
    let whole = [(first, Some(second.id.clone()), is_told)];
    assert_eq!(recalled(&[&original, &second]), whole);
    assert_eq!(recalled(&[&second, &original]), whole, "a first frame that was retried comes later");
}

/// Proves that what a second frame suspects is not told before it is durable.
#[test]
fn a_refined_suspect_is_told_once_it_is_durable() {
    let mut sim = Sim::start();
    let second = second_frame(&mut sim);
    let id = second.body["refines"].as_str().unwrap().to_owned();
    let incident = |sim: &Sim| sim.engine.view(sim.now).incidents.iter().find(|it| it.id == id).cloned().unwrap();
    let before = incident(&sim);
    assert_eq!(before.refined.as_ref().unwrap().frame, FrameState::Committing);

    sim.answer(|_| Err(StoreError::Retry("disk full".into())));
    let failed = incident(&sim);
    assert_eq!(failed.suspect, before.suspect);
    assert!(matches!(failed.refined.as_ref().unwrap().frame, FrameState::NotCommitted { .. }));

    sim.frames.push(second);
    sim.answer(receipt);
    let after = incident(&sim);
    assert_eq!(after.suspect, after.refined.as_ref().unwrap().suspect);
    assert!(matches!(after.refined.as_ref().unwrap().frame, FrameState::Committed(_)));
}
