//! Promised calls, as scripts: the place is kept, live callers are not passed, free agents are not exceeded.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use acd::{CallbackKind, Input, Output, Promise, Quiet, Relax, Relaxation};
use base::{
    AgentKey, CallKey, CallbackKey, CustomerKey, Instant, QueueKey, SkillKey, TierKey, UnixMillis, WallClock,
};
use common::{World, agent, house, play, s};

/// A house whose callbacks leave nobody free for live callers, unless a test says so.
fn promising(agents: u32) -> acd::Config {
    let mut config = house(agents);
    config.callbacks.reserve = 0;
    config
}

#[test]
fn the_story_of_one_promise() {
    let world = play(
        promising(1),
        "0 ready 1
         0 call 1 gold
         -> present 1 to 1
         answers 1 1
         5 call 2 ordinary
         10 deflect 2
         10 promise 1 to 500 ordinary since=5
         -> callback 1 waiting
         60 ends 1 1
         -> dial 1 attempt 1
         70 customer-answers 1 3
         -> callback 1 reached
         -> present 3 to 1
         72 answers 1 3
         -> callback 1 kept",
    );
    let counts = world.engine.callback_counts();
    assert_eq!((counts.promised, counts.kept, counts.open, counts.dialled), (1, 1, 0, 1));
    let ordinary = world.engine.tier_stats(TierKey(3)).unwrap();
    assert_eq!((ordinary.counts.offered, ordinary.counts.deflected, ordinary.counts.called_back), (2, 1, 1));
    assert_eq!(ordinary.waits.max_ms, 2_000, "he has not been on the line since he first called");
}

#[test]
fn the_place_is_kept_and_older_live_callers_go_first() {
    play(
        promising(2),
        "0 ready 1
         0 call 1 ordinary
         -> present 1 to 1
         answers 1 1
         1 ready 2
         1 call 2 ordinary
         -> present 2 to 2
         answers 2 2
         10 promise 1 to 500 ordinary since=3
         -> callback 1 waiting
         20 ends 1 1
         -> dial 1 attempt 1
         # Two live callers take the free agents meanwhile; one is older, one younger than the promise.
         21 call 4 ordinary since=2
         -> present 4 to 1
         answers 1 4
         22 call 5 ordinary
         24 customer-answers 1 6
         -> callback 1 reached
         25 ends 2 2
         -> present 6 to 2
         answers 2 6
         -> callback 1 kept
         26 ends 1 4
         -> present 5 to 1",
    );
}

/// FreePBX #621: callbacks jump ahead, positions 6 and on starve, more callbacks are dialled than agents are free.
#[test]
fn freepbx_621_callbacks_never_pass_live_callers_and_never_exceed_the_free_agents() {
    let mut world = World::new(promising(3));
    world.script(
        "0 ready 1
         0 ready 2
         0 ready 3
         0 call 1 ordinary
         -> present 1 to 1
         answers 1 1
         0 call 2 ordinary
         -> present 2 to 2
         answers 2 2
         0 call 3 ordinary
         -> present 3 to 3
         answers 3 3",
    );
    for customer in 1..=20u64 {
        let promise = Promise::new(CustomerKey(customer), TierKey(3), QueueKey(0), Instant::from_secs(1));
        world.input(Input::Promise { callback: CallbackKey(customer), promise: Box::new(promise) });
    }
    (1..=20).for_each(|n| world.script_after(&format!("-> callback {n} waiting")));
    // Seven live callers wait: none of the promises, old as they are, is dialled before them.
    (11..=17).for_each(|n| world.script(&format!("2 call {n} ordinary")));
    world.script(
        "3 ends 1 1
         -> present 11 to 1
         answers 1 11
         4 ends 2 2
         -> present 12 to 2
         answers 2 12
         5 ends 3 3
         -> present 13 to 3
         answers 3 13
         6 abandon 14
         6 abandon 15
         6 abandon 16
         6 abandon 17
         7 ends 1 11
         -> dial 1 attempt 1
         # One agent is free, one customer is being dialled: no other.
         8 ends 2 12
         -> dial 2 attempt 1
         9 call 50 ordinary
         -> present 50 to 1
         # Two customers dialled, one agent free.
         10 ends 3 13
         11 customer-answers 1 60
         -> callback 1 reached
         -> present 60 to 2
         # One dialled, one free. The next only when one more is free.
         12 answers 1 50
         12 ends 1 50
         -> dial 3 attempt 1",
    );
    assert!(world.engine.callback_counts().dialling <= 2);
}

