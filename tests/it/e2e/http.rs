//! A plain HTTP client for JSON, its failures as text for `eventually` to show.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

/// Bearer token of the sidecars under test.
pub(crate) const TOKEN: &str = "e2e-token";

fn request(method: Method, url: &str) -> RequestBuilder {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    let client = CLIENT.get_or_init(|| {
        // Plain HTTP only, but the client wants a provider at hand. A second test may have installed it.
        drop(rustls::crypto::ring::default_provider().install_default());
        // A pooled connection belongs to the runtime of the test that opened it.
        let builder = Client::builder().pool_max_idle_per_host(0).timeout(Duration::from_secs(10));
        builder.build().expect("the client needs nothing from outside")
    });
    client.request(method, url).bearer_auth(TOKEN)
}

async fn send(request: RequestBuilder) -> Result<Vec<u8>, String> {
    let response = request.send().await.map_err(|error| format!("{error:?}"))?;
    let (status, url) = (response.status(), response.url().to_string());
    let body = response.bytes().await.map_err(|error| format!("{url}: {error:?}"))?;
    if status.is_success() {
        Ok(body.to_vec())
    } else {
        Err(format!("{url}: {status} {}", String::from_utf8_lossy(&body)))
    }
}

/// GET; anything but 2xx is an error.
pub(crate) async fn get(url: &str) -> Result<Vec<u8>, String> {
    send(request(Method::GET, url)).await
}

/// GET of a JSON document.
pub(crate) async fn get_json(url: &str) -> Result<Value, String> {
    serde_json::from_slice(&get(url).await?).map_err(|error| format!("{url}: {error}"))
}

/// An export request in OTLP/HTTP.
pub(crate) async fn export(url: &str, bytes: bytes::Bytes) -> Result<Vec<u8>, String> {
    send(request(Method::POST, url).header("content-type", "application/x-protobuf").body(bytes)).await
}

/// A JSON body with `method`.
pub(crate) async fn send_json(method: Method, url: &str, body: &Value) -> Result<Vec<u8>, String> {
    send(request(method, url).header("content-type", "application/json").body(body.to_string())).await
}
