//! A real PostgreSQL for the tests of one process: made in a temporary folder, on a free port, as a user
//! who is not root, gone when the process is.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const FOLDER: &str = "usher-store-pg-";

/// Port of the server, which is started at the first call; `None` if PostgreSQL is not installed.
pub(crate) fn port() -> Option<u16> {
    static SERVER: OnceLock<Option<u16>> = OnceLock::new();
    *SERVER.get_or_init(|| {
        let Some(bin) = binaries() else {
            eprintln!("SKIPPED: PostgreSQL is not installed (apt-get install postgresql)");
            return None;
        };
        Some(start(&bin))
    })
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) fn create_database(port: u16) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("usher_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let output = psql(port, &format!("CREATE DATABASE {name}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    name
}

fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut bins: Vec<PathBuf> = versions.flatten().map(|version| version.path().join("bin")).collect();
    bins.sort();
    bins.into_iter().rfind(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
}

fn start(bin: &Path) -> u16 {
    remove_folders_of_the_dead();
    let root = std::env::temp_dir().join(format!("{FOLDER}{}", std::process::id()));
    std::fs::create_dir_all(&root).unwrap();
    let user = server_user();
    if let Some(user) = user {
        let status = Command::new("chown").arg(user).arg(&root).status().unwrap();
        assert!(status.success(), "chown {user}");
    }
    let data = root.join("data");
    let output = as_user(user, &bin.join("initdb"), &root)
        .args([
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "-D",
        ])
        .arg(&data)
        .output()
        .unwrap();
    assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
    let port = free_port();
    let mut command = as_user(user, &bin.join("postgres"), &root);
    command.arg("-D").arg(&data).arg("-k").arg(&root).args([
        "-p",
        &port.to_string(),
        "-h",
        "127.0.0.1",
        "-F",
    ]);
    command.args(["-c", "max_connections=200", "-c", "logging_collector=off"]);
    let log = std::fs::File::create(root.join("log")).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    // The server is told to stop when the thread that started it ends: one that lasts as long as the tests.
    std::thread::spawn(move || command.spawn().unwrap().wait());
    let deadline = Instant::now() + Duration::from_secs(60);
    while !psql(port, "SELECT 1").status.success() {
        assert!(Instant::now() < deadline, "PostgreSQL does not start: see {}", root.join("log").display());
        std::thread::sleep(Duration::from_millis(100));
    }
    port
}

/// PostgreSQL refuses to run as root.
fn server_user() -> Option<&'static str> {
    let id = Command::new("id").arg("-u").output().unwrap();
    if id.stdout != b"0\n" {
        return None;
    }
    let known =
        Command::new("id").args(["-u", "postgres"]).output().is_ok_and(|output| output.status.success());
    Some(if known { "postgres" } else { "nobody" })
}

fn as_user(user: Option<&str>, program: &Path, folder: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(user) = user {
        command.args([&format!("--reuid={user}"), "--clear-groups"]);
    }
    command.arg("--pdeathsig=INT").arg(program).current_dir(folder);
    command
}

/// Folders of servers whose tests have ended.
fn remove_folders_of_the_dead() {
    for entry in std::fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix(FOLDER).and_then(|pid| pid.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn psql(port: u16, sql: &str) -> Output {
    let connection = format!("host=127.0.0.1 port={port} user=postgres dbname=postgres");
    Command::new("psql").args(["-qAt", "-d", &connection, "-c", sql]).output().unwrap()
}
