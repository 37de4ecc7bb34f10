use serde_json::json;

use super::*;

const HOSTILE: &str = "</td><script>alert(1)</script>\u{1b}[31m\u{202e}|`*[x](http://e.example)&\"'";

fn drill() -> Json {
    let sample = |minute: u64, value: f64, breached: bool| {
        json!({ "at": format!("2026-11-22T02:{minute:02}:00.000Z"),
                "signals": { "quality": { "value": value, "breached": breached } } })
    };
    json!({
        "scenario": "quality-degradation", "about": HOSTILE, "injected": HOSTILE, "beside": HOSTILE, "drill": HOSTILE,
        "stages": [{ "name": "alert", "at": "2026-11-22T02:02:00.000Z", "line": HOSTILE }],
        "postmortem": HOSTILE, "passed": false, "detection_delay_s": 66.0,
        "scorecard": [{ "check": "value", "result": "missed", "expected": HOSTILE, "found": HOSTILE }],
        "injected_at": "2026-11-22T02:01:00.000Z", "redirected": 4, "removed_at": null, "recovered_at": null,
        "alert": { "at": "2026-11-22T02:02:00.000Z", "alertname": HOSTILE, "signal": HOSTILE, "severity": "SEV-2" },
        "limits": [{ "signal": "quality", "limit": 0.8 }],
        "samples": [sample(0, 1.0, false), sample(1, 0.9, false), sample(2, 0.4, true)],
    })
}

/// Proves that texts of strangers stay texts in both formats.
#[test]
fn hostile_texts_stay_texts() {
    for page in [html(&drill()).unwrap(), markdown(&drill()).unwrap().replace("\\<", "")] {
        assert!(!page.contains("<script") && !page.contains('\u{1b}') && !page.contains('\u{202e}'), "{page}");
    }
    assert!(!markdown(&drill()).unwrap().contains("[x](http://"));
}

/// Proves that the page needs nothing else: no address but XML's namespace, no script, no handler.
#[test]
fn the_page_stands_alone() {
    let mut drill = drill();
    drill["scorecard"] = json!([]);
    for key in ["about", "injected", "beside", "drill", "postmortem"] {
        drill[key] = "x".into();
    }
    (drill["stages"], drill["alert"]["alertname"], drill["alert"]["signal"]) =
        (json!([]), "A".into(), "quality".into());
    let page = html(&drill).unwrap();
    let without_namespace = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for outside in ["http:", "https:", "src=", "<link", "<script", "url(", "@import", " on", "style=\""] {
        let found =
            without_namespace.find(outside).filter(|_| outside != " on" || without_namespace.contains(" onload"));
        assert_eq!(found, None, "{outside}");
    }
    assert_eq!(page.matches("<svg").count(), 1);
    assert!(page.contains("<title>quality</title>") && page.contains("limit 80 %") && page.contains("injection"));
}

/// Proves that every element that is opened is closed, in order, whatever the texts are.
#[test]
fn the_page_is_well_formed() {
    let page = html(&drill()).unwrap();
    let mut open: Vec<&str> = Vec::new();
    for part in page.split('<').skip(1).filter(|it| !it.starts_with('!')) {
        let (tag, _) = part.split_once('>').unwrap();
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{tag}");
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}
