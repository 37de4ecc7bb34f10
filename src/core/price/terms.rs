//! What has to be said of a cost and of the counts behind it.

/// Whether `input_tokens` count the tokens that were read from and written to the provider's cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CachedTokens {
    /// They do, as at OpenAI and as the GenAI conventions ask.
    Inside,
    /// They don't, as at Anthropic and Bedrock: the whole input is the sum of the three.
    Apart,
}

/// Where a cost is from, the most certain first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CostSource {
    /// The telemetry.
    Reported,
    /// The user's price file (`cost.prices_file`).
    Override,
    /// The built-in price table.
    Table,
}

impl CachedTokens {
    /// How the APIs of a provider count, for telemetry that passes their numbers on as they are.
    #[must_use]
    pub fn of_provider(provider: Option<&str>) -> Self {
        let apart = ["anthropic", "bedrock"];
        match provider.is_some_and(|provider| apart.iter().any(|name| provider.contains(name))) {
            true => Self::Apart,
            false => Self::Inside,
        }
    }
}

impl CostSource {
    /// Every source.
    pub const ALL: [Self; 3] = [Self::Reported, Self::Override, Self::Table];

    /// The name in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Override => "override",
            Self::Table => "table",
        }
    }
}