#[test]
fn a_reserve_is_left_to_live_callers() {
    let mut config = promising(3);
    config.callbacks.reserve = 2;
    play(
        config,
        "0 promise 1 to 500 ordinary
         -> callback 1 waiting
         0 ready 1
         0 ready 2
         1 ready 3
         -> dial 1 attempt 1",
    );
}

#[test]
fn three_attempts_with_time_between_and_then_it_is_given_up() {
    play(
        promising(1),
        "0 ready 1
         0 promise 1 to 500 gold
         -> callback 1 waiting
         -> dial 1 attempt 1
         20 customer-fails 1
         -> callback 1 scheduled 920
         920 -> callback 1 waiting
         920 -> dial 1 attempt 2
         # Nobody says what became of it: the deadline does.
         1010 -> stop-dial 1
         1010 -> callback 1 scheduled 1910
         1910 -> callback 1 waiting
         1910 -> dial 1 attempt 3
         1920 customer-fails 1
         -> callback 1 not-reached
         1921 customer-fails 1",
    );
}

#[test]
fn who_hangs_up_again_before_an_agent_comes_is_called_again() {
    play(
        promising(1),
        "0 ready 1
         0 promise 1 to 500 gold
         -> callback 1 waiting
         -> dial 1 attempt 1
         1 call 2 diamond
         -> present 2 to 1
         answers 1 2
         2 customer-answers 1 3
         -> callback 1 reached
         9 abandon 3
         -> callback 1 scheduled 909",
    );
}

#[test]
fn never_before_the_promised_hour_and_never_in_the_quiet_hours() {
    let mut config = promising(2);
    // The engine starts at 21:50 local time; quiet from 22:00 to 07:00.
    config.callbacks.quiet = Some(Quiet { from_min: 22 * 60, until_min: 7 * 60 });
    config.callbacks.wall = WallClock { epoch: UnixMillis((13 * 60 + 50) * 60_000) };
    config.callbacks.utc_offset_s = 8 * 3_600;
    play(
        config,
        "0 ready 1
         0 ready 2
         0 promise 1 to 500 gold not-before=300
         -> callback 1 scheduled 300
         300 -> callback 1 waiting
         300 -> dial 1 attempt 1
         310 customer-fails 1
         -> callback 1 scheduled 1210
         1210 -> callback 1 waiting
         7500 -> overdue 1
         # It was 22:10. It is dialled when the quiet hours end: 9 hours and 10 minutes after the start.
         33000 -> dial 1 attempt 2",
    );
}

#[test]
fn one_promise_of_a_kind_to_a_customer() {
    let world = play(
        promising(1),
        "0 promise 1 to 500 gold
         -> callback 1 waiting
         1 promise 2 to 500 gold
         -> callback 2 double
         2 promise 3 to 500 gold kind=visit
         -> callback 3 waiting
         3 promise 4 to 501 gold queue=77
         -> callback 4 refused
         4 cancel 3
         -> callback 3 cancelled
         5 cancel 3",
    );
    assert_eq!(world.engine.callback_counts().refused, 2);
    let open: Vec<_> = world.engine.callbacks().map(|view| (view.callback.0, view.promise.kind)).collect();
    assert_eq!(open, [(1, CallbackKind::Callback)]);
}

#[test]
fn who_calls_again_has_the_promised_place_and_is_not_called_back_too() {
    play(
        promising(1),
        "0 ready 1
         0 call 1 gold
         -> present 1 to 1
         answers 1 1
         5 promise 1 to 500 ordinary since=4
         -> callback 1 waiting
         6 promise 2 to 500 ordinary kind=complaint
         -> callback 2 waiting
         10 call 2 ordinary
         20 call 3 ordinary customer=500
         -> callback 1 called-again
         30 ends 1 1
         -> present 3 to 1",
    );
    // Even if he is being dialled.
    play(
        promising(1),
        "0 ready 1
         0 promise 1 to 500 ordinary
         -> callback 1 waiting
         -> dial 1 attempt 1
         1 call 3 ordinary customer=500
         -> stop-dial 1
         -> callback 1 called-again
         -> present 3 to 1",
    );
}

