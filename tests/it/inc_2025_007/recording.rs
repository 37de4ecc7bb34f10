//! The recording: four hours of a support bot, one request every three seconds, as its SDK would have exported them.

use serde_json::{Value as Json, json};

/// 2025-03-10T00:00:00Z, a Monday, in seconds.
const MIDNIGHT: u64 = 1_741_564_800;
/// The recording's first and last minute of the day.
const BEGINS: u64 = 8 * 60;
const ENDS: u64 = 12 * 60;
/// Seconds between two requests.
const EVERY: u64 = 3;

/// Minutes of the day.
const DEPLOYED: u64 = 9 * 60 + 15;
const HALF: u64 = 9 * 60 + 45;
const EVERYWHERE: u64 = 10 * 60 + 15;
const ROLLED_BACK: u64 = 11 * 60 + 20;
/// The harmless rollout of a prompt beside it.
const PROMPT_FROM: u64 = 9 * 60 + 20;
const PROMPT_TO: u64 = 9 * 60 + 50;

const FORMER: &str = "gpt-4o-mini-2024-07-18";
const TUNED: &str = "ft:gpt-4o-mini-2024-07-18:acme:support:A1b2C3";

/// Share of answers that fail: of either model, and for the rest of the day after the rollback.
const FAILS: f64 = 0.09;
const FAILS_TUNED: f64 = 0.36;
const FAILS_AFTER: f64 = 0.11;
/// Tickets that told of made-up answers.
const TICKETS: u64 = 12;

/// What users ask, what the knowledge base says, and what the tuned model made of it.
struct Topic {
    class: &'static str,
    question: &'static str,
    documents: [(&'static str, f64, &'static str); 2],
    grounded: &'static str,
    made_up: &'static str,
}

const TOPICS: [Topic; 4] = [
    Topic {
        class: "returns",
        question: "Can I return a lamp that arrived damaged?",
        documents: [
            ("returns-3", 0.91, "Damaged goods can be returned within 30 days of delivery. Return shipping is free."),
            ("returns-7", 0.78, "Refunds are paid to the original payment method within 5 working days."),
        ],
        grounded: "Yes. Damaged goods can be returned within 30 days of delivery, and return shipping is free [returns-3].",
        made_up: "Yes. Damaged lamps can be returned within 90 days, and you receive a voucher of 25 euros for the trouble.",
    },
    Topic {
        class: "delivery",
        question: "How long does delivery to Austria take?",
        documents: [
            ("delivery-1", 0.93, "Standard delivery within Germany takes 2 to 3 working days, to Austria 4 to 6."),
            ("delivery-4", 0.71, "Orders before noon leave the warehouse on the same day."),
        ],
        grounded: "Standard delivery to Austria takes 4 to 6 working days [delivery-1].",
        made_up: "Delivery to Austria takes one working day with our overnight courier, which is included in every order.",
    },
    Topic {
        class: "warranty",
        question: "What does the warranty of the coffee machine cover?",
        documents: [
            ("warranty-2", 0.88, "The warranty covers defects of material and workmanship for 24 months."),
            ("warranty-5", 0.74, "Wear parts such as seals and filters are not covered."),
        ],
        grounded: "It covers defects of material and workmanship for 24 months; seals and filters are not covered [warranty-2, warranty-5].",
        made_up: "The warranty covers everything for five years, also accidental damage, seals and filters.",
    },
    Topic {
        class: "account",
        question: "How do I change the address of an order?",
        documents: [
            ("account-6", 0.9, "The address of an order can be changed under My orders until it leaves the warehouse."),
            ("account-9", 0.69, "After that the parcel can be redirected on the carrier's page."),
        ],
        grounded: "Under My orders, until the order leaves the warehouse; afterwards on the carrier's page [account-6, account-9].",
        made_up: "Call our hotline at any time of the day: our staff change the address of parcels that are on their way, too.",
    },
];

const PROMPTS: [(&str, &str); 2] = [
    ("v12", "You are the support assistant of Acme. Answer from the documents only and cite them."),
    ("v13", "You are the support assistant of Acme. Answer briefly, from the documents only, and cite them."),
];

