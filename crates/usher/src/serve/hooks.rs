//! Asks the back end over HTTP on behalf of a call flow: one JSON object out, one back.

use base::{Duration, Pii};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use ivr::HookFailure;

/// Longest answer of a back end, bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Values taken from one answer; the rest is ignored.
const VALUES_MAX: usize = 64;
/// Hooks under way at the same time; more fail with [`HookFailure::Busy`].
const HOOKS_MAX: usize = 512;

/// Values by name, as the back end gave them.
pub type Values = Vec<(String, Pii<String>)>;

/// The HTTP client of all flows.
#[derive(Clone)]
pub struct Hooks {
    client: Client<HttpConnector, Full<Bytes>>,
    base: Option<String>,
    busy: std::sync::Arc<tokio::sync::Semaphore>,
}

impl Hooks {
    /// A client; relative URLs of flows are below `base`.
    pub fn new(base: Option<String>) -> Self {
        let client = Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
        let busy = std::sync::Arc::new(tokio::sync::Semaphore::new(HOOKS_MAX));
        Hooks { client, base: base.map(|base| base.trim_end_matches('/').to_owned()), busy }
    }

    /// POSTs `params` as a JSON object to `url`; the values of the JSON object that comes back.
    pub async fn ask(
        &self,
        url: &str,
        params: &[(ivr::Name, Pii<String>)],
        timeout: Duration,
    ) -> Result<Values, HookFailure> {
        let Ok(_permit) = self.busy.try_acquire() else { return Err(HookFailure::Busy) };
        tokio::time::timeout(timeout, self.post(url, params)).await.unwrap_or(Err(HookFailure::Timeout))
    }

    async fn post(&self, url: &str, params: &[(ivr::Name, Pii<String>)]) -> Result<Values, HookFailure> {
        let url = match &self.base {
            Some(base) if !url.starts_with("http://") => format!("{base}/{}", url.trim_start_matches('/')),
            _ => url.to_owned(),
        };
        let fields = params.iter().map(|(name, value)| (name.to_string(), value.reveal().clone().into()));
        let body = serde_json::Value::Object(fields.collect()).to_string();
        let request = hyper::Request::post(url)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| HookFailure::Unreachable)?;
        let answer = self.client.request(request).await.map_err(|_| HookFailure::Unreachable)?;
        if !answer.status().is_success() {
            return Err(HookFailure::Status(answer.status().as_u16()));
        }
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
        let body = body.collect().await.map_err(|_| HookFailure::Malformed)?.to_bytes();
        values(&body)
    }
}

/// The scalar members of a JSON object.
fn values(body: &[u8]) -> Result<Values, HookFailure> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(body).map_err(|_| HookFailure::Malformed)?;
    let scalars = object.into_iter().filter_map(|(name, value)| {
        let text = match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Bool(yes) => if yes { "yes" } else { "no" }.to_owned(),
            _ => return None,
        };
        Some((name, Pii::new(text)))
    });
    Ok(scalars.take(VALUES_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_become_values_and_anything_else_is_malformed() {
        let got = values(br#"{"balance_fen": 12345, "name": "x", "vip": true, "list": [1]}"#).unwrap();
        let got: Vec<_> = got.iter().map(|(name, value)| format!("{name}={}", value.reveal())).collect();
        assert_eq!(got, ["balance_fen=12345", "name=x", "vip=yes"]);
        assert_eq!(values(b"[1]"), Err(HookFailure::Malformed));
        assert_eq!(values(b"\xff"), Err(HookFailure::Malformed));
    }
}
