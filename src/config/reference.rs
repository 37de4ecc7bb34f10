//! What can be written and what is in effect, all walked off the one table of fields: `print-config`, the annotated
//! default file and the reference page.

use super::breakers::{BREAKER_FIELDS, BreakerDraft};
use super::fields::{Draft, FIELDS, Field};
use super::judges::{JUDGE_FIELDS, JudgeDraft};
use super::rules::{RULE_FIELDS, RuleDraft, RuleLists};
use super::slot::Shown;
use super::yaml::{self, Value};
use super::{Config, memory, units};
use crate::core::detect::{Direction, Relative, Rule};
use crate::core::dialect;

/// The configuration as YAML that loads back to it, secrets masked as `[REDACTED]`.
#[must_use]
pub fn effective(config: &Config) -> String {
    let mut draft = Draft::of(config);
    let mut page = Page::default();
    for field in FIELDS {
        if field.path == JUDGES_BEFORE {
            page.items("judges", config.judges.iter().map(|one| item(JUDGE_FIELDS, &mut JudgeDraft::of(one))));
        }
        page.field(field.path, &(field.slot)(&mut draft).show());
        if field.path == "rules.disabled" {
            page.items("rules.rules", config.rules.iter().map(|rule| item(RULE_FIELDS, &mut RuleDraft::of(rule))));
        }
        if field.path == "breakers.open_max" {
            let items = config.breakers.iter().map(|one| item(BREAKER_FIELDS, &mut BreakerDraft::of(one)));
            page.items("breakers.classes", items);
        }
    }
    page.text
}

/// The default configuration with every field explained; loads to the defaults.
#[must_use]
pub fn annotated() -> String {
    let mut draft = Draft { rules: RuleLists::built_in(), ..Draft::of(&Config::default()) };
    let mut page = Page { text: ANNOTATED_HEAD.to_owned(), ..Page::default() };
    for field in FIELDS {
        let slot = (field.slot)(&mut draft);
        if field.path == JUDGES_BEFORE {
            page.blank("judges");
            page.open("judges");
            page.comment("Models that judge answers; nothing is sent anywhere without one. See docs/judges.md.");
            page.comment("- {name: groundedness, endpoint: 'https://api.openai.com/v1', model: gpt-4o-mini,");
            page.comment("   api_key: '${env:OPENAI_API_KEY}', rubric: 'The answer is supported by the context.'}");
            page.field("judges", &Shown::List(Vec::new()));
        }
        page.blank(field.path);
        page.open(field.path);
        page.comment(&format!("{} Allowed: {}.", field.meaning, slot.allowed()));
        page.field(field.path, &slot.show());
        if field.path == "rules.disabled" {
            page.comment("Rules of your own, and changes to built-in ones; see docs/configuration.md for the fields.");
            page.comment(
                "- {name: MySlowAnswers, class: PERFORMANCE_DEGRADATION, severity: SEV-2, signal: latency_p95,",
            );
            page.comment("   direction: above, limit: {fixed: 8}, window: 5m, for: 1m, samples_min: 30}");
            page.field("rules.rules", &Shown::List(Vec::new()));
        }
        if field.path == "breakers.open_max" {
            page.comment("Changes to the breakers, one entry a class; see docs/configuration.md for the fields.");
            page.comment("- {class: QUALITY_DEGRADATION, mode: enforce, action: pin_model, model: gpt-5-2025-08-07}");
            page.field("breakers.classes", &Shown::List(Vec::new()));
        }
    }
    page.text
}

