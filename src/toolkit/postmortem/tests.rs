use serde_json::json;

use super::*;
use crate::core::time::UnixNanos;

/// What is left of a line without its escaped characters.
fn without_escaped(line: &str) -> String {
    let mut chars = line.chars();
    std::iter::from_fn(|| {
        loop {
            match chars.next()? {
                '\\' => drop(chars.next()),
                it => return Some(it),
            }
        }
    })
    .collect()
}

const HOSTILE: &str = "a|b` <img src=x> [x](https://x)\n# h\u{1b}[2J\u{202e}=1+1 {{ 7*7 }}";

fn hostile() -> Json {
    json!({
        "id": HOSTILE, "origin": HOSTILE, "seq": 1, "feature": HOSTILE, "captured_at": "2026-11-22T02:19:00.000Z",
        "windows": { "incident": { "from": "2026-11-22T02:17:00.000Z", "to": HOSTILE, "requests": 9 } },
        "alert": {
            "name": HOSTILE, "class": "QUALITY_DEGRADATION", "severity": "SEV-1", "signal": "quality", "value": 0.5,
            "patterns": ["judge_induced_false_negative", "retrieval_staleness", HOSTILE],
        },
        "verdict": { "answer": "one", "evidence": HOSTILE, "variables": ["prompt_revision"], "value": HOSTILE },
        "suspects": [{ "variable": HOSTILE, "value": HOSTILE, "verdict": HOSTILE, "incident_share": 0.5 }],
        "breakers": { HOSTILE: HOSTILE },
        "changes": [{ "at": "2026-11-22T02:16:00.000Z", "change": "first_seen", "variable": HOSTILE, "value": HOSTILE, "share_before": 0, "share_after": 1 }],
        "completeness_gaps": [{ "field": HOSTILE, "remedy": HOSTILE }],
        "variables": {
            HOSTILE: { "state": "missing", "reason": HOSTILE, "incident": [{ "value": HOSTILE, "share": 1.0 }] },
            "prompt_revision": { "state": "captured", "detail": {
                "diff": "```\n</pre>\u{1b}[2J\n",
                "dimensions": { HOSTILE: [
                    { "value": HOSTILE, "incident": { "requests": 4, "failing": 1 }, "baseline": { "requests": 0 } },
                    { "value": null, "incident": {}, "baseline": {} },
                ] },
            } },
            "model_route": { "detail": { "incident": { "calls": [{
                "provider": HOSTILE, "requested": HOSTILE, "served": HOSTILE, "route": HOSTILE, "temperature": 0.1, "top_p": null, "max_tokens": null,
            }] } } },
            "judge": { "detail": { "incident": { "judges": [{ "metric": HOSTILE, "calibrated_at": HOSTILE }] }, "signed_off": [{ "release": HOSTILE, "name": HOSTILE }] } },
            "tool_schemas": { "detail": { "schema_diff": [{ "tool": HOSTILE, "at": HOSTILE, "change": HOSTILE }] } },
        },
        "samples": { "failing": [{
            "trace_id": HOSTILE, "user_query": HOSTILE, "response": HOSTILE, "diagnosis": { "line": HOSTILE },
            "error": { "type": HOSTILE }, "evaluations": [{ "metric": HOSTILE, "passed": false }],
        }] },
    })
}

/// Proves that what telemetry says is shown and not obeyed, wherever it stands, in either edition.
#[test]
fn telemetry_is_only_text() {
    let frame = hostile();
    for edition in [Edition::Internal, Edition::External, Edition::Frame] {
        let page = render(&frame, &timeline(&frame, None, Vec::new()), edition);
        let page = match page.split_once("\n````diff\n") {
            Some((before, rest)) => {
                let (diff, after) = rest.split_once("\n````\n").unwrap();
                assert_eq!(diff, "```\n</pre>\u{241b}[2J");
                format!("{before}\n{after}")
            }
            None => page,
        };
        assert!(!page.contains("49"), "{page}");
        for line in page.lines() {
            let line = without_escaped(line);
            // Between backticks nothing is markup.
            let is_code = line.contains("`a");
            assert!(is_code || line.starts_with('#') || !line.contains("# "), "{line}");
            assert!(is_code || !line.contains('<') && !line.contains("://"), "{line}");
            assert!(!line.contains('\u{1b}'), "{line}");
        }
        let mut columns = None;
        for line in page.lines() {
            let bars = without_escaped(line).matches('|').count();
            let expected =
                if line.starts_with('|') { *columns.get_or_insert(bars) } else { columns.take().map_or(0, |_| 0) };
            assert!(bars == expected || line.contains("`a"), "{line}");
        }
    }
}

