//! A judge with its endpoint.

use std::time::Duration;

use reqwest::header::HeaderMap;

use crate::chat::{Endpoint, EndpointError};
use crate::config::Judge;
use crate::core::request::Failure;
use crate::toolkit::judge::{self, Exhibit, Verdict};

/// All attempts at one verdict and the pauses between them take this long at most, or as long as one attempt may.
const DEADLINE: Duration = Duration::from_secs(60);

fn late(whole: Duration) -> Failure {
    Failure {
        kind: "timeout".into(),
        message: format!("no verdict within {} s", whole.as_secs()).into(),
        timeout: true,
        status_code: None,
    }
}

/// A judge that can be asked.
#[derive(Clone, Debug)]
pub struct JudgeClient {
    judge: Judge,
    endpoint: Endpoint,
}

impl JudgeClient {
    /// A judge at its endpoint.
    ///
    /// # Errors
    /// An endpoint that can't be used.
    pub fn new(judge: Judge, client: reqwest::Client) -> Result<Self, EndpointError> {
        let key = judge.api_key.as_ref().map(|it| it.0.as_str());
        let endpoint = Endpoint::new(client, &judge.endpoint, key, HeaderMap::new(), judge.insecure)?;
        Ok(Self { endpoint: endpoint.with_timeout(judge.timeout), judge })
    }

    /// How it is configured.
    #[must_use]
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// Asks what it thinks.
    ///
    /// # Errors
    /// Why there is no verdict: of the way there, or of what it said.
    pub async fn ask(&self, exhibit: &Exhibit<'_>) -> Result<Verdict, Failure> {
        let body = judge::body(&self.judge, exhibit);
        let whole = self.judge.timeout.max(DEADLINE);
        let reply = tokio::time::timeout(whole, self.endpoint.ask(&body, false)).await;
        let (reply, _) = reply.map_err(|_| late(whole))??;
        judge::verdict(&reply).map_err(judge::failure)
    }
}
