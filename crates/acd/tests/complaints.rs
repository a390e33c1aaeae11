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

/// The switch had no port to ring him from: no agent pays for that with half a minute, and with one agent the call
/// has nobody else to go to.
#[test]
fn a_shortage_of_the_switch_costs_the_agent_a_second_and_the_call_no_agent() {
    play(
        house(1),
        "0 ready 1
         0 call 1 gold
         -> present 1 to 1
         0 declines 1 1 shortage
         1 -> present 1 to 1
         1 answers 1 1",
    );
}

/// Nor does the call avoid him though another is on duty, who talks.
#[test]
fn a_call_goes_to_the_agent_again_who_could_not_be_rung() {
    play(
        house(2),
        "0 ready 1
         0 call 1 gold
         -> present 1 to 1
         answers 1 1
         1 ready 2
         1 call 2 gold
         -> present 2 to 2
         1 declines 2 2 shortage
         2 -> present 2 to 2
         2 answers 2 2",
    );
}

/// fusionpbx #6743: one setting makes callers jump ahead unfairly by a base score that grows with time in the system.
/// Here a head start is a property of the caller, fixed when he comes, and within his tier only.
#[test]
fn fusionpbx_6743_nobody_jumps_ahead_as_time_goes_by() {
    let mut config = house(1);
    config.senior_head_start = s(30);
    play(
        config,
        "0 call 1 gold
         20 call 2 gold senior
         100 call 3 gold senior
         1000 call 4 silver senior
         2000 ready 1
         -> present 2 to 1
         answers 1 2
         2001 ends 1 2
         -> present 1 to 1
         answers 1 1
         2002 ends 1 1
         -> present 3 to 1",
    );
}

/// asterisk #176, #1557 again: a thousand forced races between two phones that answer at once.
#[test]
fn asterisk_1557_a_thousand_double_answers_and_no_call_with_two_agents() {
    let mut config = house(2);
    config.agent_choice = acd::AgentChoice::RingAll;
    let mut world = World::new(config);
    (1..=2).for_each(|agent| world.input(Input::Ready { agent: AgentKey(agent) }));
    let mut turned_away = 0;
    for call in 1..=1_000u64 {
        let key = CallKey(call);
        world.input(Input::Offer { call: key, caller: acd::Caller::new(TierKey(1), QueueKey(0)) });
        let (first, second) = if call % 2 == 0 { (1, 2) } else { (2, 1) };
        world.input(Input::PickedUp { call: key, agent: AgentKey(first) });
        // The other's 200 crossed the withdrawal.
        world.input(Input::PickedUp { call: key, agent: AgentKey(second) });
        world.input(Input::Answered { call: key, agent: AgentKey(second) });
        world.input(Input::Answered { call: key, agent: AgentKey(first) });
        let talking =
            world.engine.agents().filter(|view| matches!(view.state, acd::AgentState::Talking { .. }));
        assert_eq!(talking.map(|view| view.agent).collect::<Vec<_>>(), [AgentKey(first)]);
        turned_away += world.take_heard().iter().filter(|words| words.ends_with("too-late")).count();
        world.input(Input::Ended { call: key, agent: AgentKey(first) });
    }
    assert_eq!(turned_away, 2_000);
    assert_eq!(world.engine.tier_stats(TierKey(1)).unwrap().counts.answered, 1_000);
}

/// freeswitch #2458: collapse and stuck calls from about 200 calls on. Here 5,000 wait, every one is served in order.
#[test]
fn freeswitch_2458_five_thousand_waiting_are_all_served_in_order() {
    let mut world = World::new(house(5));
    for call in 1..=5_000u64 {
        world.now = Instant::from_millis(call);
        let caller = acd::Caller::new(TierKey((call % 4) as u8), QueueKey(0));
        world.engine.handle(world.now, Input::Offer { call: CallKey(call), caller });
    }
    world.engine.check_invariants().unwrap();
    let mut order = Vec::new();
    (1..=5).for_each(|agent| world.engine.handle(world.now, Input::Ready { agent: AgentKey(agent) }));
    while let Some(output) = world.engine.poll_output() {
        if let Output::Present { call, agent, .. } = output {
            order.push((call.0 % 4, call.0));
            world.engine.handle(world.now, Input::Answered { call, agent });
            world.engine.handle(world.now, Input::Ended { call, agent });
        }
    }
    assert_eq!(order.len(), 5_000);
    assert!(order.is_sorted(), "value order, then age");
    world.engine.check_invariants().unwrap();
}

/// freeswitch #1674, #3091, OpenSIPS #2920: no second node knows what the first did. The engine's inputs are its state: a
/// follower that reads them decides the same, and goes on where the first ended.
#[test]
fn freeswitch_1674_a_follower_that_reads_the_journal_takes_over() {
    let journal = |world: &mut World| {
        world.script(
            "0 ready 1
             1 call 1 gold
             -> present 1 to 1
             answers 1 1
             2 call 2 ordinary
             3 call 3 gold senior",
        );
    };
    let (mut first, mut follower) = (World::new(house(2)), World::new(house(2)));
    journal(&mut first);
    journal(&mut follower);
    drop(first);
    // The caller 2 hung up and agent 1's talk ended while nobody listened: the dialogs say so.
    let truth = acd::Truth { waiting: [CallKey(3)].into(), ..acd::Truth::default() };
    follower.input(Input::Truth(Box::new(truth)));
    follower.script(
        "-> repaired CallGone(c2)
         -> repaired TalkOver(a1, c1)
         -> present 3 to 1",
    );
}

