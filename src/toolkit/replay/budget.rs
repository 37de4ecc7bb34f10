//! What a replay may cost, held against an estimate before each call and against the bill after it.

use serde_json::Value as Json;

use crate::core::request::ModelCall;

/// Bytes of JSON that make about one token of English.
const BYTES_PER_TOKEN: u64 = 4;
/// Tokens that an answer is taken to have where nobody limits it.
const OUTPUT_TOKENS: u64 = 1_024;

/// The call that a body makes, with tokens as far as they can be told beforehand: a token for every four bytes of messages
/// and tools in, as many as are allowed out.
#[must_use]
pub fn estimate(body: &Json, provider: Option<&str>) -> ModelCall {
    let bytes =
        body["messages"].to_string().len() + body["tools"].as_array().map_or(0, |_| body["tools"].to_string().len());
    ModelCall {
        provider: provider.map(Into::into),
        model_requested: body["model"].as_str().map(Into::into),
        input_tokens: Some((bytes as u64).div_ceil(BYTES_PER_TOKEN)),
        output_tokens: Some(body["max_tokens"].as_u64().unwrap_or(OUTPUT_TOKENS)),
        ..ModelCall::default()
    }
}

/// What is left to spend, billionths of a US dollar.
#[derive(Debug)]
pub struct Budget {
    limit: Option<u64>,
    spent: u64,
    reserved: u64,
}

impl Budget {
    /// A budget of so many US dollars; without one, everything may be spent.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates; below zero is nothing"
    )]
    pub fn new(usd: Option<f64>) -> Self {
        Self { limit: usd.map(|usd| (usd * 1e9).max(0.0) as u64), spent: 0, reserved: 0 }
    }

    /// Sets an estimated cost aside.
    ///
    /// # Errors
    /// A sentence: no cost is known though there is a limit, or the limit would be passed.
    pub fn reserve(&mut self, cost: Option<u64>) -> Result<u64, String> {
        let Some(limit) = self.limit else { return Ok(0) };
        let cost =
            cost.ok_or("the price of this model is not known, so a budget can't be kept: add it to cost.prices_file")?;
        if self.spent + self.reserved + cost > limit {
            return Err("the budget is used up".to_owned());
        }
        self.reserved += cost;
        Ok(cost)
    }

    /// Replaces what was set aside by what was paid; where the bill does not say, by the estimate.
    pub fn settle(&mut self, reserved: u64, paid: Option<u64>) {
        self.reserved = self.reserved.saturating_sub(reserved);
        self.spent = self.spent.saturating_add(paid.unwrap_or(reserved));
    }
}
