//! Callers and agents as most tests need them.

use tests::audio::{Audio, Signal};
use tests::sipp::{Plan, Sipp, register};
use tests::site::Site;

/// A caller of the trunk who has been answered, and his ears and mouth.
pub(crate) fn call(site: &Site, scenario: &str, caller: &str, dialled: &str) -> (Sipp, Audio) {
    let audio = Audio::bind(site.carrier());
    let mut sipp = Plan::new(site, scenario, site.carrier())
        .key("caller", caller)
        .key("dialled", dialled)
        .audio(&audio)
        .start();
    sipp.wait("answered");
    (sipp, audio)
}

/// A caller who has chosen to speak to a person.
pub(crate) fn queued(site: &Site, scenario: &str, caller: &str, port: u16) -> (Sipp, Audio) {
    let audio = Audio::bind(site.carrier());
    let plan = Plan::new(site, scenario, site.carrier()).port(port).audio(&audio);
    let mut sipp = plan.key("caller", caller).key("dialled", "10000").start();
    sipp.wait("answered");
    audio.wait_prompt("zh", "menu-ordinary");
    audio.press(b'0');
    audio.wait_prompt("zh", "connecting");
    (sipp, audio)
}

/// An agent's registered telephone that waits for a call.
pub(crate) fn telephone(site: &Site, scenario: &str, number: &str) -> (Sipp, Audio) {
    register(site, number, 600);
    let audio = Audio::bind(site.agent(number));
    (Plan::new(site, scenario, site.agent(number)).audio(&audio).start(), audio)
}

/// One whose user refers the caller to `target`.
pub(crate) fn telephone_that_refers(site: &Site, number: &str, target: &str) -> (Sipp, Audio) {
    register(site, number, 600);
    let audio = Audio::bind(site.agent(number));
    let plan = Plan::new(site, "agent-refers", site.agent(number)).audio(&audio);
    (plan.key("refer_to", target).start(), audio)
}

/// Each hears the other, byte for byte.
pub(crate) fn assert_talk(one: &Audio, other: &Audio) {
    one.say(Signal::Noise(11));
    other.say(Signal::Noise(12));
    one.wait_noise(12);
    other.wait_noise(11);
}

/// An agent on duty with a caller, talking.
pub(crate) struct Talk {
    /// The caller, who hangs up when told to go on.
    pub(crate) caller: Sipp,
    /// His ears and mouth.
    pub(crate) caller_audio: Audio,
    /// The agent, who waits for BYE.
    pub(crate) agent: Sipp,
    /// His.
    pub(crate) agent_audio: Audio,
}

/// A caller of number 13800000001 talks to agent 1009.
pub(crate) fn talk(site: &Site) -> Talk {
    let (mut agent, agent_audio) = telephone(site, "agent-hung-up", "1009");
    tests::api::make_ready(site, "1009");
    let (caller, caller_audio) = queued(site, "caller-hangs-up", "13800000001", 5060);
    agent.wait("ringing");
    agent.go_on();
    agent.wait("talking");
    assert_talk(&caller_audio, &agent_audio);
    Talk { caller, caller_audio, agent, agent_audio }
}
