//! Promised calls: the customer keeps his place, is rung over the trunk with the hotline's number when agents are free,
//! greeted, and joined with the agent; what comes between is told to whoever keeps the promise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use acd::CallbackRules;
use base::{Duration, UnixMillis, WallClock};
use call::admin::{Admin, AdminError};
use call::callback::State;
use call::record::Outcome;
use call::{Input, Settings};
use sim::house::{CARRIER, CARRIER_B};
use sim::{LineState, Manner, World};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const RULES: CallbackRules = CallbackRules {
    reserve: 0,
    attempts_max: 2,
    retry: Duration::from_secs(60),
    dial_max: Duration::from_secs(40),
    quiet: None,
    wall: WallClock { epoch: UnixMillis(0) },
    utc_offset_s: 0,
};

#[expect(clippy::unwrap_used, reason = "without a house there is no test")]
fn settings(agents: usize) -> Settings {
    let mut settings = sim::house::settings(agents).unwrap();
    settings.acd.callbacks = RULES;
    settings
}

fn talking(world: &World) -> usize {
    world.local.snapshot(world.now).calls.iter().filter(|call| call.phase == "talking").count()
}

/// One agent, busy with a caller; another caller who has taken a callback and is gone.
fn promised(seed: u64) -> (World, sim::world::Handle) {
    let mut world = World::with(seed, settings(1), 1);
    world.know("13900139000", "gold", "en", false);
    world.agents_ready(1);
    let busy = world.call("13800138000", "10000");
    world.run(s(5));
    world.press('0');
    assert!(world.run_until(s(60), |w| talking(w) == 1));
    wish(&mut world);
    (world, busy)
}

/// Asks for a person, waits a while, and takes a callback.
fn wish(world: &mut World) {
    let caller = world.call("013900139000", "10000");
    world.run(s(4));
    world.press('0');
    world.run(s(30));
    for _ in 0..2 {
        world.press('1');
        world.run(s(15));
    }
    assert!(world.run_until(s(60), |w| w.line(caller) == Some(LineState::Over(0))), "goodbye");
}

/// The busy agent's caller hangs up; the agent writes his notes for 5 s.
fn free(world: &mut World, busy: sim::world::Handle) {
    world.hang_up(busy);
    world.run(s(1));
}

fn states(world: &World) -> Vec<State> {
    let mut states: Vec<State> = world.callback_changes.iter().map(|change| change.state).collect();
    states.dedup();
    states
}

#[test]
fn the_customer_is_called_back_and_joined_with_the_agent() {
    let (mut world, busy) = promised(31);
    let [callback] = &world.callbacks[..] else { panic!("{:#?}", world.notices) };
    let queued = world.records.iter().find(|record| record.outcome == Outcome::Deflected).unwrap();
    assert_eq!((callback.call, callback.attempts, callback.terms.language.as_str()), (queued.key, 0, "en"));
    assert!(callback.since < callback.promised, "he keeps the place that he had in the queue");
    assert_eq!(states(&world), [State::Waiting], "nobody is free");
    free(&mut world, busy);
    assert!(world.run_until(s(60), |w| talking(w) == 1), "{:?}", world.callback_changes);
    let call = &world.local.snapshot(world.now).calls[0];
    assert_eq!((call.tier.as_str(), call.agent.as_deref()), ("gold", Some("1001")));
    let invite = &world.phones[&CARRIER].lines.last().unwrap().invite;
    assert!(invite.get("From").unwrap().contains("sip:10000@"), "the hotline's own number: {invite:?}");
    let legs: Vec<_> = world.voices.legs.keys().copied().collect();
    assert!(legs.len() == 2 && world.voices.joined(legs[0], legs[1]));
    world.run(s(20));
    world.hang_up(world.agent_line(0).unwrap());
    world.rest();
    assert_eq!(states(&world), [State::Waiting, State::Dialling, State::Reached, State::Kept]);
    let record = world.records.last().unwrap();
    assert_eq!((record.outcome, record.source.as_str()), (Outcome::Answered, "callback"));
    assert_eq!((record.caller.reveal().as_str(), record.dialled.as_str()), ("13900139000", "10000"));
    let story = World::story(record);
    for word in ["dialled callback", "answered", "queued vip", "presented 1001", "bridged 1001"] {
        assert!(story.iter().any(|step| step.starts_with(word)), "{word} not in {story:#?}");
    }
    let gold = &world.local.snapshot(world.now).tiers[1];
    assert_eq!((gold.called_back, gold.offered, gold.answered, gold.deflected), (1, 2, 1, 1));
}

