//! `trunks.toml`: the carriers.

use call::numbers::{Rule, Rules};
use sip::{Cidr, Credentials, Gateway, Protocol};

use reader::{Parsed, Section};

/// One `[[trunk]]`.
#[derive(Clone, Debug)]
pub struct Trunk {
    /// Name.
    pub name: String,
    /// Whose requests are believed to be this carrier's.
    pub addresses: Vec<Cidr>,
    /// Where outgoing calls go; none = calls only come in here.
    pub gateway: Option<Gateway>,
    /// For a carrier that challenges us.
    pub credentials: Option<Credentials>,
    /// Whether requests inside a dialog go to where its first message came from.
    pub symmetric: bool,
    /// Host of From on calls to it.
    pub from_host: Option<String>,
    /// Whether its P-Asserted-Identity, Privacy, Diversion and History-Info are believed.
    pub trusted_identity: bool,
    /// Live calls at most.
    pub calls_max: usize,
    /// New calls a second at most.
    pub calls_per_s_max: u32,
    /// Normalisation of arriving numbers.
    pub inbound: Rules,
    /// Prefixes of numbers that may leave here.
    pub prefixes: Vec<String>,
    /// Rewriting of leaving numbers.
    pub outbound: Rules,
    /// Number shown on outgoing calls.
    pub caller_id: String,
    /// Whether the carrier gets P-Asserted-Identity and Privacy.
    pub assert_identity: bool,
    /// Whether emergency calls may leave here.
    pub emergency: bool,
}

/// Reads every trunk.
pub fn read(mut root: Section<'_>) -> Vec<Trunk> {
    let mut trunks: Vec<Trunk> = Vec::new();
    for section in root.sections("trunk") {
        if let Some(trunk) = trunk(section, &trunks) {
            trunks.push(trunk);
        }
    }
    root.end();
    trunks
}

fn trunk(mut section: Section<'_>, others: &[Trunk]) -> Option<Trunk> {
    let name: Option<String> = section.need("name");
    if others.iter().any(|other| Some(&other.name) == name.as_ref()) {
        section.finding("name", "is given to another trunk too");
    }
    let addresses: Vec<Parsed<Cidr>> = section.need("addresses").unwrap_or_default();
    let gateway = gateway(&mut section);
    let credentials = credentials(&mut section);
    let strip: Vec<String> = section.or("strip", Vec::new());
    let strip_to_digits = usize::from(section.within("strip_to_digits", 1..=20u8, 5));
    let mut inbound = rules(&mut section, "inbound");
    inbound.0.extend(Rules::strip(strip.iter().map(String::as_str), strip_to_digits).0);
    let trunk = Trunk {
        name: name.unwrap_or_default(),
        addresses: addresses.into_iter().map(|Parsed(cidr)| cidr).collect(),
        gateway,
        credentials,
        symmetric: section.or("symmetric", false),
        from_host: section.get("from_host"),
        trusted_identity: section.or("trusted_identity", true),
        calls_max: section.within("calls_max", 1..=1_000_000u32, 1000) as usize,
        calls_per_s_max: section.within("calls_per_s_max", 1..=100_000, 100),
        inbound,
        prefixes: section.or("prefixes", Vec::new()),
        outbound: rules(&mut section, "outbound"),
        caller_id: section.or("caller_id", String::new()),
        assert_identity: section.or("assert_identity", false),
        emergency: section.or("emergency", true),
    };
    if trunk.gateway.is_none() && !trunk.prefixes.is_empty() {
        section.finding("prefixes", "needs a `gateway` to send those numbers to");
    }
    section.end();
    (!trunk.name.is_empty()).then_some(trunk)
}

/// `gw.example.net`, `192.0.2.1:5060` or `[2001:db8::1]:5060`, with `;transport=tcp` if need be.
fn gateway(section: &mut Section<'_>) -> Option<Gateway> {
    let text: String = section.get("gateway")?;
    let (place, protocol) = match text.split_once(";transport=") {
        None => (text.as_str(), Some(None)),
        Some((place, "udp")) => (place, Some(Some(Protocol::Udp))),
        Some((place, "tcp")) => (place, Some(Some(Protocol::Tcp))),
        Some((place, _)) => (place, None),
    };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, Some(port.parse::<u16>().ok()))
        }
        _ => (place, None),
    };
    let host = host.trim_matches(['[', ']']);
    let named = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:_".contains(&b));
    match (named, port, protocol) {
        (true, None, Some(protocol)) => Some(Gateway { host: host.to_owned(), port: None, protocol }),
        (true, Some(Some(port)), Some(protocol)) => {
            Some(Gateway { host: host.to_owned(), port: Some(port), protocol })
        }
        _ => {
            section.finding("gateway", "must be HOST, HOST:PORT or HOST:PORT;transport=udp|tcp");
            None
        }
    }
}

fn credentials(section: &mut Section<'_>) -> Option<Credentials> {
    let username: Option<String> = section.get("username");
    let password: Option<String> = section.get("password");
    let realm: Option<String> = section.get("realm");
    match (username, password, realm) {
        (None, None, None) => None,
        (Some(username), Some(password), Some(realm)) => {
            Some(Credentials { realm, username, password: password.into() })
        }
        _ => {
            section.finding(
                "username",
                "goes with `password` and `realm`: credentials are shown to one realm only",
            );
            None
        }
    }
}

/// `[[trunk.inbound]]`: `prefix`, `replace`, `length_min`.
fn rules(section: &mut Section<'_>, key: &'static str) -> Rules {
    let mut rules = Vec::new();
    for mut entry in section.sections(key) {
        rules.push(Rule {
            prefix: entry.need("prefix").unwrap_or_default(),
            replace: entry.or("replace", String::new()),
            length_min: usize::from(entry.within("length_min", 0..=32u8, 0)),
        });
        entry.end();
    }
    Rules(rules)
}
