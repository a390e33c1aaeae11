//! One test's own hotline: a folder with the configuration of `config/hotline` on addresses that nobody else
//! uses (all of 127.0.0.0/8 is loopback), and short voices.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::place::Network;
use crate::{repository, voice};

/// Token of the API in `config/hotline`.
pub const TOKEN: &str = "demo-token";

/// A configuration, its addresses, and the files of everything that runs on them.
pub struct Site {
    folder: PathBuf,
    net: [u8; 3],
    files: AtomicU32,
    /// Bound as long as the site lives: its addresses are taken.
    _claim: Option<UdpSocket>,
    /// Made for this site alone, if it is not on loopback.
    _network: Option<Network>,
}

impl Site {
    /// A copy of `config/hotline` on free addresses. Ringing lasts 5 s instead of 15, gateways are not asked
    /// whether they are there.
    pub fn new(name: &str) -> Site {
        let (net, claim) = claim();
        Site::on(name, net, Some(claim), None)
    }

    /// The same on a network of its own: carrier, switch and agents each in a namespace. `None`, with the
    /// reason printed, where that is not allowed.
    pub fn on_a_network(name: &str) -> Option<Site> {
        let network = Network::new()?;
        Some(Site::on(name, network.octets(), None, Some(network)))
    }

    fn on(name: &str, net: [u8; 3], claim: Option<UdpSocket>, network: Option<Network>) -> Site {
        let folder = std::env::temp_dir().join(format!("usher-e2e-{}-{name}", std::process::id()));
        let site = Site { folder, net, files: AtomicU32::new(0), _claim: claim, _network: network };
        site.copy();
        for language in ["zh", "en"] {
            voice::write(&site.config().join("prompts").join(language), language);
        }
        let (switch, api, carrier) = (site.switch(), site.api(), site.carrier());
        site.edit("usher.toml", |main| {
            set(main, "sip", "listen", vec![format!("udp:{switch}"), format!("tcp:{switch}")]);
            set(main, "sip", "options_s", 0);
            set(main, "media", "addresses", vec![switch.ip().to_string()]);
            set(main, "media", "ports", vec![20_000, 20_399]);
            set(main, "http", "listen", api.to_string());
            set(main, "limits", "ring_s", 5);
        });
        site.edit("trunks.toml", |trunks| {
            let trunk = trunks["trunk"][0].as_table_mut().unwrap();
            trunk.insert("addresses".into(), vec![carrier.to_string()].into());
            trunk.insert("gateway".into(), format!("{carrier}:5080").into());
        });
        site
    }

    /// Copies the files of `config/hotline`.
    fn copy(&self) {
        let original = repository().join("config/hotline");
        for place in ["", "flows"] {
            std::fs::create_dir_all(self.config().join(place)).unwrap();
            for entry in std::fs::read_dir(original.join(place)).unwrap().flatten() {
                if entry.path().is_file() {
                    std::fs::copy(entry.path(), self.config().join(place).join(entry.file_name())).unwrap();
                }
            }
        }
    }

    /// Everything of this test is below it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A new file's path.
    pub fn file(&self, name: &str) -> PathBuf {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        self.folder.join(format!("{number:02}-{name}"))
    }

    /// The configuration's folder.
    pub fn config(&self) -> PathBuf {
        self.folder.join("config")
    }

    /// Changes a TOML file of the configuration.
    pub fn edit(&self, file: &str, change: impl FnOnce(&mut toml::Table)) {
        let path = self.config().join(file);
        let mut table: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        change(&mut table);
        std::fs::write(path, toml::to_string(&table).unwrap()).unwrap();
    }

    /// One of the site's addresses.
    pub fn ip(&self, last: u8) -> Ipv4Addr {
        let [a, b, c] = self.net;
        Ipv4Addr::new(a, b, c, last)
    }

    /// Where the switch listens for SIP.
    pub fn switch(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.ip(1), 5060)
    }

    /// Where the switch listens for HTTP.
    pub fn api(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.ip(1), 8080)
    }

    /// The trunk: carriers call from here, the gateway is its port 5080.
    pub fn carrier(&self) -> Ipv4Addr {
        self.ip(2)
    }

    /// Where the telephone of agent `number` (1001…) is.
    pub fn agent(&self, number: &str) -> Ipv4Addr {
        let last: u8 = number[2..].parse().unwrap();
        self.ip(100 + last)
    }

    /// Runs a command of `usher` to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let _here = crate::place::enter(*self.switch().ip());
        let config = self.config();
        let mut command = Command::new(crate::usher::binary());
        command.current_dir(&self.folder).args(arguments).arg("--config").arg(config);
        command.output().unwrap()
    }

    /// Runs a command that must succeed; its output.
    pub fn ask(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "usher {arguments:?}: {}\n{out}{err}", output.status);
        out.into_owned()
    }

    /// Loads customers: `number,name,tier,language,senior,manager_a,manager_b` each.
    pub fn customers(&self, rows: &[&str]) {
        let file = self.file("customers.csv");
        let header = "number,name,tier,language,senior,manager_a,manager_b";
        std::fs::write(&file, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
        self.ask(&["customers", "import", &file.display().to_string()]);
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the test's files are kept: {}", self.folder.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Sets `[section] key`, which must be there: a key that was renamed is noticed.
pub fn set(table: &mut toml::Table, section: &str, key: &str, value: impl Into<toml::Value>) {
    let old = table[section].as_table_mut().unwrap().insert(key.to_owned(), value.into());
    assert!(old.is_some(), "[{section}] has no {key}");
}

/// A /24 of loopback for this test alone, held by a bound socket.
fn claim() -> ([u8; 3], UdpSocket) {
    // Never the same twice in a process: the kernel frees a switch's ports a moment after it has ended.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id();
    for _ in 0..8192u32 {
        let number = start.wrapping_mul(7).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 8192;
        let net = [127, u8::try_from(32 + number / 256).unwrap(), u8::try_from(number % 256).unwrap()];
        if let Ok(claim) = UdpSocket::bind((Ipv4Addr::new(127, net[1], net[2], 254), 9)) {
            return (net, claim);
        }
    }
    panic!("no loopback addresses are free");
}