#[test]
fn the_earliest_due_is_dialled_first_and_the_overdue_are_reported() {
    let mut config = promising(1);
    config.tiers[0].due.callback = s(600);
    config.tiers[3].due.callback = s(7_200);
    play(
        config,
        "0 promise 1 to 501 ordinary
         -> callback 1 waiting
         1 promise 2 to 502 diamond
         -> callback 2 waiting
         2 promise 3 to 503 ordinary due=100
         -> callback 3 waiting
         100 -> overdue 3
         200 ready 1
         -> dial 3 attempt 1
         201 customer-answers 3 9
         -> callback 3 reached
         -> present 9 to 1
         202 answers 1 9
         -> callback 3 kept
         210 ends 1 9
         -> dial 2 attempt 1",
    );
}

#[test]
fn a_promise_waits_for_agents_who_can_help_and_dial_outs_of_others_do_not_count() {
    let mut config = promising(0);
    config.agents = vec![agent(1, &[0], &[(1, 9)]), agent(2, &[0], &[(2, 9)])];
    config.queues[0].relax = vec![Relaxation { after: s(50), change: Relax::DropSkill(SkillKey(3)) }];
    play(
        config,
        "0 ready 1
         0 promise 1 to 501 gold skill=2:5
         -> callback 1 waiting
         1 promise 2 to 502 gold skill=1:5
         -> callback 2 waiting
         -> dial 2 attempt 1
         2 promise 3 to 503 gold skill=1:5
         -> callback 3 waiting
         3 ready 2
         -> dial 1 attempt 1",
    );
}

#[test]
fn a_stranger_on_the_line_is_not_kept_waiting_for_nobody() {
    play(
        promising(1),
        "0 ready 1
         0 promise 1 to 500 gold
         -> callback 1 waiting
         -> dial 1 attempt 1
         1 cancel 1
         -> stop-dial 1
         -> callback 1 cancelled
         2 customer-answers 1 7
         -> overflow 7 to goodbye limit",
    );
}

#[test]
fn promises_come_back_after_a_restart_and_survive_a_reload() {
    let mut world = play(
        promising(1),
        "0 promise 1 to 500 gold attempts=2 due=50
         -> callback 1 waiting
         0 promise 2 to 501 gold not-before=40
         -> callback 2 scheduled 40",
    );
    world.input(Input::Configure(Box::new(promising(1))));
    world.script(
        "1 registers 1
         1 ready 1
         -> dial 1 attempt 3
         2 customer-fails 1
         -> callback 1 not-reached
         40 -> callback 2 waiting
         40 -> dial 2 attempt 1",
    );
    let mut config = promising(1);
    config.queues.remove(0);
    world.input(Input::Configure(Box::new(config)));
    world.script("-> stop-dial 2\n-> callback 2 cancelled");
}

#[test]
fn a_dial_out_that_nobody_makes_is_found_out() {
    let mut config = promising(1);
    config.audit = Some(s(30));
    let mut world = play(
        config,
        "0 ready 1
         0 promise 1 to 500 gold
         -> callback 1 waiting
         -> dial 1 attempt 1
         30 -> ask-truth",
    );
    world.input(Input::Truth(Box::default()));
    world.script(
        "-> repaired NotDialling(b1)
         -> callback 1 scheduled 930",
    );
    assert_eq!(world.engine.counters().stuck, 1);
}

#[test]
fn promises_are_limited() {
    let mut config = promising(1);
    config.limits.callbacks_max = 1;
    play(
        config,
        "0 promise 1 to 500 gold
         -> callback 1 waiting
         0 promise 2 to 501 gold
         -> callback 2 refused",
    );
}

#[test]
fn a_dial_out_is_explained() {
    let world = play(
        promising(1),
        "0 ready 1
         0 promise 1 to 500 gold
         -> callback 1 waiting
         -> dial 1 attempt 1",
    );
    let decision = world.engine.decisions().last().unwrap();
    assert_eq!(
        (decision.idle, decision.outcome.told(|_| String::new()).as_str()),
        (1, "called back, attempt 1: 0 others being called, 0 agents left to live callers")
    );
    let mut engine = world.engine;
    engine.handle(world.now, Input::DialAnswered { callback: CallbackKey(1), call: CallKey(9) });
    let rings = core::iter::from_fn(|| engine.poll_output())
        .any(|output| matches!(output, Output::Present { call: CallKey(9), agent: AgentKey(1), .. }));
    assert!(rings);
}

