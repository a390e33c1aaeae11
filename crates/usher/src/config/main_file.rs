//! `usher.toml`: where the switch listens, where it keeps things, what it allows.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use sip::Protocol;
use worker::net::IoChoice;

use reader::{Parsed, Section};

/// `udp:127.0.0.1:5060`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Transport.
    pub protocol: Protocol,
    /// Address and port.
    pub address: SocketAddr,
}

impl FromStr for Listener {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a listener is written udp:ADDRESS:PORT or tcp:ADDRESS:PORT";
        let (protocol, address) = text.split_once(':').ok_or(FORM)?;
        let protocol = match protocol {
            "udp" => Protocol::Udp,
            "tcp" => Protocol::Tcp,
            _ => return Err(FORM),
        };
        Ok(Listener { protocol, address: address.parse().map_err(|_| FORM)? })
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Udp => "udp",
            Protocol::Tcp => "tcp",
        };
        write!(f, "{protocol}:{}", self.address)
    }
}

/// Everything in `usher.toml`.
#[derive(Clone, Debug)]
pub struct Main {
    /// Name of this switch, in logs and metrics.
    pub name: String,
    /// Realm of the agents' passwords.
    pub domain: String,
    /// SIP.
    pub sip: Sip,
    /// Media.
    pub media: Media,
    /// HTTP.
    pub http: Http,
    /// Database and spool.
    pub store: Store,
    /// Language → folder, relative to the config folder.
    pub voices: Vec<(String, PathBuf)>,
    /// Language of callers whom nobody knows.
    pub default_language: String,
    /// URL that relative hooks of flows are below.
    pub hooks: Option<String>,
    /// Codes that agents dial.
    pub features: Vec<(String, call::settings::Feature)>,
    /// Numbers that go out first.
    pub emergency: Vec<String>,
    /// Limits of the call layer.
    pub limits: call::settings::Limits,
    /// How long an agent's phone rings, seconds.
    pub ring_s: u64,
    /// How long SIGTERM waits for calls to end, seconds.
    pub drain_s: u64,
    /// Local time ahead of UTC, seconds.
    pub utc_offset_s: i32,
}

/// `[sip]`.
#[derive(Clone, Debug)]
pub struct Sip {
    /// Where to listen.
    pub listen: Vec<Listener>,
    /// Session interval asked for, seconds; 0 = none.
    pub session_expires_s: u32,
    /// Smallest session interval accepted, seconds.
    pub min_se_s: u32,
    /// How often gateways are asked whether they are there, seconds; 0 = never.
    pub options_s: u64,
    /// Shortest and longest registration, seconds.
    pub registration_s: (u32, u32),
    /// Requests per second from one stranger's address.
    pub per_source_per_s: u32,
    /// At load, how long the signalling loop lets messages gather, microseconds; 0 = never.
    pub coalesce_us: u32,
    /// How long a new call may wait to be begun before the least valuable one is refused, milliseconds.
    pub backlog_ms: u64,
}

/// `[media]`.
#[derive(Clone, Debug)]
pub struct Media {
    /// Addresses of our media.
    pub addresses: Vec<IpAddr>,
    /// First and last port.
    pub ports: (u16, u16),
    /// Threads.
    pub workers: usize,
    /// How often sockets are drained, microseconds.
    pub coalesce_us: u32,
    /// How packets come and go.
    pub io: IoChoice,
    /// Whether each worker is pinned to a core.
    pub pin: bool,
    /// Bridges that the kernel carries, if it is to.
    pub offload: Option<worker::OffloadConfig>,
    /// Codec names by preference.
    pub codecs: Vec<String>,
    /// No RTP for this long ends a call, seconds; 0 = never.
    pub rtp_timeout_s: u64,
    /// How long a port is not used again after its call, milliseconds.
    pub port_rest_ms: u64,
    /// Prompt played as hold music.
    pub hold_music: String,
}

/// `[http]`.
#[derive(Clone, Debug)]
pub struct Http {
    /// Where to listen; none = no HTTP.
    pub listen: Option<SocketAddr>,
    /// Who may ask what.
    pub tokens: Vec<console::Token>,
}

