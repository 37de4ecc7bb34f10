//! promptfoo: a configuration that `promptfoo eval -c FILE` runs as it is. Recorded texts are data there: whatever a
//! template or a loader of files would act on is spelled out.

use serde_json::{Value as Json, json};

use super::{Case, Check, Options};

/// The recorded request again, as chat messages.
const PROMPT: &str = "[{% if system_prompt %}{\"role\":\"system\",\"content\":{{ system_prompt | dump }}},{% endif %}\
{% if context %}{\"role\":\"system\",\"content\":{{ (\"Context:\\n\" + context) | dump }}},{% endif %}\
{\"role\":\"user\",\"content\":{{ user_query | dump }}}]";

pub(super) fn render(cases: &[Case], options: &Options<'_>) -> Result<Json, String> {
    let model = || {
        let recorded =
            cases.iter().find_map(|it| it.record["model_requested"].as_str().or(it.record["model"].as_str()));
        recorded.map(|model| format!("openai:chat:{}", literal(model)))
    };
    let provider = options.provider.map(str::to_owned).or_else(model);
    let provider = provider.ok_or("the samples name no model to ask: say --provider, such as openai:chat:gpt-4o")?;
    Ok(json!({
        "description": format!("Regression cases of incident {}", literal(cases.first().map_or("", Case::incident))),
        "prompts": [{ "label": "recorded", "raw": PROMPT }],
        "providers": [provider],
        "defaultTest": { "options": { "provider": provider } },
        "tests": cases.iter().map(test).collect::<Vec<_>>(),
    }))
}

fn test(case: &Case) -> Json {
    json!({
        "description": literal(&case.name()),
        "vars": {
            "system_prompt": literal(case.text("system_prompt")),
            "context": literal(&case.context().join("\n\n")),
            "user_query": literal(case.text("user_query")),
        },
        "assert": case.checks.iter().map(|it| assertion(it, case)).collect::<Vec<_>>(),
        "metadata": spelled(case.metadata()),
    })
}

fn assertion(check: &Check, case: &Case) -> Json {
    match check {
        Check::Answers => json!({ "type": "javascript", "value": "output.length > 0" }),
        Check::Ends => json!({ "type": "finish-reason", "value": "stop" }),
        Check::DoesNotRefuse => json!({ "type": "not-is-refusal" }),
        // A cached answer has no latency.
        Check::Within(ms) => json!({ "type": "latency", "threshold": ms }),
        Check::Rubric(text) => {
            let context = case.context().join("\n\n");
            let recorded = if context.is_empty() { String::new() } else { format!("\n\nRecorded context:\n{context}") };
            json!({ "type": "llm-rubric", "value": literal(&format!("{text}{recorded}")) })
        }
    }
}

/// A text that promptfoo renders to itself: nothing in it opens a template or names a file to load.
fn literal(text: &str) -> String {
    let mut spelled = String::with_capacity(text.len());
    let loads = ["file://", "package:"].iter().any(|it| text.trim_start().starts_with(it));
    let mut chars = text.chars().peekable();
    let mut is_first = loads;
    while let Some(it) = chars.next() {
        let opens = it == '{' && matches!(chars.peek(), Some('{' | '%' | '#'));
        // Nunjucks refuses the end of a comment that did not begin.
        let closes = it == '#' && chars.peek() == Some(&'}');
        if opens || closes || (is_first && !it.is_whitespace()) {
            spelled.push_str("{{ \"");
            spelled.push(it);
            spelled.push_str("\" }}");
            is_first = false;
        } else {
            spelled.push(it);
        }
    }
    spelled
}

fn spelled(value: Json) -> Json {
    match value {
        Json::String(text) => Json::String(literal(&text)),
        Json::Array(items) => items.into_iter().map(spelled).collect(),
        Json::Object(fields) => fields.into_iter().map(|(name, value)| (name, spelled(value))).collect(),
        other => other,
    }
}
