//! Registers many agents at one address, with digest, and makes them ready.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use rsip::message::HeadersExt;
use rsip::prelude::UntypedHeader;
use rsip::{Method, Request, Response};

use crate::demo::http::Api;
use crate::demo::message::{self, Dialog, Draft, Identity};
use crate::demo::people::Agent;

/// Registrations under way at a time.
const WINDOW: usize = 32;
const PATIENCE: Duration = Duration::from_secs(60);
const EXPIRES_S: u32 = 7200;

/// Registers `agents` at `desk`.
pub(super) fn register(
    desk: &UdpSocket,
    switch: SocketAddr,
    domain: &str,
    agents: &[Agent],
) -> Result<(), Box<dyn Error>> {
    let here = desk.local_addr()?;
    desk.set_read_timeout(Some(Duration::from_millis(500)))?;
    let (mut waiting, mut done) = (BTreeMap::new(), 0);
    let mut next = agents.iter();
    let (mut buffer, end) = ([0; 4096], Instant::now() + PATIENCE);
    while done < agents.len() {
        while waiting.len() < WINDOW {
            let Some(agent) = next.next() else { break };
            let identity = Identity {
                user: agent.number.clone(),
                host: domain.to_owned(),
                secret: Some(agent.secret.clone()),
            };
            let request = first(&identity, here).ok_or("no such number can register")?;
            desk.send_to(request.to_string().as_bytes(), switch)?;
            waiting.insert(call_id(&request), (identity, request));
        }
        if Instant::now() > end {
            return Err(format!("{done} of {} agents registered in a minute", agents.len()).into());
        }
        let Ok((length, _)) = desk.recv_from(&mut buffer) else {
            for (_, request) in waiting.values() {
                desk.send_to(request.to_string().as_bytes(), switch)?;
            }
            continue;
        };
        let Ok(response) = Response::try_from(buffer.get(..length).unwrap_or_default()) else { continue };
        let id = response.call_id_header().map_or_else(|_| String::new(), |id| id.value().to_owned());
        let Some((identity, request)) = waiting.get_mut(&id) else { continue };
        match response.status_code.code() {
            100..200 => {}
            200..300 => {
                waiting.remove(&id);
                done += 1;
            }
            401 if message::cseq(&response).is_some_and(|(_, number)| number == 1) => {
                *request = again(request, &response, identity, here).ok_or("a challenge without MD5")?;
                desk.send_to(request.to_string().as_bytes(), switch)?;
            }
            401 => {}
            code => return Err(format!("agent {} got {code}", identity.user).into()),
        }
    }
    desk.set_read_timeout(None)?;
    Ok(())
}

fn call_id(request: &Request) -> String {
    request.call_id_header().map_or_else(|_| String::new(), |id| id.value().to_owned())
}

fn first(identity: &Identity, here: SocketAddr) -> Option<Request> {
    let Identity { user, host, .. } = identity;
    let (uri, address) = (format!("sip:{host}"), format!("<sip:{user}@{host}>"));
    let dialog = Dialog {
        call_id: format!("register-{user}-{}-{}", here.port(), std::process::id()),
        local: format!("{address};tag=r{user}"),
        remote: address,
        target: uri.clone(),
        cseq: 1,
    };
    let branch = format!("z9hG4bKr{user}");
    let method = Method::Register;
    let draft = Draft { method, uri: &uri, dialog: &dialog, cseq: 1, branch: &branch, here, user, body: "" };
    Some(message::with_expires(draft.request()?, EXPIRES_S))
}

fn again(request: &Request, challenge: &Response, identity: &Identity, here: SocketAddr) -> Option<Request> {
    let mut again = request.clone();
    let branch = format!("SIP/2.0/UDP {here};branch=z9hG4bKs{};rport", identity.user);
    again.via_header_mut().ok()?.replace(branch);
    again.cseq_header_mut().ok()?.replace("2 REGISTER");
    message::with_credentials(again, challenge, identity, "0a4f113b")
}

/// Makes all of them ready by the API.
pub(super) fn make_ready(api: &Api, agents: &[Agent]) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        for agent in agents {
            let ready = || api.agent(&agent.number, r#"{"state":"ready"}"#);
            if let Err(refused) = ready().await {
                // The API takes so many requests of one address, and then so many a second.
                if !refused.contains(" 429 ") {
                    return Err(refused);
                }
                tokio::time::sleep(Duration::from_secs(2)).await;
                ready().await?;
            }
        }
        Ok::<_, String>(())
    })?;
    Ok(())
}