/// The reference page in Markdown.
#[must_use]
pub fn markdown() -> String {
    let config = Config::default();
    let mut draft = Draft { rules: RuleLists::built_in(), ..Draft::of(&config) };
    let mut rule = RuleDraft::default();
    let breaker = config.breakers.first().map(BreakerDraft::of);
    let mut text = format!("{MARKDOWN_HEAD}{}", field_table(FIELDS, &mut draft, true));
    text += MARKDOWN_RULES;
    text += &field_table(RULE_FIELDS, &mut rule, false);
    text += "\n### Built-in rules\n\n| name | class | severity | fires when | window | for | samples |\n|---|---|---|---|---|---|---|\n";
    for rule in &config.rules {
        text += &rule_row(rule);
    }
    text += MARKDOWN_KEYS;
    let names: Vec<String> = dialect::Field::ALL.iter().map(|field| format!("`{}`", field.as_str())).collect();
    text += &format!("{}.\n", names.join(", "));
    text += MARKDOWN_BREAKERS;
    text += &breaker.map(|mut breaker| field_table(BREAKER_FIELDS, &mut breaker, true)).unwrap_or_default();
    text += MARKDOWN_JUDGES;
    text += &field_table(JUDGE_FIELDS, &mut JudgeDraft::of(&super::Judge::default()), true);
    text + &memory_table(&config)
}

fn field_table<T>(fields: &[Field<T>], target: &mut T, defaults: bool) -> String {
    let mut text = String::from("\n| field | type | default | allowed | meaning |\n|---|---|---|---|---|\n");
    for field in fields {
        let slot = (field.slot)(target);
        let default = match slot.show() {
            _ if !defaults => String::new(),
            Shown::Unset => String::new(),
            Shown::Bare(value) | Shown::Text(value) => format!("`{value}`"),
            Shown::List(items) => format!("`[{}]`", items.join(", ")),
            Shown::Pairs(_) | Shown::Lists(_) => "`{}`".to_owned(),
            Shown::Maps(_) => "`[]`".to_owned(),
        };
        let row = [&format!("`{}`", field.path), slot.kind(), &default, &slot.allowed(), field.meaning].join(" | ");
        text += &format!("| {row} |\n");
    }
    text
}

fn rule_row(rule: &Rule) -> String {
    let draft = RuleDraft::of(rule);
    let side = if rule.direction == Direction::Above { "above" } else { "below" };
    let baseline = rule.limit.baseline.map(|bound| match bound {
        Relative::Factor(factor) => format!("baseline x {factor}"),
        Relative::Delta(delta) if delta < 0.0 => format!("baseline - {}", -delta),
        Relative::Delta(delta) => format!("baseline + {delta}"),
    });
    let slack = rule.limit.slack.map(|slack| format!("slack {slack}"));
    let burn_rate = rule.limit.burn_rate.map(|it| format!("burn rate {} of {}", it.factor, it.objective));
    let fixed = rule.limit.fixed.map(|fixed| fixed.to_string());
    let bounds: Vec<String> = [fixed, baseline, slack, burn_rate].into_iter().flatten().collect();
    let signal = super::slot::Word::chosen(&draft.signal).unwrap_or_default();
    format!(
        "| `{}` | {} | {} | `{signal}` {side} {} | {} | {} | {} |\n",
        rule.name,
        rule.class.as_str(),
        rule.severity.as_str(),
        bounds.join(" or "),
        units::show_duration(rule.window),
        units::show_duration(rule.hold),
        rule.samples_min,
    )
}

fn memory_table(config: &Config) -> String {
    let forwarding = Config { exporter: Some(super::Exporter::default()), ..config.clone() };
    let mut text = MARKDOWN_MEMORY.to_owned();
    let mut total = 0;
    for ((what, bytes), formula) in memory::worst_case(&forwarding).into_iter().zip(memory::FORMULAS) {
        total += bytes;
        text += &format!("| {what} | {formula} | {} MiB |\n", bytes.div_ceil(1 << 20));
    }
    let limit = units::show_size(config.memory_bytes_max);
    text + &format!("| **sum** | at most `memory.limit`, {limit} | {} MiB |\n", total.div_ceil(1 << 20))
}

/// A page of YAML being written.
#[derive(Default)]
struct Page {
    text: String,
    open: Vec<String>,
}

impl Page {
    /// Writes the section headers down to the field's own.
    fn open(&mut self, path: &str) {
        let sections: Vec<&str> = path.split('.').collect();
        let sections = &sections[..sections.len() - 1];
        let shared = self.open.iter().zip(sections).take_while(|(open, section)| open == *section).count();
        self.open.truncate(shared);
        for section in &sections[shared..] {
            self.text += &format!("{}{section}:\n", "  ".repeat(self.open.len()));
            self.open.push((*section).to_owned());
        }
    }

