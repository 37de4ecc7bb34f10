//! One replay after the other, or several at once: rounds with tools, budget, repetitions, verdicts, the record.

use std::sync::{Mutex, PoisonError};

use serde_json::{Value as Json, json};

use crate::chat::Endpoint;
use crate::config;
use crate::core::request::{Failure, ModelCall, Request};
use crate::core::trace_record;
use crate::engine::{Pricing, clock};
use crate::toolkit::diagnosis::Standards;
use crate::toolkit::judge;
use crate::toolkit::replay::{
    Asked, Budget, Comparison, Evaluator, Lacking, Overrides, Plan, Repeated, Reply, Took, estimate, replayed,
    simulated,
};

/// Calls of one conversation at most: each but the last asked for tools.
const ROUNDS_MAX: usize = 6;

/// What all replays of a command share.
pub(super) struct Session {
    /// Where the model is asked; `None` to simulate.
    pub(super) endpoint: Option<Endpoint>,
    pub(super) overrides: Overrides,
    pub(super) evaluators: Vec<Evaluator>,
    pub(super) judge_model: Option<String>,
    pub(super) repeat: u32,
    pub(super) budget: Mutex<Budget>,
    pub(super) pricing: Mutex<Pricing>,
    /// What requests are diagnosed by, then and now.
    pub(super) standards: Standards,
}

/// A conversation: what was said last, how long it took, how many calls it was.
struct Conversation {
    reply: Result<Reply, Failure>,
    took: Took,
    rounds: usize,
}

impl Session {
    /// The record of a replayed request, or what the recording lacks.
    pub(super) async fn replay(&self, original: &Request) -> Result<Json, Lacking> {
        let plan = Plan::of(original, &self.overrides, self.endpoint.as_ref().is_some_and(Endpoint::is_streamed))?;
        let (mut first, mut repeated) = (None, Repeated::default());
        for _ in 0..self.repeat {
            let record = self.once(original, &plan).await;
            let [_, passes] = Comparison { records: [&record, &record] }.passes();
            *(if passes { &mut repeated.passed } else { &mut repeated.failed }) += 1;
            first.get_or_insert(record);
        }
        let mut record = first.unwrap_or_default();
        if self.repeat > 1 {
            record["replay"]["repeated"] = repeated.to_json();
        }
        Ok(record)
    }

    /// The record as it was, with the verdicts of the same evaluators, so that both are held against the same.
    pub(super) async fn recorded(&self, original: &Request) -> Json {
        let mut request = original.clone();
        if !self.evaluators.is_empty() {
            request.evaluations = self.evaluations(original).await;
        }
        self.price(&mut request);
        trace_record::diagnosed(&request, &self.standards.diagnose(&request))
    }

    /// What the first call of a request would send, and what that is estimated to cost, billionths of a US dollar.
    pub(super) fn planned(&self, original: &Request) -> Result<(Plan, ModelCall), Lacking> {
        let plan = Plan::of(original, &self.overrides, self.endpoint.as_ref().is_some_and(Endpoint::is_streamed))?;
        let mut call = estimate(&plan.body, provider(original));
        call.cost_nano_usd = self.cost(&call);
        Ok((plan, call))
    }

    async fn once(&self, original: &Request, plan: &Plan) -> Json {
        let at = clock::now();
        let Conversation { reply, took, rounds } = match &self.endpoint {
            Some(endpoint) => self.converse(endpoint, original, plan).await,
            None => {
                let (reply, took) = simulated(original, &self.overrides);
                Conversation { reply: Ok(reply), took, rounds: 0 }
            }
        };
        let mut request = replayed(original, &self.overrides, reply.as_ref(), took, at);
        self.price(&mut request);
        if reply.is_ok() {
            request.evaluations = self.evaluations(&request).await;
        }
        let said = reply.as_ref().ok();
        let mut record = trace_record::diagnosed(&request, &self.standards.diagnose(&request));
        record["replay"] = json!({
            "of": original.trace_id.to_string(),
            "simulated": self.endpoint.is_none(),
            "endpoint": self.endpoint.as_ref().map(Endpoint::host),
            "overrides": self.overrides.to_json(),
            "calls": rounds,
            "retries": took.retries,
            "system_fingerprint": said.and_then(|it| it.fingerprint.as_deref()),
            "service_tier": said.and_then(|it| it.service_tier.as_deref()),
            "notes": plan.notes,
        });
        record
    }