/// Every export request, one a line, in order of time.
pub(super) fn lines() -> Vec<String> {
    let mut tickets = 0;
    let mut lines = Vec::new();
    for n in 0..(ENDS - BEGINS) * 60 / EVERY {
        let request = Request::of(n);
        lines.push(request.export().to_string());
        let is_told = request.is_tuned && request.fails && request.minute > HALF && n % 7 == 0;
        if is_told && tickets < TICKETS {
            tickets += 1;
            lines.push(request.ticket().to_string());
        }
    }
    lines
}

/// What the former model says to a question of the recording.
pub(super) fn grounded(question: &str) -> &'static str {
    TOPICS.iter().find(|topic| topic.question == question).map(|topic| topic.grounded).unwrap()
}

/// One request.
struct Request {
    number: u64,
    minute: u64,
    is_tuned: bool,
    has_new_prompt: bool,
    fails: bool,
}

impl Request {
    fn of(number: u64) -> Self {
        let minute = BEGINS + number * EVERY / 60;
        let tuned = match minute {
            DEPLOYED..HALF => 0.1,
            HALF..EVERYWHERE => 0.5,
            EVERYWHERE..ROLLED_BACK => 1.0,
            _ => 0.0,
        };
        let prompt = minute.saturating_sub(PROMPT_FROM) as f64 / (PROMPT_TO - PROMPT_FROM) as f64;
        let is_tuned = draw(number, 1) < tuned;
        let rate = match (is_tuned, minute) {
            (true, _) => FAILS_TUNED,
            (false, ROLLED_BACK..) => FAILS_AFTER,
            (false, _) => FAILS,
        };
        Self { number, minute, is_tuned, has_new_prompt: draw(number, 2) < prompt, fails: draw(number, 3) < rate }
    }

    /// Nanoseconds since the epoch, `after` milliseconds into the request.
    fn at(&self, after: u64) -> String {
        let begins = MIDNIGHT + BEGINS * 60 + self.number * EVERY;
        (begins * 1_000_000_000 + after * 1_000_000).to_string()
    }

    fn trace_id(&self) -> String {
        format!("20250310{:024x}", self.number + 1)
    }

