//! The switch's HTTP, asked as an operator's program does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::site::{Site, TOKEN};
use crate::{SOON, until};

/// Asks for `path`; status code and body.
pub fn request(site: &Site, method: &str, path: &str, body: &str) -> (u16, String) {
    try_request(site, method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

/// What `GET path` says, which need not be text.
pub fn request_bytes(site: &Site, path: &str) -> (u16, Vec<u8>) {
    let answer = exchange(site, "GET", path, "").unwrap_or_else(|error| panic!("GET {path}: {error}"));
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(answer.len());
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    (status, answer.get(end + 4..).unwrap_or_default().to_vec())
}

fn try_request(site: &Site, method: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
    let answer = String::from_utf8_lossy(&exchange(site, method, path, body)?).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Ok((status, body.to_owned()))
}

fn exchange(site: &Site, method: &str, path: &str, body: &str) -> std::io::Result<Vec<u8>> {
    let _here = crate::place::enter(*site.api().ip());
    let mut stream = TcpStream::connect_timeout(&site.api().into(), Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}",
        site.api()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// What `GET path` says; it must be there.
pub fn get(site: &Site, path: &str) -> Value {
    let (status, body) = request(site, "GET", path, "");
    assert_eq!(status, 200, "GET {path}: {body}");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("GET {path}: {error}: {body}"))
}

/// The agent's state as the API shows it.
pub fn agent_state(site: &Site, number: &str) -> String {
    get(site, &format!("/api/v1/agents/{number}"))["state"].as_str().unwrap().to_owned()
}

/// Waits until the agent's state is `state`.
pub fn wait_agent(site: &Site, number: &str, state: &str) {
    let mut last = String::new();
    let deadline = Instant::now() + SOON;
    while last != state {
        assert!(Instant::now() < deadline, "agent {number} is {last}, not {state}");
        std::thread::sleep(Duration::from_millis(100));
        last = agent_state(site, number);
    }
}

/// Waits until the switch knows the agent's telephone, then has him take calls.
pub fn make_ready(site: &Site, number: &str) {
    wait_contacts(site, number, 1);
    change_agent(site, number, r#"{"state":"ready"}"#);
    wait_agent(site, number, "ready");
}

/// As [`make_ready`], for an agent whom a waiting call takes at once.
pub fn make_ready_soon(site: &Site, number: &str) {
    wait_contacts(site, number, 1);
    change_agent(site, number, r#"{"state":"ready"}"#);
}

/// Waits until so many telephones of the agent are registered.
pub fn wait_contacts(site: &Site, number: &str, count: u64) {
    until(&format!("{count} telephones of {number}"), SOON, || {
        std::thread::sleep(Duration::from_millis(80));
        (get(site, &format!("/api/v1/agents/{number}"))["contacts"] == count).then_some(())
    });
}

/// Changes an agent's state.
pub fn change_agent(site: &Site, number: &str, state: &str) {
    let (status, body) = request(site, "POST", &format!("/api/v1/agents/{number}/state"), state);
    assert_eq!(status, 204, "agent {number} to {state}: {body}");
}

/// Waits until `count` calls have ended and are stored; the latest first.
pub fn wait_ended(site: &Site, count: usize) -> Vec<Value> {
    until(&format!("{count} call records"), SOON, || {
        std::thread::sleep(Duration::from_millis(80));
        let calls = get(site, "/api/v1/calls/history?reveal=true")["calls"].as_array().unwrap().clone();
        (calls.len() >= count).then_some(calls)
    })
}

/// Waits until exactly `count` calls go on.
pub fn wait_live(site: &Site, count: usize) -> Vec<Value> {
    until(&format!("{count} live calls"), SOON, || {
        std::thread::sleep(Duration::from_millis(80));
        let calls = get(site, "/api/v1/calls?reveal=true")["calls"].as_array().unwrap().clone();
        (calls.len() == count).then_some(calls)
    })
}

/// The latest of `count` ended calls with every step, and its steps as `what detail`.
pub fn last_call(site: &Site, count: usize) -> (Value, Vec<String>) {
    let calls = wait_ended(site, count);
    let path = format!("/api/v1/calls/{}?reveal=true", calls[0]["key"].as_str().unwrap());
    // The picture of the live calls may still show it for a moment.
    let call = until("the call to be shown as ended", SOON, || {
        std::thread::sleep(Duration::from_millis(80));
        Some(get(site, &path)).filter(|call| call["state"] == "ended")
    });
    let word = |step: &Value, name: &str| step[name].as_str().unwrap_or_default().to_owned();
    let steps = call["steps"].as_array().unwrap().iter();
    let steps =
        steps.map(|step| format!("{} {}", word(step, "what"), word(step, "detail")).trim_end().to_owned());
    let steps = steps.collect();
    (call, steps)
}

/// The value of a metric: its name with its labels as `/metrics` prints them.
pub fn metric(site: &Site, name: &str) -> Option<f64> {
    let (status, body) = request(site, "GET", "/metrics", "");
    assert_eq!(status, 200, "{body}");
    body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// Whether `expected` are all in `steps`, in this order (others may be between).
pub fn assert_in_order(steps: &[String], expected: &[&str]) {
    let mut rest = steps.iter();
    for step in expected {
        assert!(
            rest.any(|s| s == step || s.starts_with(&format!("{step} "))),
            "no {step:?} in its place in {steps:#?}"
        );
    }
}