#[test]
fn who_does_not_take_the_call_is_tried_again_and_then_given_up() {
    let (mut world, busy) = promised(32);
    for carrier in [CARRIER, CARRIER_B] {
        world.with_phone(carrier, |phone, _| phone.manner = Manner::Refuse(486));
    }
    free(&mut world, busy);
    world.run(s(400));
    world.rest();
    let ended = world.callback_changes.last().unwrap();
    assert_eq!((ended.state, ended.attempts), (State::NotReached, 2), "{:#?}", world.callback_changes);
    let tried: Vec<_> = world.records.iter().filter(|record| record.source == "callback").collect();
    assert_eq!(tried.len(), 2);
    assert!(tried.iter().all(|record| record.outcome == Outcome::NotReached), "{tried:#?}");
    assert!(tried[1].started.0 - tried[0].started.0 >= 60_000, "not before the pause is over");
}

#[test]
fn who_lets_it_ring_is_hung_up_on_and_tried_again() {
    let (mut world, busy) = promised(33);
    world.with_phone(CARRIER, |phone, _| phone.manner = Manner::Ring);
    free(&mut world, busy);
    world.run(s(30));
    world.with_phone(CARRIER, |phone, _| phone.manner = Manner::Answer(s(2)));
    assert!(world.run_until(s(200), |w| talking(w) == 1), "{:#?}", world.callback_changes);
    world.hang_up(world.agent_line(0).unwrap());
    world.rest();
    assert_eq!(world.callback_changes.last().unwrap().state, State::Kept);
}

#[test]
fn a_customer_who_has_a_promise_already_is_promised_no_second_call() {
    let (mut world, busy) = promised(34);
    free(&mut world, busy);
    // The agent is busy again before anybody can be called back.
    world.know("13700137000", "diamond", "en", false);
    let first = world.callbacks[0].key;
    world.tell(Input::Promised(Box::new(call::callback::Callback {
        key: base::CallbackKey(first.0 + 1_000),
        ..world.callbacks[0].clone()
    })));
    let last = world.callback_changes.last().unwrap();
    assert_eq!((last.key, last.state), (base::CallbackKey(first.0 + 1_000), State::Double));
    assert!(world.run_until(s(60), |w| talking(w) == 1));
    world.hang_up(world.agent_line(0).unwrap());
    world.rest();
    assert_eq!(world.records.iter().filter(|record| record.source == "callback").count(), 1);
}

#[test]
fn a_promise_is_taken_back_by_an_operator_or_in_the_store() {
    let (mut world, busy) = promised(35);
    let (callback, now) = (world.callbacks[0].key, world.now);
    let end = |world: &mut World, done| {
        let ended = world.local.admin(now, Admin::EndCallback { callback, done });
        // What it led to is carried out with the next event, whatever that is.
        world.tell(Input::MayCall { callback: base::CallbackKey(0), open: true });
        ended
    };
    assert_eq!(end(&mut world, true), Ok(()));
    assert_eq!(world.callback_changes.last().unwrap().state, State::Done);
    assert_eq!(end(&mut world, true), Err(AdminError::NoSuchCallback));
    wish(&mut world);
    // The second is taken back by a row of the store only: it is asked before anybody is called.
    let second = world.callbacks[1].key;
    world.taken_back.insert(second);
    free(&mut world, busy);
    world.run(s(120));
    world.rest();
    assert_eq!(world.callback_changes.last().unwrap().state, State::Cancelled);
    assert!(world.records.iter().all(|record| record.source != "callback"), "nobody was called");
}

#[test]
fn a_promise_of_the_last_run_is_kept_after_a_restart() {
    let (world, _) = promised(36);
    let kept = world.callbacks[0].clone();
    // Another process begins with what the store has.
    let mut world = World::with(37, settings(1), 1);
    world.tell(Input::Promised(Box::new(kept.clone())));
    world.tell(Input::Promised(Box::new(kept)));
    world.run(s(5));
    assert_eq!(states(&world), [State::Waiting], "taken up once; nobody is on duty");
    assert!(world.callbacks.is_empty(), "whoever keeps promises has it already");
    world.agents_ready(1);
    assert!(world.run_until(s(60), |w| talking(w) == 1), "{:?}", world.callback_changes);
    world.hang_up(world.agent_line(0).unwrap());
    world.rest();
    assert_eq!(world.callback_changes.last().unwrap().state, State::Kept);
    assert_eq!(world.records[0].tier_name, "gold");
}
