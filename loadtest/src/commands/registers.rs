//! `registers`: agents refresh their registrations, with digest, as fast as the switch answers.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rsip::headers::auth::{Algorithm, AuthQop, Scheme};
use rsip::headers::typed::Authorization;
use rsip::services::DigestGenerator;
use worker::net::pin_to;

use crate::demo::people::{self, Agent};
use crate::process::cpu_us;

/// What to drive. The defaults fit `config/load`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The switch's SIP address.
    #[arg(long, default_value = "127.0.0.1:5070")]
    switch: SocketAddr,
    /// The agents' SIP address.
    #[arg(long, default_value = "127.0.0.1:5091")]
    desk: SocketAddr,
    /// The agents' domain.
    #[arg(long, default_value = "load.example")]
    domain: String,
    /// The switch's agents.
    #[arg(long, default_value = "config/load/agents.toml")]
    agents_file: PathBuf,
    /// Registrations under way at a time.
    #[arg(long, default_value_t = 64)]
    window: usize,
    /// How long, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Process of the switch: its processor time is read.
    #[arg(long)]
    pid: Option<u32>,
    /// Processor of this program.
    #[arg(long)]
    cpu: Option<usize>,
}

/// One agent's telephone.
struct Phone {
    agent: Agent,
    nonce: Option<String>,
    uses: u8,
    cseq: u32,
    asked: Instant,
}

/// What came of it.
#[derive(Default)]
struct Counts {
    accepted: u64,
    challenged: u64,
    other: BTreeMap<u16, u64>,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if let Some(cpu) = options.cpu {
        pin_to(cpu)?;
    }
    let desk = UdpSocket::bind(options.desk)?;
    desk.set_read_timeout(Some(Duration::from_millis(500)))?;
    let now = Instant::now();
    let phone = |agent| Phone { agent, nonce: None, uses: 0, cseq: 1, asked: now };
    let mut phones: Vec<Phone> = people::agents(&options.agents_file)?.into_iter().map(phone).collect();
    let (mut counts, mut times) = (Counts::default(), Histogram::<u64>::new(3)?);
    let mut buffer = [0; 4096];
    let (cpu_before, begun) = (options.pid.and_then(cpu_us), Instant::now());
    let mut next = options.window.min(phones.len());
    for index in 0..next {
        ask(&desk, options, &mut phones, index)?;
    }
    while begun.elapsed() < Duration::from_secs(options.seconds) {
        let length = desk.recv_from(&mut buffer).map_err(|_| "no answer for half a second")?.0;
        let text = std::str::from_utf8(buffer.get(..length).unwrap_or_default())?;
        let Some((index, status)) = whose(text) else { continue };
        let Some(phone) = phones.get_mut(index) else { continue };
        let _ = times.record(u64::try_from(phone.asked.elapsed().as_micros()).unwrap_or(u64::MAX));
        match status {
            100..200 => continue,
            200..300 => counts.accepted += 1,
            401 => {
                counts.challenged += 1;
                let (_, rest) = text.split_once("nonce=\"").ok_or("a challenge without nonce")?;
                phone.nonce = rest.split('"').next().map(str::to_owned);
                phone.uses = 0;
                ask(&desk, options, &mut phones, index)?;
                continue;
            }
            _ => *counts.other.entry(status).or_default() += 1,
        }
        // The next one's turn: everybody refreshes as often as everybody else.
        next = (next + 1) % phones.len();
        ask(&desk, options, &mut phones, next)?;
    }
    #[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
    let (seconds, accepted) = (begun.elapsed().as_secs_f64(), counts.accepted as f64);
    println!(
        "registrations    {} accepted, {} challenged, others {:?}",
        counts.accepted, counts.challenged, counts.other
    );
    println!("rate             {:.0} registrations/s with digest, over {seconds:.1} s", accepted / seconds);
    println!(
        "answer           p50 {} µs, p99 {} µs",
        times.value_at_quantile(0.5),
        times.value_at_quantile(0.99)
    );
    if let Some((before, after)) = cpu_before.zip(options.pid.and_then(cpu_us)) {
        #[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
        let us = after.saturating_sub(before) as f64;
        println!(
            "processor        {:.1} µs per registration, {:.0} % of a processor",
            us / accepted,
            us / seconds / 1e4
        );
    }
    Ok(())
}

/// The telephone of a response, by its Call-ID, and the status.
fn whose(text: &str) -> Option<(usize, u16)> {
    let status = text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()?;
    let (_, rest) = text.split_once("Call-ID: reg-")?;
    Some((rest.split("\r\n").next()?.parse().ok()?, status))
}

fn ask(
    desk: &UdpSocket,
    options: &Options,
    phones: &mut [Phone],
    index: usize,
) -> Result<(), Box<dyn Error>> {
    let Some(phone) = phones.get_mut(index) else { return Ok(()) };
    // The generator counts to 255 at most.
    if phone.uses == u8::MAX {
        phone.nonce = None;
    }
    phone.asked = Instant::now();
    let (user, domain, here, cseq) = (&phone.agent.number, &options.domain, desk.local_addr()?, phone.cseq);
    let mut text = format!(
        "REGISTER sip:{domain} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKr{index}x{cseq}\r\nMax-Forwards: 70\r\n\
         From: <sip:{user}@{domain}>;tag=r{user}\r\nTo: <sip:{user}@{domain}>\r\nCall-ID: reg-{index}\r\n\
         CSeq: {cseq} REGISTER\r\nContact: <sip:{user}@{here}>\r\nExpires: 7200\r\n"
    );
    if let Some(nonce) = &phone.nonce {
        phone.uses += 1;
        let mut authorization = Authorization {
            scheme: Scheme::Digest,
            username: user.clone(),
            realm: domain.clone(),
            nonce: nonce.clone(),
            uri: format!("sip:{domain}").as_str().try_into()?,
            response: String::new(),
            algorithm: Some(Algorithm::Md5),
            opaque: None,
            qop: Some(AuthQop::Auth { cnonce: "0a4f113b".to_owned(), nc: phone.uses }),
        };
        let digest = DigestGenerator::from(&authorization, &phone.agent.secret, &rsip::Method::Register);
        authorization.response = digest.compute();
        let _ = write!(text, "Authorization: {authorization}\r\n");
    }
    phone.cseq += 1;
    text.push_str("Content-Length: 0\r\n\r\n");
    desk.send_to(text.as_bytes(), options.switch)?;
    Ok(())
}
