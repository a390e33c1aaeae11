//! What users of other distributors suffered, replayed. Each test names the public thread it comes from.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use acd::{Input, Output, PolicyKind, QueueConfig};
use base::{AgentKey, CallKey, Duration, Instant, QueueKey, TierKey};
use common::{World, agent, house, play, s};

/// asterisk #1561: a caller of a heavy queue whom nobody can serve yet blocks a lighter queue.
#[test]
fn asterisk_1561_a_head_that_nobody_may_serve_does_not_block_others() {
    for &policy in PolicyKind::ALL {
        let mut config = house(0);
        config.policy = policy;
        // A fixed reserve of one of the only two agents would forbid what the script asks for.
        config.tiers.iter_mut().for_each(|tier| tier.idle_threshold = 0);
        config.agents = vec![agent(1, &[0, 1], &[(1, 1)]), agent(2, &[0, 1], &[])];
        play(
            config,
            "0 call 1 diamond skill=9:1
             1 call 2 diamond queue=1 skill=1:5
             2 call 3 ordinary queue=1
             3 ready 1
             -> present 3 to 1
             4 call 4 gold
             5 ready 2
             -> present 4 to 2",
        );
    }
}

/// freeswitch #2511: a call with score 53 was served before one with 303.
#[test]
fn freeswitch_2511_the_same_tier_is_served_by_age_across_queues() {
    play(
        house(1),
        "0 call 303 gold queue=1
         250 call 53 gold
         303 ready 1
         -> present 303 to 1",
    );
}

/// comms-router #15: a freed agent takes from one queue while another holds a higher priority.
#[test]
fn comms_router_15_one_decision_over_all_queues_of_the_agent() {
    play(
        house(1),
        "0 call 1 ordinary
         1 call 2 diamond queue=1
         2 ready 1
         -> present 2 to 1
         answers 1 2
         3 call 3 gold queue=1
         4 call 4 silver
         5 ends 1 2
         -> present 3 to 1",
    );
}

/// freeswitch #2540, #1973, #1216; OpenSIPS #3123: agents for ever Reserved, Receiving or "incall".
#[test]
fn freeswitch_2540_every_state_ends_though_nobody_says_so() {
    let mut config = house(3);
    config.queues[0].wrap_up = s(10);
    let mut world = play(
        config,
        "0 ready 1
         0 ready 2
         0 ready 3
         0 call 1 gold
         -> present 1 to 1
         0 call 2 gold
         -> present 2 to 2
         0 call 3 gold
         -> present 3 to 3
         # 1 rings for ever, 2 picked up and was lost, 3 talks and his BYE is lost.
         1 picks-up 2 2
         1 answers 3 3
         2 abandon 1
         -> withdraw 1 from 1 caller-gone
         31 -> withdraw 2 from 2 agent-left
         31 -> present 2 to 1
         32 answers 1 2",
    );
    // The driver's table of dialogs knows better than both talks.
    world.input(Input::Truth(Box::default()));
    world.script("-> repaired TalkOver(a1, c2)\n-> repaired TalkOver(a3, c3)\nstate 1 wrap-up\nstate 3 wrap-up\n100 state 1 ready\nstate 2 ready\nstate 3 ready");
    // And without any reconciler a talk has a last deadline.
    world.script("100 call 4 gold\n-> present 4 to 1\n100 answers 1 4");
    world.run_until(Instant::from_secs(100) + Duration::from_secs(4 * 3600 + 10));
    world.script("state 1 ready");
    assert!(world.engine.counters().stuck >= 4);
}

/// asterisk #668 and kin (queue deadlocks), freeswitch #1641: whatever order events come in, a caller and a free
/// agent who fit never both wait. The audit after every step says so; here the awkward order.
#[test]
fn asterisk_668_no_order_of_events_leaves_caller_and_agent_waiting_for_each_other() {
    play(
        house(2),
        "0 vanishes 1
         0 ready 1
         0 call 1 gold
         1 dials 1
         1 registers 1
         2 hangs-up 1
         -> present 1 to 1
         2 declines 1 1 unreachable
         2 vanishes 1
         3 registers 1
         32 -> present 1 to 1
         32 not-ready 1 2
         -> withdraw 1 from 1 agent-left
         32 end-wrap-up 1
         32 ready 1
         -> present 1 to 1",
    );
}

/// asterisk #202: a new priority does not take effect for those who wait.
#[test]
fn asterisk_202_a_promoted_caller_is_next() {
    let world = play(
        house(1),
        "0 call 1 gold
         1 call 2 ordinary
         2 promote 2 diamond
         3 ready 1
         -> present 2 to 1",
    );
    let tier = |tier| world.engine.tier_stats(TierKey(tier)).unwrap().counts;
    assert_eq!((tier(3).moved_out, tier(0).moved_in, tier(0).waiting), (1, 1, 1));
}

