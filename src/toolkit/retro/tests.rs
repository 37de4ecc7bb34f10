use serde_json::json;

use super::*;

fn frame(id: &str, at: &str, class: &str, value: &str) -> Json {
    json!({
        "id": id, "captured_at": at, "feature": "support", "windows": { "incident": { "from": "2026-11-01T00:00:00.000Z" } },
        "alert": { "class": class, "severity": "SEV-2", "patterns": ["retrieval_staleness"] },
        "verdict": { "answer": "one", "variables": ["retrieval_index"], "value": value },
        "variables": { "judge": { "state": "missing", "reason": "tell <it>" } },
        "completeness_gaps": [{ "field": "user_id", "share": 0.0, "remedy": "set user.id" }, { "field": "cost", "share": 0.9, "remedy": "-" }],
    })
}

fn period() -> Period {
    Period {
        since: UnixNanos::parse("2026-11-01T00:00:00Z").unwrap(),
        until: UnixNanos::parse("2026-11-22T00:00:00Z").unwrap(),
    }
}

/// Proves what counts as a theme, the lags, the gaps, the weeks, and what is left out.
#[test]
fn what_repeats_is_found() {
    let frames = [
        frame("a", "2026-11-01T00:01:00.000Z", "RETRIEVAL_OUTAGE", "v7"),
        frame("b", "2026-11-16T00:00:00.000Z", "RETRIEVAL_OUTAGE", "v7"),
        frame("c", "2026-11-01T00:05:00.000Z", "COST_SPIKE", "v8"),
        frame("c", "2026-11-01T00:05:00.000Z", "COST_SPIKE", "v8"),
        frame("old", "2026-08-01T00:00:00.000Z", "COST_SPIKE", "v8"),
    ];
    let actions = Action::list("- {description: Rotate, due: 2026-11-10, owner: SRE}\n- {description: Later, due: 2026-12-10}\n- {description: Was, due: 2026-11-01, done: true}").unwrap();
    let found = retro(&frames, period(), &Beside { unread: 1, actions: Some(actions), ..Beside::default() });
    assert_eq!((&found["incidents"], &found["unread"]), (&json!(3), &json!(1)));
    let themes: Vec<_> = found["themes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["what"].as_str().unwrap(), it["incidents"].as_array().unwrap().len()))
        .collect();
    assert_eq!(
        themes,
        [
            ("retrieval_staleness on support", 3),
            ("retrieval_index of support", 3),
            ("RETRIEVAL_OUTAGE on support", 2),
            ("retrieval_index v7", 2),
        ]
    );
    assert_eq!(found["detection"][0], json!({ "class": "COST_SPIKE", "incidents": 1, "p50_s": 300.0, "p90_s": 300.0 }));
    let gaps: Vec<_> = found["gaps"].as_array().unwrap().iter().map(|it| it["missing"].as_str().unwrap()).collect();
    assert_eq!(gaps, ["judge", "user_id"]);
    let weeks: Vec<_> = found["weeks"].as_array().unwrap().iter().map(|it| it["incidents"].as_u64().unwrap()).collect();
    assert_eq!(weeks, [2, 0, 0, 1]);
    let overdue: Vec<_> =
        found["actions_overdue"].as_array().unwrap().iter().map(|it| it["description"].as_str().unwrap()).collect();
    assert_eq!((overdue, &found["actions_open"]), (vec!["Rotate"], &json!(2)));
}

/// Proves which postmortems are due: by severity, by the end of the incident, and by the pages there are.
#[test]
fn postmortems_are_due() {
    let at = "2026-11-18T00:00:00.000Z";
    let frames = [("a", "SEV-2"), ("b", "SEV-3"), ("c", "SEV-3")].map(|(id, severity)| {
        let mut frame = frame(id, at, "COST_SPIKE", "v7");
        frame["alert"]["severity"] = severity.into();
        frame
    });
    let known = |pages: Option<&[&str]>| Beside {
        ended: [("c".to_owned(), UnixNanos::parse("2026-11-20T00:00:00Z").unwrap())].into(),
        pages: pages.map(|pages| pages.iter().map(|it| Checked::of(it, period().until)).collect()),
        ..Beside::default()
    };
    let due = |beside: &Beside| {
        let found = retro(&frames, period(), beside);
        let rows = found["postmortems_due"].as_array().unwrap().clone();
        let row = |it: &Json| format!("{} {} {}", it["incident"], it["state"], it["findings"]).replace('"', "");
        rows.iter().map(row).collect::<Vec<_>>()
    };
    // The draft of a SEV-2 two days after the alert; of a SEV-3 only the review, three days after its end.
    assert_eq!(due(&known(None)), ["a overdue null", "c due null"]);
    let open = "| Incident | `a` |\n## Timeline\n\n| | |\n|---|---|\n| now | X fires on it (incident c) |\n";
    let findings = Checked::of(open, period().until).findings.len();
    assert_eq!(due(&known(Some(&[open]))), [format!("a overdue {findings}"), format!("c due {findings}")]);
    let done = Checked { findings: Vec::new(), ..Checked::of(open, period().until) };
    assert_eq!(due(&Beside { pages: Some(vec![done]), ..known(None) }), [""; 0]);
}

/// Proves that a page and a chart are whole, also of nothing, and that what telemetry said is only text on them.
#[test]
fn pages_and_charts_are_whole() {
    let nothing = retro(&[], period(), &Beside::default());
    let page = markdown(&nothing);
    assert!(
        page.contains("0 incidents.")
            && page.matches("\n## ").count() == 11
            && page.contains("Nothing happened twice."),
        "{page}"
    );
    let hostile = "<script>|x";
    let frames = [
        frame("a", "2026-11-01T00:01:00.000Z", hostile, hostile),
        frame("b", "2026-11-02T00:00:00.000Z", hostile, hostile),
    ];
    let found = retro(&frames, period(), &Beside::default());
    let page = markdown(&found);
    assert!(page.contains("\\<script\\>\\|x") && page.contains("tell \\<it\\>"), "{page}");
    for chart in [svg(&nothing), svg(&found)] {
        assert!(chart.starts_with("<svg ") && chart.ends_with("</svg>\n") && !chart.contains("script"), "{chart}");
        assert_eq!(
            chart.matches("<rect").count(),
            chart.matches("</rect>").count() + chart.matches("fill=\"#fff\"").count() + 5,
            "{chart}"
        );
    }
}

/// Proves that a list that can't be read is refused with the reason.
#[test]
fn a_list_of_something_else_is_refused() {
    for text in ["{", "- {owner: SRE}", "- {description: x, due: soon}", "- {description: x, colour: red}"] {
        assert!(Action::list(text).is_err(), "{text}");
    }
    assert!(Action::list("[]").unwrap().is_empty());
}