/// Live callers never stop coming, so that the promise would never find an agent whom nobody waits for.
#[test]
fn an_overdue_promise_competes_as_a_caller_of_its_tier_and_its_agent_is_held() {
    play(
        promising(2),
        "0 ready 1
         0 call 1 ordinary
         -> present 1 to 1
         answers 1 1
         10 promise 1 to 500 silver since=5 due=100
         -> callback 1 waiting
         11 call 2 ordinary
         20 ends 1 1
         # Not due: live callers go first.
         -> present 2 to 1
         answers 1 2
         21 call 3 gold
         22 call 4 silver
         23 call 5 ordinary
         100 -> overdue 1
         110 ends 1 2
         # Gold goes before silver, whoever is due.
         -> present 3 to 1
         answers 1 3
         120 ends 1 3
         # Of the silver ones the promise is older than the caller.
         -> dial 1 attempt 1
         # Nobody else gets the agent while the customer is called.
         121 call 6 gold
         state 1 ready
         130 customer-answers 1 7
         -> callback 1 reached
         -> present 7 to 1
         131 answers 1 7
         -> callback 1 kept
         140 ends 1 7
         -> present 6 to 1",
    );
}

#[test]
fn an_agent_is_held_no_longer_than_his_customer_is_called() {
    let mut config = promising(2);
    config.callbacks.retry = s(600);
    play(
        config,
        "0 ready 1
         0 call 1 ordinary
         -> present 1 to 1
         answers 1 1
         10 promise 1 to 500 silver since=5 due=100
         -> callback 1 waiting
         11 call 2 ordinary
         100 -> overdue 1
         110 ends 1 1
         -> dial 1 attempt 1
         112 customer-fails 1
         -> callback 1 scheduled 712
         -> present 2 to 1
         answers 1 2
         700 call 3 ordinary
         712 -> callback 1 waiting
         720 ends 1 2
         -> dial 1 attempt 2
         # The agent leaves: the customer waits as any other.
         721 not-ready 1 3
         725 customer-answers 1 8
         -> callback 1 reached
         730 ready 1
         -> present 8 to 1",
    );
}

#[test]
fn an_overdue_promise_is_tried_again_by_an_agent_left_to_live_callers() {
    let mut config = promising(1);
    config.callbacks.reserve = 1;
    config.callbacks.retry = s(60);
    play(
        config,
        "0 ready 1
         10 promise 1 to 500 ordinary since=5 due=100
         -> callback 1 waiting
         100 -> overdue 1
         100 -> dial 1 attempt 1
         110 customer-fails 1
         -> callback 1 scheduled 170
         170 -> callback 1 waiting
         170 -> dial 1 attempt 2",
    );
}

/// Due while agents are free: the agents left to live callers by the rules of callbacks do not hold it up, and the agent
/// is held although nobody waits.
#[test]
fn an_overdue_promise_takes_one_of_the_agents_left_to_live_callers() {
    let mut config = promising(1);
    config.callbacks.reserve = 1;
    play(
        config,
        "0 ready 1
         10 promise 1 to 500 ordinary since=5 due=100
         -> callback 1 waiting
         100 -> overdue 1
         100 -> dial 1 attempt 1
         105 call 2 gold
         110 cancel 1
         -> stop-dial 1
         -> callback 1 cancelled
         -> present 2 to 1",
    );
}

#[test]
fn an_overdue_promise_is_not_dialled_in_quiet_hours() {
    let mut config = promising(1);
    config.callbacks.wall = WallClock { epoch: UnixMillis(0) };
    config.callbacks.quiet = Some(Quiet { from_min: 0, until_min: 60 });
    play(
        config,
        "10 promise 1 to 500 silver since=5 due=100
         -> callback 1 waiting
         100 -> overdue 1
         110 call 1 ordinary
         120 ready 1
         -> present 1 to 1",
    );
}