    /// An empty line before a new section of the document.
    fn blank(&mut self, path: &str) {
        if self.open.first().map(String::as_str) != path.split('.').next() {
            self.text.push('\n');
        }
    }

    fn comment(&mut self, text: &str) {
        self.text += &format!("{}# {text}\n", self.indent());
    }

    fn field(&mut self, path: &str, shown: &Shown) {
        self.open(path);
        let name = path.rsplit('.').next().unwrap_or(path);
        let indent = self.indent();
        self.text += &format!("{indent}{name}:");
        match shown {
            Shown::Unset => self.text += " null\n",
            Shown::Bare(value) => self.text += &format!(" {value}\n"),
            Shown::Text(value) => self.text += &format!(" {}\n", scalar(value)),
            Shown::List(items) if items.is_empty() => self.text += " []\n",
            Shown::Maps(items) if items.is_empty() => self.text += " []\n",
            Shown::Maps(items) => {
                self.text.push('\n');
                for item in items {
                    let pairs: Vec<String> =
                        item.iter().map(|(key, value)| format!("{key}: {}", scalar(value))).collect();
                    self.text += &format!("{indent}  - {{{}}}\n", pairs.join(", "));
                }
            }
            Shown::List(items) => {
                self.text.push('\n');
                for item in items {
                    self.text += &format!("{indent}  - {}\n", scalar(item));
                }
            }
            Shown::Pairs(pairs) if pairs.is_empty() => self.text += " {}\n",
            Shown::Pairs(pairs) => {
                self.text.push('\n');
                for (key, value) in pairs {
                    self.text += &format!("{indent}  {}: {}\n", key_scalar(key), scalar(value));
                }
            }
            Shown::Lists(lists) if lists.is_empty() => self.text += " {}\n",
            Shown::Lists(lists) => {
                self.text.push('\n');
                for (key, items) in lists {
                    let items: Vec<String> = items.iter().map(|item| scalar(item)).collect();
                    self.text += &format!("{indent}  {}: [{}]\n", key_scalar(key), items.join(", "));
                }
            }
        }
    }

    fn items(&mut self, path: &str, items: impl Iterator<Item = String>) {
        let items: Vec<String> = items.collect();
        self.field(path, &Shown::List(Vec::new()));
        if items.is_empty() {
            return;
        }
        self.text.truncate(self.text.len() - " []\n".len());
        self.text.push('\n');
        let indent = self.indent();
        for item in items {
            for (number, line) in item.lines().enumerate() {
                self.text += &format!("{indent}  {} {line}\n", if number == 0 { "-" } else { " " });
            }
        }
    }

    fn indent(&self) -> String {
        "  ".repeat(self.open.len())
    }
}

fn item<T>(fields: &[Field<T>], target: &mut T) -> String {
    let mut page = Page::default();
    for field in fields {
        page.field(field.path, &(field.slot)(target).show());
    }
    page.text
}

/// A string as a YAML scalar that survives expansion: plain where that reads back the same, else in double quotes.
fn scalar(text: &str) -> String {
    key_scalar(&text.replace('$', "$$"))
}