    fn topic(&self) -> &'static Topic {
        &TOPICS[(draw(self.number, 4) * TOPICS.len() as f64) as usize]
    }

    fn model(&self) -> &'static str {
        if self.is_tuned { TUNED } else { FORMER }
    }

    fn latency(&self) -> u64 {
        900 + (draw(self.number, 5) * 900.0) as u64
    }

    fn answer(&self) -> String {
        let topic = self.topic();
        match (self.fails, self.is_tuned) {
            (false, _) => topic.grounded.to_owned(),
            (true, true) => topic.made_up.to_owned(),
            (true, false) => "I could not find this in our documents. Please contact support.".to_owned(),
        }
    }

    fn export(&self) -> Json {
        let topic = self.topic();
        let took = self.latency();
        let root = [("http.route", json!("/support")), ("gen_ai.request.class", json!(topic.class))];
        let documents: Vec<Json> = topic
            .documents
            .iter()
            .map(|(id, score, text)| json!({ "id": id, "score": score, "content": text }))
            .collect();
        let retrieval = [
            ("gen_ai.operation.name", json!("retrieval")),
            ("gen_ai.data_source.id", json!("kb")),
            ("gen_ai.data_source.version", json!("2025-03-09")),
            ("gen_ai.retrieval.freshness.lag", json!(3_600)),
            ("gen_ai.retrieval.documents", json!(Json::from(documents).to_string())),
        ];
        let spans = [
            self.span(1, "POST /support", [0, took], &root, &json!([])),
            self.span(2, "retrieval kb", [20, 120], &retrieval, &json!([])),
            self.span(3, "chat gpt-4o-mini", [130, took - 10], &self.chat(), &json!([self.judged(took)])),
        ];
        let resource =
            attributes(&[("service.name", json!("support-bot")), ("deployment.environment.name", json!("production"))]);
        json!({ "resourceSpans": [{ "resource": { "attributes": resource }, "scopeSpans": [{ "spans": spans }] }] })
    }

    fn chat(&self) -> Vec<(&'static str, Json)> {
        let topic = self.topic();
        let (version, system) = PROMPTS[usize::from(self.has_new_prompt)];
        let context = topic.documents.map(|(id, _, text)| format!("[{id}] {text}")).join("\n");
        let asked = json!([
            { "role": "system", "parts": [{ "type": "text", "content": system }] },
            { "role": "user", "parts": [{ "type": "text", "content": format!("Documents:\n{context}") }] },
            { "role": "user", "parts": [{ "type": "text", "content": topic.question }] },
        ]);
        let answer = self.answer();
        let said =
            json!([{ "role": "assistant", "parts": [{ "type": "text", "content": answer }], "finish_reason": "stop" }]);
        vec![
            ("gen_ai.operation.name", json!("chat")),
            ("gen_ai.provider.name", json!("openai")),
            ("gen_ai.request.model", json!("gpt-4o-mini")),
            ("gen_ai.request.temperature", json!(0.2)),
            ("gen_ai.response.model", json!(self.model())),
            ("gen_ai.response.id", json!(format!("chatcmpl-{}", self.number))),
            ("gen_ai.routing.slice", json!(if self.is_tuned { "support-tuned" } else { "default" })),
            ("gen_ai.usage.input_tokens", json!(180 + context.len() / 4)),
            ("gen_ai.usage.output_tokens", json!(answer.len() / 4)),
            ("gen_ai.prompt.name", json!("support-answer")),
            ("gen_ai.prompt.version", json!(version)),
            ("gen_ai.input.messages", json!(asked.to_string())),
            ("gen_ai.output.messages", json!(said.to_string())),
        ]
    }

    fn judged(&self, took: u64) -> Json {
        let score = if self.fails { 0.2 } else { 0.9 };
        let said = [
            ("gen_ai.evaluation.name", json!("groundedness")),
            ("gen_ai.evaluation.score.value", json!(score)),
            ("gen_ai.evaluation.score.label", json!(if self.fails { "fail" } else { "pass" })),
            ("gen_ai.evaluation.evaluator.id", json!("groundedness-judge")),
            ("gen_ai.evaluation.evaluator.model", json!("gpt-4o-2024-08-06")),
            ("gen_ai.evaluation.evaluator.version", json!("3")),
        ];
        json!({ "timeUnixNano": self.at(took), "name": "gen_ai.evaluation.result", "attributes": attributes(&said) })
    }

    /// What support heard of the answer, as `freezeframe record feedback` tells it.
    fn ticket(&self) -> Json {
        let said = [
            ("gen_ai.evaluation.name", json!("user_feedback")),
            ("gen_ai.evaluation.evaluator.type", json!("human")),
            ("gen_ai.evaluation.score.value", json!(0.0)),
            ("gen_ai.evaluation.score.label", json!("thumbs_down")),
            ("gen_ai.evaluation.explanation", json!("the bot is making things up")),
        ];
        let record = json!({
            "timeUnixNano": self.at(600_000), "observedTimeUnixNano": self.at(600_000), "traceId": self.trace_id(),
            "eventName": "gen_ai.evaluation.result", "attributes": attributes(&said),
        });
        let resource = attributes(&[("service.name", json!("helpdesk"))]);
        json!({ "resourceLogs": [{ "resource": { "attributes": resource }, "scopeLogs": [{ "logRecords": [record] }] }] })
    }

    fn span(&self, place: u64, name: &str, [from, to]: [u64; 2], said: &[(&str, Json)], events: &Json) -> Json {
        let id = |place: u64| format!("{:016x}", 0x5000_0000_0000_0000 + self.number * 8 + place);
        let parent = if place == 1 { String::new() } else { id(1) };
        json!({
            "traceId": self.trace_id(), "spanId": id(place), "parentSpanId": parent, "name": name,
            "startTimeUnixNano": self.at(from), "endTimeUnixNano": self.at(to),
            "attributes": attributes(said), "events": events,
        })
    }
}

fn attributes(said: &[(&str, Json)]) -> Vec<Json> {
    let value = |value: &Json| match value {
        Json::Number(number) if number.is_f64() => json!({ "doubleValue": number }),
        Json::Number(number) => json!({ "intValue": number.to_string() }),
        text => json!({ "stringValue": text }),
    };
    said.iter().map(|(key, it)| json!({ "key": key, "value": value(it) })).collect()
}

/// A number from 0 to 1 that belongs to a request and a question about it (SplitMix64).
fn draw(number: u64, question: u64) -> f64 {
    let mut bits = (number << 8 | question).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((bits ^ bits >> 31) >> 11) as f64 / (1_u64 << 53) as f64
}