/// Proves that a page is whole whatever a frame lacks: no section is empty, nothing is made up.
#[test]
fn a_frame_that_lacks_everything_makes_a_page() {
    for edition in [Edition::Internal, Edition::External, Edition::Frame] {
        for frame in [json!({}), json!({ "samples": {}, "alert": { "class": "COST_SPIKE" }, "variables": null })] {
            let page = render(&frame, &timeline(&frame, None, Vec::new()), edition);
            assert!(page.starts_with("# ") && page.matches("\n## ").count() >= 4, "{page}");
            assert!(!page.contains("null") && !page.contains("undefined"), "{page}");
        }
    }
}

/// Proves what the template of a team can say, and that a mistake in it is named.
#[test]
fn a_template_of_ones_own() {
    let facts = facts(&hostile(), &[]);
    assert_eq!(
        render_with("{{ incident.severity }}: {{ actions|length > 4 }}", &facts, &Answers::default()).unwrap(),
        "SEV-1: True"
    );
    for mistake in ["{{ incident.sevrity }}", "{% for %}", "{{ nobody() }}"] {
        assert!(render_with(mistake, &facts, &Answers::default()).is_err(), "{mistake}");
    }
}

/// Proves that a page as it comes has questions left and nothing else to object to, and that each objection is found.
#[test]
fn the_reviewer_objects() {
    let mut frame = hostile();
    frame["alert"]["name"] = "LLMQualityDegradation".into();
    let others: Vec<Entry> =
        (0..8).map(|n| Entry { at: format!("2026-11-22T02:18:0{n}.000Z"), line: "again".into() }).collect();
    let page = render(&frame, &timeline(&frame, None, others), Edition::Internal);
    let soon = UnixNanos::parse("2026-11-23T02:19:00.000Z").unwrap();
    let rules = |page: &str, now| -> Vec<&str> {
        let mut rules: Vec<&str> = check(page, now).iter().map(|it| it.rule).collect();
        rules.dedup();
        rules
    };
    assert_eq!(rules(&page, soon), ["question_open"]);
    let late = UnixNanos::parse("2026-11-25T02:19:01.000Z").unwrap();
    assert_eq!(rules(&page, late), ["question_open", "overdue"]);
    let answered = page.replace("**Question:**", "Answered:");
    assert_eq!(check(&answered, late), []);
    assert_eq!(check(&answered.replace("again", "The Platform Engineer rolled it back"), soon), []);
    for (from, to, rule) in [
        ("## Summary", "## Abstract", "section_missing"),
        ("| ML Engineer |", "| Jane Roe |", "person_named"),
        ("| ML Engineer |", "|  |", "owner_missing"),
        ("| P1 |", "| TBD |", "priority_missing"),
        ("regression", "other", "eval_case_missing"),
        ("again", "@jane pushed it", "person_named"),
        ("again", "This was human error", "blame"),
        ("again", "John Doe deployed v41", "person_named"),
        ("## Timeline", "## Timeline\n\n## Also", "timeline_short"),
        ("## Prevention: action items", "## Prevention: action items\n\n## Also", "actions_few"),
    ] {
        let page = answered.replace(from, to);
        assert!(check(&page, soon).iter().any(|it| it.rule == rule), "{rule}: {:?}", check(&page, soon));
    }
}

/// Proves that an answer stands where its question was, escaped and marked, that an empty one leaves it open, and that what
/// nobody asked and what is no time are mistakes.
#[test]
fn answers_stand_where_questions_were() {
    let facts = facts(&hostile(), &[]);
    let template = Edition::Internal.template();
    let asked = questions_in(template, &facts).unwrap();
    let (who, how) = ("Who writes this, by role?", "How was it resolved, in one sentence?");
    assert!(asked.iter().any(|it| it == who) && asked.iter().any(|it| it == how), "{asked:?}");
    let told = format!(
        "answers: {{ {who:?}: '**SRE** <b>', {how:?}: ' ' }}\ntimeline: [{{ at: 2026-11-22T03:00:00+01:00, line: x }}]"
    );
    let answers = Answers::parse(&told).unwrap();
    answers.check(&asked).unwrap();
    assert_eq!(answers.timeline, [Entry { at: "2026-11-22T02:00:00.000Z".into(), line: "x (told)".into() }]);
    let page = render_with(template, &facts, &answers).unwrap();
    assert!(page.contains(r"| Author | \*\*SRE\*\* \<b\> *(told)* |"), "{page}");
    assert!(!page.contains(who) && page.contains(&format!("**Question:** {how}")), "{page}");

    let empty = Answers::parse(&Answers::skeleton(&asked)).unwrap();
    empty.check(&asked).unwrap();
    let open = render_with(template, &facts, &Answers::default()).unwrap();
    assert_eq!(render_with(template, &facts, &empty).unwrap(), open);
    let moved_on = Answers::parse("answers: { 'Whose fault?': '' }").unwrap();
    moved_on.check(&asked).unwrap();
    let unasked = Answers::parse("answers: { 'Whose fault?': nobody }").unwrap();
    assert!(unasked.check(&asked).unwrap_err().to_string().contains(who));
    for mistake in ["timeline: [{ at: yesterday, line: x }]", "answer: {}", "- 1"] {
        assert!(Answers::parse(mistake).is_err(), "{mistake}");
    }
}

