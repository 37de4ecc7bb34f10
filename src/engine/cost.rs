//! The one place where a request learns what its calls cost: after assembly, before anything counts it. The live
//! engine and the commands on recordings share it.

use metrics::Counter;

use crate::config::Cost;
use crate::core::price::{CostSource, Prices, Unpriced};
use crate::core::request::{ModelCall, Request};
use crate::metrics::Metric;

/// Models without a price that are counted by name; later ones are counted together.
const UNPRICED_MAX: usize = 64;

/// Provider and model of what is counted together.
const OTHER: &str = "_other";

/// Bytes of a provider's or model's name in a label.
const LABEL_BYTES_MAX: usize = 128;

/// Prices, and the models that had none.
#[derive(Debug)]
pub struct Pricing {
    settings: Cost,
    prices: Option<Prices>,
    unpriced: Vec<Uncosted>,
}

/// A model without a price.
#[derive(Debug)]
struct Uncosted {
    provider: Box<str>,
    model: Box<str>,
    calls: Counter,
}

impl Pricing {
    /// Prices as the configuration wants them.
    #[must_use]
    pub fn new(settings: &Cost) -> Self {
        Self { prices: prices(settings), settings: settings.clone(), unpriced: Vec::new() }
    }

    /// Takes up other prices. What was counted by name still is.
    pub fn reconfigure(&mut self, settings: &Cost) {
        if self.settings != *settings {
            self.prices = prices(settings);
            self.settings = settings.clone();
        }
    }

    /// Gives every call a cost: the one its telemetry reports, else that of the tables, else none. Models that no
    /// table knows are counted, and named in the log once; not those of drills, whose calls nobody pays for.
    pub fn price(&mut self, request: &mut Request) {
        let is_drill = request.drill.is_some();
        for call in &mut request.calls {
            if call.cost_nano_usd.is_some() {
                call.cost_source.get_or_insert(CostSource::Reported);
                continue;
            }
            match self.prices.as_mut().map(|prices| prices.cost(call)) {
                Some(Ok((cost, source))) => {
                    call.cost_nano_usd = Some(cost);
                    call.cost_source = Some(source);
                }
                Some(Err(Unpriced::Model)) if !is_drill => self.count(call),
                Some(Err(Unpriced::Model | Unpriced::Usage)) | None => {}
            }
        }
    }

    /// What one call costs by the tables, billionths of a US dollar; `None` where they don't know.
    pub fn of_call(&mut self, call: &ModelCall) -> Option<u64> {
        self.prices.as_mut().and_then(|prices| prices.cost(call).ok()).map(|(cost, _)| cost)
    }

    fn count(&mut self, call: &ModelCall) {
        let served = call.model_served.as_deref().or(call.model_requested.as_deref());
        let (provider, model) = (cut(call.provider.as_deref().unwrap_or_default()), cut(served.unwrap_or_default()));
        let named = self.unpriced.iter().take(UNPRICED_MAX).find(|it| *it.provider == *provider && *it.model == *model);
        if let Some(known) = named.or(self.unpriced.get(UNPRICED_MAX)) {
            known.calls.increment(1);
            return;
        }
        let (provider, model) = if self.unpriced.len() < UNPRICED_MAX { (provider, model) } else { (OTHER, OTHER) };
        tracing::info!(provider, model, "no price is known for this model: its calls have no cost");
        let calls = Metric::UnpricedCalls.counter(&[("provider", provider), ("model", model)]);
        calls.increment(1);
        self.unpriced.push(Uncosted { provider: provider.into(), model: model.into(), calls });
    }
}

fn prices(settings: &Cost) -> Option<Prices> {
    settings.enabled.then(|| Prices::new(settings.prices.clone()))
}

fn cut(name: &str) -> &str {
    let end = (0..=LABEL_BYTES_MAX.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
    &name[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::request::tests::request;

    fn priced(pricing: &mut Pricing, calls: Vec<ModelCall>) -> Vec<(Option<u64>, Option<CostSource>)> {
        let mut request = Request { calls, ..request() };
        pricing.price(&mut request);
        request.calls.iter().map(|call| (call.cost_nano_usd, call.cost_source)).collect()
    }

    fn call(model: &str) -> ModelCall {
        ModelCall {
            provider: Some("openai".into()),
            model_served: Some(model.into()),
            input_tokens: Some(1_000),
            output_tokens: Some(0),
            ..ModelCall::default()
        }
    }

    /// Proves the precedence: what is reported stays, the table fills in, an unknown model has no cost, and neither
    /// has anything when prices are off.
    #[test]
    fn reported_costs_win_and_unknown_ones_stay_unknown() {
        let calls = || vec![ModelCall { cost_nano_usd: Some(7), ..call("gpt-4o") }, call("gpt-4o"), call("mine")];
        let reported = (Some(7), Some(CostSource::Reported));
        let (table, none) = ((Some(2_500_000), Some(CostSource::Table)), (None, None));
        let mut pricing = Pricing::new(&Cost::default());
        assert_eq!(priced(&mut pricing, calls()), [reported, table, none]);
        pricing.reconfigure(&Cost { enabled: false, ..Cost::default() });
        assert_eq!(priced(&mut pricing, calls()), [reported, none, none]);
    }

    /// Proves that names from telemetry can't grow the counters beyond their bound.
    #[test]
    fn unpriced_models_are_bounded() {
        let mut pricing = Pricing::new(&Cost::default());
        let names = (0..3 * UNPRICED_MAX).map(|n| format!("mine-{n}")).chain(["ü".repeat(LABEL_BYTES_MAX)]);
        for name in names {
            priced(&mut pricing, vec![call(&name), call(&name)]);
        }
        assert_eq!(pricing.unpriced.len(), UNPRICED_MAX + 1);
        assert_eq!(&*pricing.unpriced[UNPRICED_MAX].model, OTHER);
        let mut long = Pricing::new(&Cost::default());
        priced(&mut long, vec![call(&"ü".repeat(LABEL_BYTES_MAX))]);
        assert!(long.unpriced[0].model.len() <= LABEL_BYTES_MAX);
    }
}
