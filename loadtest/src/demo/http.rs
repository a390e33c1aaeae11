//! The smallest HTTP that asks the switch's API, and answers its hooks.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const BODY_BYTES_MAX: usize = 16 << 20;
const PATIENCE: Duration = Duration::from_secs(5);

/// The switch's API.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    host: String,
    token: String,
}

impl Api {
    /// `base` is `http://host:port`.
    pub(crate) fn new(base: &str, token: &str) -> Api {
        let host = base.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Api { host, token: token.to_owned() }
    }

    /// The JSON at `path`.
    ///
    /// # Errors
    /// A sentence about what was asked and what came.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, String> {
        let text = self.ask("GET", path, "").await?;
        serde_json::from_str(&text).map_err(|error| format!("GET {path}: {error}"))
    }

    /// Changes an agent's state.
    ///
    /// # Errors
    /// A sentence about what was asked and what came.
    pub(crate) async fn agent(&self, number: &str, state: &str) -> Result<(), String> {
        self.ask("POST", &format!("/api/v1/agents/{number}/state"), state).await.map(|_| ())
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> Result<String, String> {
        let said = |what: &dyn std::fmt::Display| format!("{method} http://{}{path}: {what}", self.host);
        let answer = timeout(PATIENCE, self.exchange(method, path, body)).await;
        let answer = answer.map_err(|_| said(&"no answer"))?.map_err(|error| said(&error))?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| said(&"half an answer"))?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        if status.starts_with('2') { Ok(body.to_owned()) } else { Err(said(&format!("{status} {body}"))) }
    }

    async fn exchange(&self, method: &str, path: &str, body: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(&self.host).await?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.host,
            self.token,
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(BODY_BYTES_MAX as u64).read_to_end(&mut answer).await?;
        String::from_utf8(answer).map_err(io::Error::other)
    }
}

/// A carrier's back end, made up: answers `/balance`, `/points` and `/order` for ever.
///
/// # Errors
/// The port cannot be had.
pub(crate) async fn back_end(listen: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        // Whoever does not speak HTTP gets no answer; the next one does.
        tokio::spawn(timeout(PATIENCE, answer(stream)));
    }
}

async fn answer(stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0_usize);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if first.is_empty() {
            first.clone_from(&line);
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0).min(BODY_BYTES_MAX);
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default();
    let (status, answer) = match reply(path, &asked) {
        Some(answer) => ("200 OK", answer),
        None => ("404 Not Found", json!({})),
    };
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        answer.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(answer.as_bytes()).await
}

/// The same customer always has the same balance.
fn reply(path: &str, asked: &Value) -> Option<Value> {
    let text = |name: &str| asked.get(name).and_then(Value::as_str).unwrap_or_default();
    let sum = |text: &str| text.bytes().fold(7_u64, |sum, byte| (sum * 31 + u64::from(byte)) % 99_991);
    let number = sum(text("number"));
    match path.trim_start_matches('/') {
        "balance" => Some(json!({
            "balance": format!("{}.{:02}", number % 400, number % 97),
            "charges": format!("{}.{:02}", number % 80, number % 89),
        })),
        "points" => Some(json!({ "points": (number % 9000).to_string(), "expiry": "2027-03-31" })),
        "order" => {
            let status = ["received", "working", "done"];
            let index = usize::try_from(sum(text("order")) % 3).unwrap_or(0);
            Some(json!({ "order_status": status.get(index)?, "order_date": "2026-11-20" }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_always_has_the_same_balance() {
        let asked = json!({ "number": "13800000001" });
        assert_eq!(reply("/balance", &asked), reply("/balance", &asked));
        assert!(reply("/order", &json!({ "order": "202611" })).is_some());
        assert_eq!(reply("/secrets", &asked), None);
    }
}