/// `[store]`.
#[derive(Clone, Debug)]
pub struct Store {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: String,
    /// Folder of the spool.
    pub spool: PathBuf,
    /// Bytes that the spool may take.
    pub spool_bytes_max: u64,
    /// Folder of callers' messages.
    pub recordings: PathBuf,
    /// Bytes that they may take.
    pub recordings_bytes_max: u64,
    /// Customers kept in memory, the most valuable first where there are more.
    pub customers_in_memory: usize,
}

/// Reads the whole file.
pub fn read(mut root: Section<'_>) -> Main {
    let name = root.or("name", "usher".to_owned());
    let domain = root.need("domain").unwrap_or_default();
    let utc_offset_s = utc_offset(&mut root);
    let sip = sip(table(&mut root, "sip"));
    let media = media(table(&mut root, "media"));
    let http = http(root.section("http"));
    let store = store(root.section("store"));
    let (voices, default_language) = voices(table(&mut root, "voices"));
    let hooks = root.section("hooks").and_then(hooks);
    let features = features(root.section("feature_codes"));
    let emergency = emergency(root.section("emergency"));
    let (limits, ring_s, drain_s) = limits(root.section("limits"));
    root.end();
    Main {
        name,
        domain,
        sip,
        media,
        http,
        store,
        voices,
        default_language,
        hooks,
        features,
        emergency,
        limits,
        ring_s,
        drain_s,
        utc_offset_s,
    }
}

/// `utc_offset = "+08:00"`, in seconds.
fn utc_offset(root: &mut Section<'_>) -> i32 {
    let Some(text) = root.get::<String>("utc_offset") else { return 0 };
    let parts = || {
        let (sign, rest) = match text.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let (hours, minutes) = rest.split_once(':')?;
        let (hours, minutes): (u8, u8) = (hours.parse().ok()?, minutes.parse().ok()?);
        (hours <= 14 && minutes < 60).then(|| sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60))
    };
    parts().unwrap_or_else(|| {
        root.finding("utc_offset", "must be written like \"+08:00\"");
        0
    })
}

/// A table that must be there.
fn table<'a>(root: &mut Section<'a>, key: &'static str) -> Option<Section<'a>> {
    let section = root.section(key);
    if section.is_none() {
        root.finding(key, "is missing: a table with this name is needed");
    }
    section
}

fn sip(section: Option<Section<'_>>) -> Sip {
    let mut sip = Sip {
        listen: Vec::new(),
        session_expires_s: 1800,
        min_se_s: 90,
        options_s: 30,
        registration_s: (60, 3600),
        per_source_per_s: 500,
        coalesce_us: 0,
        backlog_ms: 5,
    };
    let Some(mut section) = section else { return sip };
    let listen: Vec<Parsed<Listener>> = section.need("listen").unwrap_or_default();
    sip.listen = listen.into_iter().map(|Parsed(listener)| listener).collect();
    if sip.listen.is_empty() {
        section.finding("listen", "needs at least one listener");
    }
    sip.session_expires_s = section.within("session_expires_s", 0..=86_400, sip.session_expires_s);
    sip.min_se_s = section.within("min_se_s", 90..=86_400, sip.min_se_s); // RFC 4028 §4: at least 90
    if sip.session_expires_s != 0 && sip.session_expires_s < sip.min_se_s {
        section.finding("session_expires_s", format!("is below min_se_s ({})", sip.min_se_s));
    }
    sip.options_s = section.within("options_s", 0..=3600, sip.options_s);
    if let Some([shortest, longest]) = pair(&mut section, "registration_s") {
        sip.registration_s = (shortest, longest);
    }
    sip.coalesce_us = section.within("coalesce_us", 0..=20_000, sip.coalesce_us);
    sip.backlog_ms = section.within("backlog_ms", 1..=500u64, sip.backlog_ms);
    sip.per_source_per_s = section.within("per_source_per_s", 1..=1_000_000, sip.per_source_per_s);
    section.end();
    sip
}

/// Two numbers, the first not above the second.
fn pair<T>(section: &mut Section<'_>, key: &'static str) -> Option<[T; 2]>
where
    T: reader::FromToml + PartialOrd,
{
    let values: Vec<T> = section.get(key)?;
    match <[T; 2]>::try_from(values) {
        Ok([low, high]) if low <= high => Some([low, high]),
        _ => {
            section.finding(key, "must be two numbers [first, last], the first not above the last");
            None
        }
    }
}

