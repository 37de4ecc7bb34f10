use expect_test::expect;

use super::*;
use crate::core::note::Checkpoint;

fn at() -> String {
    "2026-11-22T02:19:00.000Z".into()
}

fn manifest(leaf: Leaf) -> Manifest {
    Manifest { origin: "example.com/log".into(), seq: 3, previous_root: Some([1; 32]), leaf }
}

fn frame() -> Manifest {
    let part = |name: &str, state: Option<&str>| Part {
        name: name.into(),
        bytes: 12,
        sd: crate::core::disclosure::commitment(name.as_bytes()),
        state: state.map(str::to_owned),
    };
    manifest(Leaf::Frame(FrameLeaf {
        frame_id: "018f".into(),
        feature: "checkout \"x\"".into(),
        fingerprint: "ab".into(),
        captured_at: at(),
        parts: vec![part("frame", None), part("judge", Some("partial"))],
    }))
}

/// One leaf of every type.
fn all() -> Vec<Manifest> {
    let genesis = Leaf::Genesis { volume: "v".into(), vkey: "k".into(), created_at: at() };
    let continues = Checkpoint { origin: "o".into(), size: 9, root: [2; 32] };
    let erasure = Erasure { at: at(), frame: 1, parts: vec!["judge".into()], reason: "r".into() };
    let others = [
        Leaf::Heartbeat { at: at(), frames: 2, lost: 1 },
        Leaf::KeyRotate { at: at(), vkey: "k".into() },
        Leaf::Erasure(erasure),
        Leaf::Prune { at: at(), below: 2, reason: "older than 90d".into() },
        Leaf::Incident { at: at(), kind: IncidentKind::Rollback, what: "w".into(), continues },
        Leaf::Override {
            at: at(),
            feature: "f".into(),
            class: "COST_SPIKE".into(),
            order: "open".into(),
            comment: "r".into(),
        },
    ];
    let genesis = Manifest { origin: "o".into(), seq: 0, previous_root: None, leaf: genesis };
    [genesis, frame()].into_iter().chain(others.into_iter().map(manifest)).collect()
}

/// Proves the byte format of leaves, which can never change for this version, and that all of them read back.
#[test]
fn leaves_have_these_bytes() {
    let mut lines = String::new();
    for manifest in all() {
        let bytes = manifest.encode().unwrap();
        assert_eq!(Manifest::parse(&bytes), Ok(manifest));
        lines.push_str(std::str::from_utf8(&bytes).unwrap());
        lines.push('\n');
    }
    expect![[r#"
        {"created_at":"2026-11-22T02:19:00.000Z","origin":"o","seq":0,"type":"genesis","version":2,"vkey":"k","volume":"v"}
        {"captured_at":"2026-11-22T02:19:00.000Z","feature":"checkout \"x\"","fingerprint":"ab","frame_id":"018f","origin":"example.com/log","parts":{"frame":{"bytes":12,"sd":"nf9Q3wjGNYFfSxnaEPdWYFo0p5pI1LpIcSeCUCl1pw4"},"judge":{"bytes":12,"sd":"EOhsZRTUDyo-hhsxhHNA7oyO0YECmhewQvE3Eh0ohj4","state":"partial"}},"previous":{"root":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","size":3},"seq":3,"type":"frame","version":2}
        {"at":"2026-11-22T02:19:00.000Z","frames":2,"lost":1,"origin":"example.com/log","previous":{"root":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","size":3},"seq":3,"type":"heartbeat","version":2}
        {"at":"2026-11-22T02:19:00.000Z","origin":"example.com/log","previous":{"root":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","size":3},"seq":3,"type":"key-rotate","version":2,"vkey":"k"}
        {"at":"2026-11-22T02:19:00.000Z","frame":1,"origin":"example.com/log","parts":["judge"],"previous":{"root":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","size":3},"reason":"r","seq":3,"type":"erasure","version":2}
        {"at":"2026-11-22T02:19:00.000Z","below":2,"origin":"example.com/log","previous":{"root":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","size":3},"reason":"older than 90d","seq":3,"type":"prune","version":2}
        {"at":"2026-11-22T02:19:00.000Z","continues":{"origin":"o","root":"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=","size":9},"kind":"rollback","origin":"example.com/log","previous":{"root":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","size":3},"seq":3,"type":"incident","version":2,"what":"w"}
        {"at":"2026-11-22T02:19:00.000Z","class":"COST_SPIKE","comment":"r","feature":"f","order":"open","origin":"example.com/log","previous":{"root":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","size":3},"seq":3,"type":"override","version":2}
    "#]].assert_eq(&lines);
}

/// Proves that a leaf has one spelling: other spellings of the same content and other content are refused.
#[test]
fn other_spellings_are_rejected() {
    let text = String::from_utf8(frame().encode().unwrap()).unwrap();
    let refused = [
        text.replace(r#""seq":3"#, r#""seq":3,"seq":3"#),
        text.replace(r#""seq":3"#, r#""seq":3.0"#),
        text.replace(r#""seq":3"#, r#""seq": 3"#),
        text.replace(r#""size":3"#, r#""size":4"#),
        text.replace(r#""size":3"#, r#""more":1,"size":3"#),
        text.replace(r#""version":2"#, r#""version":1"#),
        text.replace(r#""type":"frame""#, r#""type":"heartbeat""#),
        text.replace(r#""type":"frame""#, r#""type":"frame","u":1"#),
        text.replace("QE=", "QF="),
        text.replace("018f", "\\u0030\\u0031\\u0038f"),
        text.replace(r#""state":"partial""#, r#""state":null"#),
        text.replace(r#""bytes":12,"#, ""),
        text.replace(r#""sd":""#, r#""sd":"A"#),
        format!("{text}\n"),
        format!(" {text}"),
        text.replace(r#""feature":"checkout \"x\"","#, ""),
        "[]".into(),
    ];
    for text in refused {
        assert!(Manifest::parse(text.as_bytes()).is_err(), "{text}");
    }
    let mut large = frame();
    large.origin = "o".repeat(MANIFEST_BYTES_MAX);
    assert!(matches!(large.encode(), Err(ManifestError::TooLarge(_))));
}