/// Proves that what people tell of the end or of breakers stands in the timeline and is no evidence.
#[test]
fn what_is_told_is_not_measured() {
    let at = "2026-11-22T04:00:00.000Z";
    let told = |line: &str| Entry { at: at.into(), line: format!("{line} (told)") };
    let lines = [told("The alert resolves, we thought"), told("Breaker was opened by hand")];
    let of = |timeline: &[Entry]| facts(&hostile(), timeline)["incident"]["resolved"].clone();
    assert_eq!(of(&lines), Json::Null);
    assert_eq!(facts(&hostile(), &lines)["mitigation"]["actions"], json!([]));
    assert_eq!(of(&[Entry::resolves(at.into())]), at);
}

/// Proves when what is due, and that a page says so again to whoever reads its header.
#[test]
fn deadlines_stand_in_the_header() {
    use crate::core::incident::Severity;

    let at = |text: &str| UnixNanos::parse(text);
    let (fired, ended) = (at("2026-11-22T02:19:00Z"), at("2026-11-22T04:00:00Z"));
    let named =
        |severity, ended| Deadlines::of(severity, fired, ended).each().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(named(Some(Severity::Sev1), ended), ["draft", "review"]);
    assert_eq!(named(Some(Severity::Sev2), None), ["draft"]);
    assert_eq!(named(Some(Severity::Sev3), ended), ["review"]);
    assert_eq!(named(None, None), [""; 0]);

    let mut frame = hostile();
    (frame["id"], frame["feature"]) = ("0192-id".into(), "/support".into());
    let others = vec![
        Entry {
            at: "2026-11-22T02:18:30.000Z".into(),
            line: "LLMOther fires on the whole service (incident 0192-b)".into(),
        },
        Entry::resolves("2026-11-22T04:00:00.000Z".into()),
    ];
    let page = render(&frame, &timeline(&frame, None, others), Edition::Internal);
    let now = at("2026-11-24T02:19:01Z").unwrap();
    let checked = Checked::of(&page, now);
    assert_eq!((&*checked.header.incident, &*checked.header.feature), ("0192-id", "/support"));
    let due: Vec<_> = checked.header.due.iter().map(|it| (&*it.name, Some(it.at))).collect();
    assert_eq!(due, [("draft", at("2026-11-24T02:19:00Z")), ("review", at("2026-11-25T04:00:00Z"))]);
    assert_eq!(checked.incidents, ["0192-id", "0192-b"]);
    let overdue: Vec<_> = checked.findings.iter().filter(|it| it.rule == "overdue").map(|it| &*it.text).collect();
    assert_eq!(overdue, ["the draft was due 2026-11-24 02:19:00 UTC, and this page is not done"]);
    // As pages wrote it before.
    let older =
        Header::of("| Draft due | 2026-11-24T02:19:00.000Z |\n## Summary\n| Review due | 2026-11-24T02:19:00Z |");
    assert_eq!(older.due.len(), 1);
}

/// Proves that every rule that a page can break is among those that metrics are written of.
#[test]
fn rules_are_a_closed_list() {
    let late = UnixNanos::parse("2030-01-01T00:00:00Z").unwrap();
    let page = "| Draft due | 2026-11-24T02:19:00Z |\n## Action items\n| Action | Owner | Priority | Due |\n|---|---|---|---|\n| **Question:** x | | | |\n| y | Jane Roe | P1 | now |\nHuman error.\n";
    let mut found: Vec<&str> = check(page, late).iter().map(|it| it.rule).collect();
    found.sort_unstable();
    found.dedup();
    let mut rules = RULES;
    rules.sort_unstable();
    assert_eq!(found, rules);
}