fn key_scalar(text: &str) -> String {
    let reads_back = |source: &str| yaml::parse(source).is_ok_and(|node| node.value == Value::Text(text.to_owned()));
    let plain =
        text.bytes().all(|byte| byte.is_ascii_graphic()) && !text.contains([',', '[', ']', '{', '}', '"', '\'', '#']);
    if plain && reads_back(text) { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

/// The field before which the judges stand.
const JUDGES_BEFORE: &str = "redaction.enabled";

const ANNOTATED_HEAD: &str = "\
# The default configuration of Freezeframe, every field explained. Generated; see docs/configuration.md.
# Everything is optional: an empty file means the same. ${env:VAR} and ${env:VAR:-default} are expanded in values.
";

const MARKDOWN_HEAD: &str = "\
# Configuration

Generated from the table of fields (`UPDATE=1 cargo test --test it config` rewrites it).

`freezeframe run --config FILE` reads YAML, or `--config env:VAR` the YAML in an environment variable. Everything is
optional. Unknown fields are errors. `freezeframe validate --config FILE` reports every error and warning in one run,
each with its place, what was found, what is allowed and a hint; `freezeframe print-config` prints what is in effect,
secrets masked.

- Durations are whole numbers with units, largest first: `250ms`, `30s`, `1h30m`. Sizes are `4MiB`, `512KiB`, `10MB` or
  bytes.
- `${env:VAR}` and `${env:VAR:-default}` are expanded in values, never in keys, after the YAML was parsed: a value can't add
  fields. A default also replaces an empty value. A variable that is not set and has no default is a warning and empty,
  as in the OpenTelemetry Collector. `$$` is one `$`.
- Empty and `null` both unset an optional field.

## Fields
";

const MARKDOWN_RULES: &str = "
`rules.rules`, `breakers.classes` and `judges` are lists; their entries have the fields below.

## Rules

An entry of `rules.rules` with the name of a built-in rule replaces it; fields left out keep the built-in's value, and
`null` takes a part of the limit out. Any other name is a rule of its own and needs class, severity, signal, direction and a
limit.

```yaml
rules:
  disabled: [LLMBlockSpike]
  rules:
    - name: MySlowAnswers
      class: PERFORMANCE_DEGRADATION
      severity: SEV-2
      signal: latency_p95
      direction: above
      limit: {fixed: 8, baseline_factor: 2}
      window: 5m
      for: 1m
      samples_min: 30
      features: [\"checkout-*\"]
      summary: Answers are slow.
```
";

const MARKDOWN_KEYS: &str = "
## Fields

What an SDK or the application calls by a name of its own is mapped in `fields`. The user's keys go before those of the
dialects ([dialects.md](dialects.md)), the first that is there counts.

```yaml
fields:
  index_version: [metadata.index_version, kb.snapshot]
  prompt_version: [acme.prompt.rev]
  session_id: [chat.id]
  route: [hidden_params.model_id]
```

`a.b.c` also means `b.c` inside the JSON text or map of `a`, and `c` inside that of `a.b`. `metadata.x` means `x` wherever
an SDK keeps what the application added: OpenInference's `metadata`, `langfuse.*.metadata.*`, `langsmith.metadata.*`,
`traceloop.association.properties.*`, `ai.telemetry.metadata.*`, `mlflow.traceTag.*`. The fields:
";

const MARKDOWN_BREAKERS: &str = "
## Breakers

Every class has a breaker ([breakers.md](breakers.md)). An entry of `breakers.classes` changes the one of its class, and
only in what it says; `breakers: [...]` is short for `breakers: {classes: [...]}`. The defaults are those of
`RETRIEVAL_OUTAGE`; the other classes' are in [breakers.md](breakers.md).

```yaml
breakers:
  open_max: 30%
  classes:
    - {class: PERFORMANCE_DEGRADATION, mode: enforce, action: disable_tool, tool: run_sql}
    - {class: QUALITY_DEGRADATION, mode: enforce, action: pin_model, model: gpt-5-2025-08-07, route: pinned}
```
";

const MARKDOWN_JUDGES: &str = "
## Judges

Models that judge a sample of production's answers ([judges.md](judges.md)). Without any nothing is sent anywhere. Changes
need a restart.

```yaml
judges:
  - name: groundedness
    endpoint: https://api.openai.com/v1
    model: gpt-4o-mini-2024-07-18
    api_key: ${env:OPENAI_API_KEY}
    rubric: |
      1 when every statement of the answer is supported by the context, 0 when any is not.
    threshold: 0.7
    features: [support]
    sample: {share: 0.01, failing: 0.5, per_value: 5}
```
";

const MARKDOWN_MEMORY: &str = "
## Memory

The worst case of everything that is held is a sum of the limits above; a configuration whose sum passes `memory.limit` is
refused. `features.max` counts three more, for `_all`, `_other` and `_drill`. With the defaults and forwarding on:

| part | worst case | defaults |
|---|---|---|
";