fn media(section: Option<Section<'_>>) -> Media {
    let mut media = Media {
        addresses: Vec::new(),
        ports: (20_000, 29_999),
        workers: 1,
        coalesce_us: 1000,
        io: IoChoice::Auto,
        pin: false,
        offload: None,
        codecs: vec!["PCMA".into(), "PCMU".into(), "G722".into()],
        rtp_timeout_s: 30,
        port_rest_ms: 2000,
        hold_music: "music".into(),
    };
    let Some(mut section) = section else { return media };
    let addresses: Vec<Parsed<IpAddr>> = section.need("addresses").unwrap_or_default();
    media.addresses = addresses.into_iter().map(|Parsed(ip)| ip).collect();
    for ip in &media.addresses {
        if ip.is_unspecified() || ip.is_multicast() {
            section.finding("addresses", format!("has {ip}, which phones cannot send to"));
        }
    }
    if let Some([first, last]) = pair(&mut section, "ports") {
        media.ports = (first, last);
        if first < 1024 {
            section.finding("ports", format!("begins at {first}: use ports from 1024 on"));
        }
    }
    media.workers = usize::from(section.within("workers", 1..=64u16, 1));
    let (first, last) = media.ports;
    if usize::from(last.saturating_sub(first)) + 1 < 4 * media.workers {
        let workers = media.workers;
        section.finding(
            "ports",
            format!("has no room for one call on each of {workers} workers: a call needs four ports"),
        );
    }
    media.coalesce_us = section.within("coalesce_us", 0..=20_000, media.coalesce_us);
    media.io = section.get("io").map_or(media.io, |Parsed(io)| io);
    media.pin = section.or("pin", false);
    media.offload = offload(&mut section);
    media.codecs = section.or("codecs", media.codecs);
    media.rtp_timeout_s = section.within("rtp_timeout_s", 0..=86_400, media.rtp_timeout_s);
    media.port_rest_ms = section.within("port_rest_ms", 0..=60_000u64, media.port_rest_ms);
    media.hold_music = section.or("hold_music", media.hold_music);
    section.end();
    media
}

/// `offload`, `offload_interfaces`, `offload_calls_max`.
fn offload(section: &mut Section<'_>) -> Option<worker::OffloadConfig> {
    let kind = section.or("offload", "off".to_owned());
    let mut config = worker::OffloadConfig::default();
    config.interfaces = section.or("offload_interfaces", config.interfaces);
    config.calls_max = section.within("offload_calls_max", 1..=1_000_000, config.calls_max);
    match kind.as_str() {
        "off" => None,
        "xdp" if config.interfaces.is_empty() => {
            section.finding("offload", "is \"xdp\": name the network cards in `offload_interfaces`");
            None
        }
        "xdp" => Some(config),
        other => {
            section.finding("offload", format!("is \"{other}\": it can be \"off\" or \"xdp\""));
            None
        }
    }
}

fn http(section: Option<Section<'_>>) -> Http {
    let mut http = Http { listen: None, tokens: Vec::new() };
    let Some(mut section) = section else { return http };
    http.listen = section.need("listen").map(|Parsed(address)| address);
    for mut entry in section.sections("tokens") {
        let name: Option<String> = entry.need("name");
        let sha256: Option<String> = entry.need("sha256");
        let scope = entry.or("scope", "read".to_owned());
        if let (Some(name), Some(sha256)) = (name, sha256) {
            match console::Token::parse(&name, &sha256, &scope) {
                Ok(token) => http.tokens.push(token),
                Err(fault) => entry.finding("sha256", fault),
            }
        }
        entry.end();
    }
    section.end();
    http
}

