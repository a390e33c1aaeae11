//! The same call over TCP.

use tests::api;
use tests::audio::Audio;
use tests::sipp::Plan;
use tests::site::Site;
use tests::usher::Usher;

use crate::people::assert_talk;

#[test]
fn the_whole_call_over_tcp() {
    let site = Site::new("tcp");
    let usher = Usher::start(&site);
    Plan::new(&site, "register", site.agent("1009"))
        .port(5070)
        .tcp()
        .key("number", "1009")
        .key("domain", "hotline.example")
        .key("expires", "600")
        .key("contact_port", "5060")
        .credentials("1009", "change-me-1009", "hotline.example")
        .start()
        .finish();
    let agent_audio = Audio::bind(site.agent("1009"));
    let mut agent = Plan::new(&site, "agent-hung-up", site.agent("1009")).tcp().audio(&agent_audio).start();
    api::make_ready(&site, "1009");
    let audio = Audio::bind(site.carrier());
    let caller = Plan::new(&site, "caller-hangs-up", site.carrier()).tcp().audio(&audio);
    let mut caller = caller.key("caller", "13800000001").key("dialled", "10000").start();
    caller.wait("answered");
    audio.wait_prompt("zh", "menu-ordinary");
    audio.press(b'0');
    agent.wait("ringing");
    agent.go_on();
    agent.wait("talking");
    assert_talk(&audio, &agent_audio);
    caller.go_on();
    let messages = caller.finish();
    assert!(messages.contains("Via: SIP/2.0/TCP"), "{messages}");
    agent.finish();
    let (record, _) = api::last_call(&site, 1);
    assert_eq!((&record["outcome"], &record["agent"]), (&"answered".into(), &"1009".into()), "{record}");
    usher.stop();
}
