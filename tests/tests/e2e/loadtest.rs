//! The SIPp scenarios of `loadtest/sipp`, as its guide says to run them: those that no load test of ours runs by itself.

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use tests::api;
use tests::process::Process;
use tests::sipp::register;
use tests::site::Site;
use tests::usher::Usher;
use tests::{repository, until};

use crate::people::queued;

/// A caller whom the flow brings to a person without a key, the talk, and the survey that he does not answer.
const LONGEST: Duration = Duration::from_secs(80);

/// SIPp with a scenario of `loadtest/sipp`, for one call.
fn sipp(site: &Site, scenario: &str, ip: Ipv4Addr, port: u16, more: &[&str]) -> Process {
    let file = repository().join("loadtest/sipp").join(scenario);
    let mut command = Command::new("sipp");
    command.current_dir(site.folder()).arg(site.switch().to_string()).arg("-sf").arg(file);
    command.args(["-i", &ip.to_string(), "-p", &port.to_string(), "-mi", &ip.to_string()]);
    command.args(["-m", "1", "-nostdin", "-timeout", "85s", "-timeout_error"]).args(more);
    let process = Process::start("sipp", &mut command, &site.file(scenario));
    until(&format!("{scenario} to listen"), tests::SOON, || {
        std::net::UdpSocket::bind((ip, port)).is_err().then_some(())
    });
    process
}

#[test]
fn carrier_calls_and_is_hung_up_on() {
    let site = Site::new("carrier-xml");
    site.customers(&["13800000001,Wang Wei,diamond,zh,no,,"]);
    let usher = Usher::start(&site);
    register(&site, "1001", 600);
    let mut agent = sipp(&site, "agent-hangs-up.xml", site.agent("1001"), 5060, &[]);
    api::make_ready(&site, "1001");
    let callers = site.file("callers.csv");
    std::fs::write(&callers, "SEQUENTIAL\n13800000001;\n").unwrap();
    let inf = callers.display().to_string();
    let mut carrier =
        sipp(&site, "carrier.xml", site.carrier(), 5072, &["-inf", &inf, "-key", "dialled", "10000"]);
    assert!(carrier.wait(LONGEST).success(), "{}", carrier.output());
    assert!(agent.wait(LONGEST).success(), "{}", agent.output());
    let (record, steps) = api::last_call(&site, 1);
    assert_eq!((&record["outcome"], &record["agent"]), (&"answered".into(), &"1001".into()), "{steps:#?}");
    usher.stop();
}

#[test]
fn an_agent_waits_for_the_callers_bye() {
    let site = Site::new("agent-waits-xml");
    let usher = Usher::start(&site);
    register(&site, "1009", 600);
    let mut agent = sipp(&site, "agent-waits.xml", site.agent("1009"), 5060, &[]);
    api::make_ready(&site, "1009");
    let (mut caller, _audio) = queued(&site, "caller-hangs-up", "13800000001", 5060);
    api::wait_agent(&site, "1009", "talking");
    caller.go_on();
    caller.finish();
    assert!(agent.wait(LONGEST).success(), "{}", agent.output());
    let (record, _) = api::last_call(&site, 1);
    assert_eq!(record["outcome"], "answered", "{record}");
    usher.stop();
}