fn store(section: Option<Section<'_>>) -> Store {
    let mut store = Store {
        url: "sqlite:var/usher.db".into(),
        spool: "var/spool".into(),
        spool_bytes_max: 256 * 1024 * 1024,
        recordings: "var/recordings".into(),
        recordings_bytes_max: 10 << 30,
        customers_in_memory: 250_000,
    };
    let Some(mut section) = section else { return store };
    store.url = section.or("url", store.url);
    if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| store.url.starts_with(scheme)) {
        section.finding("url", "must begin with sqlite: or postgres://");
    }
    if let Some(spool) = section.get::<String>("spool") {
        store.spool = spool.into();
    }
    store.spool_bytes_max = section.within("spool_bytes_max", 65_536..=1 << 40, store.spool_bytes_max);
    if let Some(recordings) = section.get::<String>("recordings") {
        store.recordings = recordings.into();
    }
    store.recordings_bytes_max =
        section.within("recordings_bytes_max", 1 << 20..=1 << 50, store.recordings_bytes_max);
    store.customers_in_memory = section.within("customers_in_memory", 0..=10_000_000u32, 250_000) as usize;
    section.end();
    store
}

fn voices(section: Option<Section<'_>>) -> (Vec<(String, PathBuf)>, String) {
    let Some(mut section) = section else { return (Vec::new(), "zh".into()) };
    let default = section.or("default", "zh".to_owned());
    let mut voices = Vec::new();
    for language in ["zh", "en"] {
        if let Some(folder) = section.get::<String>(language) {
            voices.push((language.to_owned(), PathBuf::from(folder)));
        }
    }
    if !voices.iter().any(|(language, _)| *language == default) {
        section.finding("default", format!("is \"{default}\", a language without a voice here"));
    }
    section.end();
    (voices, default)
}

fn hooks(mut section: Section<'_>) -> Option<String> {
    let base: Option<String> = section.need("base");
    if base.as_deref().is_some_and(|base| !base.starts_with("http://")) {
        section.finding("base", "must begin with http://");
    }
    section.end();
    base
}

fn features(section: Option<Section<'_>>) -> Vec<(String, call::settings::Feature)> {
    use call::settings::Feature;
    let table: [(&'static str, &str, Feature); 5] = [
        ("ready", "*10", Feature::Ready),
        ("not_ready", "*11", Feature::NotReady),
        ("end_wrap_up", "*12", Feature::EndWrapUp),
        ("login", "*13", Feature::Login),
        ("logout", "*14", Feature::Logout),
    ];
    let Some(mut section) = section else {
        return table.map(|(_, code, feature)| (code.to_owned(), feature)).to_vec();
    };
    let mut features: Vec<(String, Feature)> = Vec::new();
    for (key, default, feature) in table {
        let code = section.or(key, default.to_owned());
        let dialable = !code.is_empty() && code.bytes().all(|b| b.is_ascii_digit() || b == b'*' || b == b'#');
        if !dialable {
            section.finding(key, "must be made of 0-9, * and #");
        } else if features
            .iter()
            .any(|(other, _)| code.starts_with(other.as_str()) || other.starts_with(&code))
        {
            section.finding(key, format!("is {code}, which another code begins with or is"));
        }
        features.push((code, feature));
    }
    section.end();
    features
}

fn emergency(section: Option<Section<'_>>) -> Vec<String> {
    let default = ["110", "119", "120", "122"].map(str::to_owned).to_vec();
    let Some(mut section) = section else { return default };
    let numbers: Vec<String> = section.or("numbers", default);
    if numbers.iter().any(|number| number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit())) {
        section.finding("numbers", "must be made of digits");
    }
    section.end();
    numbers
}

fn limits(section: Option<Section<'_>>) -> (call::settings::Limits, u64, u64) {
    let mut limits = call::settings::Limits::default();
    let Some(mut section) = section else { return (limits, 15, 60) };
    let seconds = base::Duration::from_secs;
    limits.calls_max = section.within("calls_max", 1..=1_000_000u32, 4000) as usize;
    limits.call_max = seconds(section.within("call_minutes_max", 1..=1440u64, 240) * 60);
    limits.flow_max = seconds(section.within("flow_minutes_max", 1..=240u64, 30) * 60);
    limits.wait_max = seconds(section.within("wait_minutes_max", 1..=1440u64, 60) * 60);
    limits.lookup_max = base::Duration::from_millis(section.within("lookup_ms", 10..=5000u64, 200));
    limits.retry_after_s = section.within("retry_after_s", 1..=3600u32, 5);
    let ring_s = section.within("ring_s", 5..=120u64, 15);
    let drain_s = section.within("drain_s", 0..=86_400u64, 60);
    section.end();
    (limits, ring_s, drain_s)
}