    /// Asks until the model says something else than that it wants a tool. Tools are not run: what they gave then is given
    /// again; one that gave nothing then ends it.
    async fn converse(&self, endpoint: &Endpoint, original: &Request, plan: &Plan) -> Conversation {
        let (mut body, mut took, mut tokens) = (plan.body.clone(), Took::default(), [None, None]);
        let mut results = plan.results.clone();
        for round in 1..=ROUNDS_MAX {
            let (reply, more) = match self.paid(endpoint, &body, provider(original), endpoint.is_streamed()).await {
                Ok(answered) => answered,
                Err(failure) => return Conversation { reply: Err(failure), took, rounds: round },
            };
            took.whole += more.whole;
            took.retries += more.retries;
            took.first_token = took.first_token.or(more.first_token.filter(|_| round == 1));
            for (sum, part) in tokens.iter_mut().zip([reply.input_tokens, reply.output_tokens]) {
                *sum = part.map(|part| sum.unwrap_or_default() + part).or(*sum);
            }
            if reply.tools.is_empty() {
                let [input_tokens, output_tokens] = tokens;
                return Conversation { reply: Ok(Reply { input_tokens, output_tokens, ..reply }), took, rounds: round };
            }
            if let Err(failure) = fed_back(&mut body, &reply.tools, &mut results) {
                return Conversation { reply: Err(failure), took, rounds: round };
            }
        }
        let message = format!("the model asked for tools {ROUNDS_MAX} times and gave no answer");
        Conversation { reply: Err(failed("tool_loop", message)), took, rounds: ROUNDS_MAX }
    }

    /// One call, within the budget.
    async fn paid(
        &self,
        endpoint: &Endpoint,
        body: &Json,
        provider: Option<&str>,
        is_streamed: bool,
    ) -> Result<(Reply, Took), Failure> {
        let estimated = self.cost(&estimate(body, provider));
        let reserved = self.budget().reserve(estimated).map_err(|why| failed("budget", why))?;
        let answered = endpoint.ask(body, is_streamed).await;
        let paid = match &answered {
            Ok((reply, _)) => self.cost(&ModelCall {
                provider: provider.map(Into::into),
                model_requested: body["model"].as_str().map(Into::into),
                model_served: reply.model.as_deref().map(Into::into),
                input_tokens: reply.input_tokens,
                output_tokens: reply.output_tokens,
                cached_input_tokens: reply.cached_tokens,
                ..ModelCall::default()
            }),
            Err(_) => Some(0),
        };
        self.budget().settle(reserved, paid);
        answered
    }

    async fn evaluations(&self, request: &Request) -> Vec<crate::core::request::Evaluation> {
        let mut evaluations = Vec::new();
        for evaluator in &self.evaluators {
            match (evaluator, &self.endpoint, &self.judge_model) {
                (Evaluator::Rubric(rubric), Some(endpoint), Some(model)) => {
                    let (name, model, rubric) = ("replay".to_owned(), model.clone(), rubric.clone());
                    let judge = config::Judge { name, model, rubric, ..config::Judge::default() };
                    let body = judge::body(&judge, &judge::Exhibit::of(request));
                    let verdict = self.paid(endpoint, &body, provider(request), false).await;
                    let verdict =
                        verdict.as_ref().map(|(reply, _)| reply).map_err(|it| format!("{}: {}", it.kind, it.message));
                    evaluations.push(judge::judged(&judge, verdict));
                }
                _ => evaluations.extend(evaluator.evaluate(request)),
            }
        }
        evaluations
    }

    fn budget(&self) -> std::sync::MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn price(&self, request: &mut Request) {
        self.pricing.lock().unwrap_or_else(PoisonError::into_inner).price(request);
    }

    fn cost(&self, call: &ModelCall) -> Option<u64> {
        let mut pricing = self.pricing.lock().unwrap_or_else(PoisonError::into_inner);
        pricing.of_call(call)
    }
}

/// Adds the model's wish and what the tools gave then.
fn fed_back(body: &mut Json, asked: &[Asked], results: &mut Vec<(String, String)>) -> Result<(), Failure> {
    let calls: Vec<Json> = asked
        .iter()
        .map(
            |it| json!({ "id": it.id, "type": "function", "function": { "name": it.name, "arguments": it.arguments } }),
        )
        .collect();
    let mut messages = vec![json!({ "role": "assistant", "content": null, "tool_calls": calls })];
    for tool in asked {
        // Of several runs of a tool each is given once, the last again and again.
        let at = results.iter().position(|(name, _)| *name == tool.name);
        let missing = || {
            failed(
                "tool_not_recorded",
                format!("the model asks for {}, of which nothing was recorded; tools are not run", tool.name),
            )
        };
        let at = at.ok_or_else(missing)?;
        let is_last = results.iter().filter(|(name, _)| *name == tool.name).count() == 1;
        let text = if is_last { results[at].1.clone() } else { results.remove(at).1 };
        messages.push(json!({ "role": "tool", "tool_call_id": tool.id, "content": text }));
    }
    if let Some(list) = body["messages"].as_array_mut() {
        list.append(&mut messages);
    }
    Ok(())
}

fn provider(request: &Request) -> Option<&str> {
    request.calls.last().and_then(|it| it.provider.as_deref())
}

fn failed(kind: &str, message: String) -> Failure {
    Failure { kind: kind.into(), message: message.into(), timeout: false, status_code: None }
}