/// asterisk #176, #1557: one call answered by two agents, two calls to one agent.
#[test]
fn asterisk_176_a_late_answer_is_turned_away() {
    let mut config = house(2);
    config.declined.no_answer = acd::Consequence::Stay;
    play(
        config,
        "0 ready 1
         0 call 1 gold
         -> present 1 to 1
         5 ready 2
         15 -> withdraw 1 from 1 no-answer
         15 -> present 1 to 2
         # His 200 crossed the withdrawal.
         15 answers 1 1
         -> withdraw 1 from 1 too-late
         15 call 2 gold
         -> present 2 to 1
         16 answers 1 1
         -> withdraw 1 from 1 too-late
         16 answers 2 1
         16 picks-up 1 1
         -> withdraw 1 from 1 too-late
         17 answers 1 2",
    );
}

/// asterisk #1006, #607: wrap-up ignored or reset.
#[test]
fn asterisk_1006_wrap_up_is_kept_whatever_happens_meanwhile() {
    let mut config = house(2);
    config.queues[0].wrap_up = s(30);
    config.queues[1].wrap_up = s(5);
    play(
        config,
        "0 ready 1
         0 call 1 gold
         -> present 1 to 1
         answers 1 1
         10 ends 1 1
         11 call 2 diamond queue=1
         12 vanishes 1
         13 registers 1
         14 dials 1
         15 hangs-up 1
         16 ends 1 1
         39 state 1 wrap-up
         40 -> present 2 to 1",
    );
}

/// asterisk #1736: callers counted twice when they leave in unusual ways.
#[test]
fn asterisk_1736_every_caller_is_counted_once() {
    let world = play(
        house(1),
        "0 ready 1
         0 call 1 gold
         -> present 1 to 1
         15 -> withdraw 1 from 1 no-answer
         16 abandon 1
         16 abandon 1
         17 call 2 gold
         18 deflect 2
         18 abandon 2
         19 ready 1
         19 call 3 gold
         -> present 3 to 1
         20 abandon 3
         -> withdraw 3 from 1 caller-gone
         20 answers 1 3
         -> withdraw 3 from 1 too-late",
    );
    let gold = world.engine.tier_stats(TierKey(1)).unwrap().counts;
    assert_eq!((gold.offered, gold.answered, gold.abandoned, gold.deflected, gold.waiting), (3, 0, 2, 1, 0));
}

/// asterisk #66, #395: reasons of a pause are lost.
#[test]
fn asterisk_66_the_reason_is_kept() {
    play(
        house(1),
        "0 ready 1
         1 not-ready 1 3
         state 1 not-ready:3
         2 vanishes 1
         3 registers 1
         state 1 not-ready:3
         4 not-ready 1 5
         state 1 not-ready:5",
    );
}

/// asterisk #1961, #1214: one device's change runs through every queue.
#[test]
fn asterisk_1961_an_agents_change_touches_his_own_queues_only() {
    let mut config = house(0);
    let queues: Vec<u16> = (0..10_000).collect();
    config.queues = queues.iter().map(|&key| QueueConfig::new(QueueKey(key), "q")).collect();
    config.agents = vec![agent(1, &queues, &[]), agent(2, &[9_999], &[])];
    let mut world = World::new(config);
    // A call in each of 5,000 queues waits; agent 2's change looks at the lines of his queue alone.
    for key in 0..5_000u16 {
        let caller = acd::Caller::new(TierKey(3), QueueKey(key));
        world.engine.handle(world.now, Input::Offer { call: CallKey(u64::from(key)), caller });
    }
    for _ in 0..2_000 {
        world.engine.handle(world.now, Input::Ready { agent: AgentKey(2) });
        world.engine.handle(world.now, Input::NotReady { agent: AgentKey(2), reason: 1 });
    }
    let mut changes = 0;
    while let Some(output) = world.engine.poll_output() {
        assert!(matches!(output, Output::AgentChanged { agent: AgentKey(2), .. }), "{output:?}");
        changes += 1;
    }
    assert_eq!(changes, 4_000);
}

/// amazon-connect-streams #292, kazoo #6608: a rejecting or absent agent is rung in a loop.
#[test]
fn rona_an_absent_agent_is_not_rung_in_a_loop() {
    let mut world = play(house(2), "0 ready 1\n0 ready 2");
    for call in 1..=50 {
        world.input(Input::Offer { call: CallKey(call), caller: acd::Caller::new(TierKey(1), QueueKey(0)) });
    }
    world.run_until(Instant::from_secs(3600));
    assert_eq!(world.engine.counters().presented, 2, "each is rung once and then not ready");
    assert_eq!(world.engine.waiting(), 50);
}

/// Teams #9902: the place is lost on re-entry. freeswitch #1148 is about sound; its routing half is that the
/// caller whose agent failed stands before everybody who came later.
#[test]
fn the_caller_whose_agent_failed_stays_first() {
    play(
        house(2),
        "0 ready 1
         0 call 1 gold
         -> present 1 to 1
         1 call 2 gold
         2 call 3 gold
         3 declines 1 1 unreachable
         4 ready 2
         -> present 1 to 2
         5 declines 2 1 unreachable
         33 -> present 1 to 1
         34 answers 1 1
         35 -> present 2 to 2",
    );
}