/// OpenSIPS #2974: always the first agent in the list.
#[test]
fn opensips_2974_work_goes_round() {
    for &choice in acd::AgentChoice::ALL {
        let mut config = house(3);
        (config.agent_choice, config.ring_together) = (choice, 1);
        let mut world = World::new(config);
        (1..=3).for_each(|agent| world.input(Input::Ready { agent: AgentKey(agent) }));
        let mut calls = [0; 4];
        for call in 1..=30u64 {
            world.run_until(Instant::from_secs(call * 10));
            world.input(Input::Offer {
                call: CallKey(call),
                caller: acd::Caller::new(TierKey(1), QueueKey(0)),
            });
            let heard = world.take_heard().concat();
            let agent: u32 = heard.rsplit(' ').next().unwrap().parse().unwrap();
            calls[agent as usize] += 1;
            world.input(Input::Answered { call: CallKey(call), agent: AgentKey(agent) });
            world.run_until(Instant::from_secs(call * 10 + 5));
            world.input(Input::Ended { call: CallKey(call), agent: AgentKey(agent) });
        }
        assert_eq!(calls[1..], [10, 10, 10], "{choice:?}");
    }
}

/// freeswitch #1148 (dead air), OpenSIPS #2679 (delay to free agents): the routing half. A free agent and a caller are
/// brought together by the very event that makes it possible, not by the next look of a timer.
#[test]
fn freeswitch_1148_no_decision_waits_for_a_timer() {
    for &policy in PolicyKind::ALL {
        let mut config = house(1);
        config.policy = policy;
        config.tiers.iter_mut().for_each(|tier| tier.idle_threshold = 0);
        play(
            config,
            "0.001 call 1 gold
             0.002 ready 1
             0.002 -> present 1 to 1
             0.003 answers 1 1
             0.004 call 2 gold
             0.005 ends 1 1
             0.005 -> present 2 to 1",
        );
    }
}

/// fusionpbx #2455, cwa-hotline #21: nobody tells the caller how long. Every waiting caller has an expected wait; it is
/// by tier, and its error is counted.
#[test]
fn fusionpbx_2455_every_waiting_caller_is_told() {
    let mut world = play(
        house(1),
        "0 ready 1
         0 call 1 gold
         -> present 1 to 1
         answers 1 1
         1 call 2 diamond
         1 call 3 ordinary",
    );
    world.input(Input::AskWait { call: CallKey(3) });
    assert!(world.take_heard().concat().starts_with("tell 3 "));
    let wait = |call| world.engine.expected_wait(world.now, CallKey(call)).unwrap();
    assert!(wait(2) < wait(3));
}

/// FreePBX #525: several callbacks to one person.
#[test]
fn freepbx_525_one_callback_to_a_person() {
    play(
        house(0),
        "0 promise 1 to 7 gold
         -> callback 1 waiting
         1 promise 2 to 7 gold
         -> callback 2 double
         2 promise 3 to 7 diamond queue=1
         -> callback 3 double
         3 cancel 1
         -> callback 1 cancelled
         4 promise 4 to 7 gold
         -> callback 4 waiting",
    );
}

/// FreePBX #124, freeswitch #2118, OpenACD #69: transfers break statistics and agents' states. A caller referred to
/// another queue is a call of that queue, with the same key; each answer counts once, each agent is free when his
/// own talk ends.
#[test]
fn freepbx_124_a_referred_caller_counts_once_in_each_queue_and_frees_his_agent() {
    let mut config = house(2);
    config.agents[0].queues = vec![QueueKey(0)];
    config.agents[1].queues = vec![QueueKey(1)];
    let world = play(
        config,
        "0 ready 1
         0 ready 2
         0 call 1 gold
         -> present 1 to 1
         answers 1 1
         60 ends 1 1
         60 call 1 gold queue=1
         -> present 1 to 2
         state 1 ready
         61 answers 2 1
         # The first agent's end of the referred call comes late: it is not the second's.
         62 ends 1 1
         state 2 talking
         90 ends 2 1
         state 2 ready",
    );
    for queue in [0, 1] {
        let counts = world.engine.queue_stats(world.now, QueueKey(queue)).unwrap().counts;
        assert_eq!((counts.offered, counts.answered, counts.waiting), (1, 1, 0));
    }
    assert_eq!(world.engine.counters().violations, 0);
}

/// kazoo #6608, amazon-connect-streams #344: an agent whose phone fails is tried for ever, or the caller's wait starts
/// anew with each try. He rests, the caller is offered to the next at once, and his wait is counted once.
#[test]
fn kazoo_6608_the_next_agent_at_once_and_the_wait_counted_once() {
    let world = play(
        house(2),
        "0 ready 1
         0 ready 2
         0 call 1 gold
         -> present 1 to 1
         15 -> withdraw 1 from 1 no-answer
         15 -> present 1 to 2
         20 answers 2 1",
    );
    let gold = world.engine.tier_stats(TierKey(1)).unwrap();
    assert_eq!((gold.counts.offered, gold.waits.sum_ms), (1, 20_000));
}

/// jambonz #1363: no event when a call leaves the queue. FreePBX #445: no cap. However a call leaves by the engine's will,
/// the driver hears of it, and full is full.
#[test]
fn jambonz_1363_every_call_that_the_engine_lets_go_is_reported() {
    let mut config = house(1);
    config.limits.calls_max = 3;
    config.queues[0].overflow.length = Some((2, acd::OverflowTarget::Hangup));
    config.queues[1].overflow.time = Some((s(10), acd::OverflowTarget::Hangup));
    play(
        config,
        "0 call 1 gold
         0 call 2 gold
         0 call 3 gold
         -> overflow 3 to goodbye length
         0 call 4 gold queue=1
         0 call 5 gold queue=1
         -> overflow 5 to goodbye limit
         10 -> overflow 4 to goodbye time",
    );
}
