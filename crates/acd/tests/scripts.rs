//! What a call centre's manager expects, as scripts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use acd::{
    AgentChoice, AgentState, ConfigError, Consequence, Engine, Input, Overflow, OverflowTarget, PolicyKind,
    QueueConfig, Relax, Relaxation,
};
use base::{AgentKey, CallKey, QueueKey, Seed, SkillKey, TierKey};
use common::{World, agent, house, play, s};

#[test]
fn the_story_of_one_call() {
    let mut config = house(1);
    config.queues[0].wrap_up = s(10);
    play(
        config,
        "0 ready 1
         1 call 7 gold
         -> present 7 to 1
         state 1 reserved
         4 picks-up 1 7
         7 answers 1 7
         state 1 talking
         60 ends 1 7
         state 1 wrap-up
         69 state 1 wrap-up
         70 state 1 ready",
    );
}

#[test]
fn tiers_in_value_order_and_the_oldest_first_within() {
    play(
        house(1),
        "0 call 1 ordinary
         1 call 2 gold
         2 call 3 gold
         3 call 4 diamond
         9 ready 1
         -> present 4 to 1
         answers 1 4
         10 ends 1 4
         -> present 2 to 1
         answers 1 2
         11 ends 1 2
         -> present 3 to 1
         answers 1 3
         12 ends 1 3
         -> present 1 to 1",
    );
}

#[test]
fn emergencies_and_complaints_go_ahead_within_their_tier_only() {
    play(
        house(1),
        "0 call 1 gold
         1 call 2 gold complaint
         2 call 3 gold emergency
         3 call 4 diamond
         9 ready 1
         -> present 4 to 1
         answers 1 4
         ends 1 4
         -> present 3 to 1
         answers 1 3
         ends 1 3
         -> present 2 to 1
         answers 1 2
         ends 1 2
         -> present 1 to 1",
    );
}

#[test]
fn seniors_win_ties_and_may_get_a_head_start() {
    let script = "0 call 1 gold
         0 call 2 gold senior
         9 ready 1
         -> present 2 to 1
         answers 1 2
         10 call 3 gold
         12 call 4 gold senior
         12 ends 1 2
         -> present 1 to 1
         answers 1 1
         13 ends 1 1";
    play(house(1), &format!("{script}\n-> present 3 to 1"));
    let mut config = house(1);
    config.senior_head_start = s(5);
    play(config, &format!("{script}\n-> present 4 to 1"));
}

#[test]
fn three_rings_then_the_next_agent_and_the_place_is_kept() {
    play(
        house(2),
        "0 ready 1
         1 ready 2
         2 call 7 gold
         -> present 7 to 1
         3 call 8 gold
         -> present 8 to 2
         4 answers 2 8
         5 call 9 gold
         17 -> withdraw 7 from 1 no-answer
         17 state 1 not-ready:0
         20 ends 2 8
         -> present 7 to 2",
    );
}

#[test]
fn a_rejected_call_goes_to_another_and_not_back_at_once() {
    play(
        house(2),
        "0 ready 1
         0 call 7 gold
         -> present 7 to 1
         1 declines 1 7 rejected
         state 1 rests
         5 ready 2
         -> present 7 to 2
         6 declines 2 7 busy
         # Both have failed: now there is nobody else, and the first to be free again gets it.
         11 -> present 7 to 1",
    );
}

#[test]
fn the_only_agent_is_rung_again_after_a_rest() {
    play(
        house(1),
        "0 ready 1
         0 call 7 gold
         -> present 7 to 1
         1 declines 1 7 rejected
         11 -> present 7 to 1",
    );
}

#[test]
fn who_declines_keeps_working_for_others_if_the_house_says_so() {
    let mut config = house(2);
    config.declined.rejected = Consequence::Stay;
    play(
        config,
        "0 ready 1
         1 ready 2
         1 call 5 gold
         -> present 5 to 1
         2 call 6 gold
         -> present 6 to 2
         3 answers 2 6
         4 declines 1 5 rejected
         # Agent 2 is on duty, so call 5 waits for him; agent 1 takes another.
         5 call 7 silver
         -> present 7 to 1
         6 ends 2 6
         -> present 5 to 2",
    );
}

#[test]
fn the_avoided_agent_gets_the_call_when_the_others_go_home() {
    let mut config = house(2);
    config.declined.rejected = Consequence::Stay;
    play(
        config,
        "0 ready 1
         1 ready 2
         2 not-ready 2 3
         2 ready 2
         2 call 5 gold
         -> present 5 to 1
         2 call 6 gold
         -> present 6 to 2
         3 answers 2 6
         4 declines 1 5 rejected
         5 logout 2
         -> present 5 to 1",
    );
}

#[test]
fn not_ready_and_logout_while_ringing_give_the_call_back() {
    play(
        house(2),
        "0 ready 1
         1 ready 2
         2 call 7 gold
         -> present 7 to 1
         3 not-ready 1 4
         -> withdraw 7 from 1 agent-left
         -> present 7 to 2
         state 1 not-ready:4
         4 logout 2
         -> withdraw 7 from 2 agent-left
         state 2 logged-out
         5 ready 1
         -> present 7 to 1
         6 vanishes 1
         -> withdraw 7 from 1 agent-left
         state 1 unreachable
         7 registers 1
         -> present 7 to 1",
    );
}

#[test]
fn wishes_said_while_talking_come_true_afterwards() {
    let mut config = house(2);
    config.queues[0].wrap_up = s(10);
    play(
        config,
        "0 ready 1
         0 call 7 gold
         -> present 7 to 1
         1 answers 1 7
         2 not-ready 1 6
         state 1 talking
         10 ends 1 7
         state 1 wrap-up
         20 state 1 not-ready:6
         21 ready 2
         21 call 8 gold
         -> present 8 to 2
         22 answers 2 8
         23 logout 2
         30 ends 2 8
         state 2 logged-out",
    );
}

#[test]
fn wrap_up_ends_by_deadline_by_word_and_by_ready() {
    let mut config = house(1);
    config.queues[0].wrap_up = s(10);
    play(
        config,
        "0 ready 1
         0 call 1 gold
         -> present 1 to 1
         answers 1 1
         1 ends 1 1
         2 call 2 gold
         3 end-wrap-up 1
         -> present 2 to 1
         answers 1 2
         4 ends 1 2
         5 call 3 gold
         6 ready 1
         -> present 3 to 1
         answers 1 3
         7 ends 1 3
         8 call 4 gold
         17 -> present 4 to 1",
    );
}

#[test]
fn an_agent_in_his_own_call_is_not_rung() {
    play(
        house(1),
        "0 ready 1
         1 dials 1
         state 1 engaged
         2 call 7 gold
         3 hangs-up 1
         -> present 7 to 1",
    );
}

#[test]
fn a_caller_who_leaves_while_it_rings_frees_the_agent_for_the_next() {
    play(
        house(1),
        "0 ready 1
         0 call 7 gold
         -> present 7 to 1
         1 call 8 silver
         2 abandon 7
         -> withdraw 7 from 1 caller-gone
         -> present 8 to 1
         3 picks-up 1 8
         4 abandon 8
         -> withdraw 8 from 1 caller-gone
         state 1 ready",
    );
}

#[test]
fn who_was_only_rung_keeps_his_turn() {
    play(
        house(2),
        "0 ready 1
         1 ready 2
         2 call 7 gold
         -> present 7 to 1
         5 abandon 7
         -> withdraw 7 from 1 caller-gone
         6 call 8 gold
         -> present 8 to 1",
    );
}

/// The reserve of a higher tier never costs a lower one its floor.
#[test]
fn a_floor_owed_goes_before_a_reserve() {
    let mut config = house(1);
    config.policy = PolicyKind::Debt3;
    config.tiers[0].reserve_max = 2.0;
    let mut world = World::new(config);
    diamonds_give_up(&mut world);
    world.script(
        "1 ready 1
         2 call 1 ordinary
         -> present 1 to 1
         3 answers 1 1
         4 ends 1 1",
    );
    // The next owes a fifth of a call to the floor, for which the first has paid: the reserve holds it back.
    world.script("10 call 2 ordinary");
    world.run_until(base::Instant::from_secs(15));
    assert_eq!(world.engine.agent(AgentKey(1)).unwrap().state, AgentState::Ready);
}

/// Fifty diamonds come and give up: as much is owed as can be, and the reserve is as large as it may be.
fn diamonds_give_up(world: &mut World) {
    for call in 100..150 {
        world.input(Input::Offer { call: CallKey(call), caller: acd::Caller::new(TierKey(0), QueueKey(0)) });
        world.input(Input::Abandon { call: CallKey(call) });
    }
    assert_eq!(world.engine.tier_stats(TierKey(0)).unwrap().debts.unwrap().reserve, 2.0);
}

/// A reserve keeps the free agent for the diamonds of a bad hour, but not for ever when none comes.
#[test]
fn a_reserve_in_vain_is_given_up() {
    let mut config = house(1);
    config.policy = PolicyKind::Debt3;
    config.tiers[0].reserve_max = 2.0;
    config.tiers[3].floor = 0.0;
    let mut world = World::new(config);
    diamonds_give_up(&mut world);
    world.script(
        "1 ready 1
         2 call 1 ordinary
         3 call 2 diamond
         -> present 2 to 1
         4 answers 1 2
         5 ends 1 2",
    );
    world.run_until(base::Instant::from_secs(30));
    assert_eq!(world.engine.agent(AgentKey(1)).unwrap().state, AgentState::Ready);
    assert!(world.engine.counters().held_back > 0);
    world.run_until(base::Instant::from_secs(400));
    assert!(
        matches!(world.engine.agent(AgentKey(1)).unwrap().state, AgentState::NotReady { .. }),
        "he was rung"
    );
}

#[test]
fn voices_that_are_never_joined_do_not_hold_the_agent() {
    play(
        house(1),
        "0 ready 1
         0 call 7 gold
         -> present 7 to 1
         5 picks-up 1 7
         35 -> withdraw 7 from 1 agent-left
         35 state 1 rests",
    );
}

#[test]
fn manager_a_then_b_then_the_pool() {
    play(
        house(3),
        "0 ready 1
         0 ready 2
         0 ready 3
         0 call 1 ordinary last=1
         -> present 1 to 1
         answers 1 1
         0 call 2 ordinary last=2
         -> present 2 to 2
         answers 2 2
         1 call 9 diamond A=1 B=2
         # Agent 3 is free, but the diamond caller's own people are at work.
         31 -> present 9 to 3
         answers 3 9
         32 call 8 diamond A=1 B=2
         40 ends 2 2
         # A has fifteen seconds to himself.
         47 -> present 8 to 2",
    );
}

#[test]
fn a_manager_who_is_away_is_not_waited_for_and_may_still_take_his_caller() {
    let mut config = house(3);
    config.agents[0].queues = vec![QueueKey(1)];
    play(
        config,
        "0 ready 3
         0 call 1 gold
         -> present 1 to 3
         0 call 9 diamond A=1 B=2
         1 call 8 diamond A=1
         5 ready 1
         -> present 9 to 1
         answers 1 9
         6 logout 1
         6 ends 1 9
         7 answers 3 1
         8 ends 3 1
         -> present 8 to 3",
    );
}

#[test]
fn when_the_manager_goes_off_duty_his_waiting_caller_moves_on_at_once() {
    play(
        house(2),
        "0 ready 1
         0 call 1 gold
         -> present 1 to 1
         answers 1 1
         1 ready 2
         1 call 9 diamond A=1
         2 logout 1
         -> present 9 to 2",
    );
}

#[test]
fn the_last_agent_is_tried_first_for_a_while() {
    play(
        house(2),
        "0 ready 1
         1 ready 2
         2 call 5 gold last=2
         -> present 5 to 2
         answers 2 5
         3 call 6 gold last=2
         13 -> present 6 to 1",
    );
}

#[test]
fn skills_with_levels_and_their_relaxation() {
    let mut config = house(0);
    config.agents = vec![agent(1, &[0], &[(1, 3)]), agent(2, &[0], &[]), agent(3, &[1], &[(1, 9)])];
    config.queues[0].relax = vec![
        Relaxation { after: s(10), change: Relax::LowerLevels(2) },
        Relaxation { after: s(20), change: Relax::DropSkill(SkillKey(1)) },
        Relaxation { after: s(30), change: Relax::Borrow(QueueKey(1)) },
    ];
    play(
        config,
        "0 ready 1
         0 ready 2
         0 ready 3
         0 call 7 gold skill=1:5
         10 -> present 7 to 1
         11 answers 1 7
         12 call 8 gold skill=1:5
         32 -> present 8 to 2
         33 answers 2 8
         34 call 9 gold skill=1:5
         64 -> present 9 to 3",
    );
}

#[test]
fn the_versatile_stay_free() {
    let mut config = house(0);
    config.agents = vec![agent(1, &[0, 1], &[(1, 9)]), agent(2, &[0], &[])];
    let script = |first| format!("0 ready 1\n1 ready 2\n2 call 7 gold\n-> present 7 to {first}");
    play(config.clone(), &script(2));
    config.agent_choice = AgentChoice::LongestIdle;
    play(config, &script(1));
}

#[test]
fn the_best_at_it_or_the_least_worked_or_in_turn() {
    let mut config = house(0);
    config.agents = vec![agent(1, &[0], &[(1, 5)]), agent(2, &[0], &[(1, 9)])];
    config.agent_choice = AgentChoice::SkillLevel;
    play(config.clone(), "0 ready 1\n1 ready 2\n2 call 7 gold skill=1:1\n-> present 7 to 2");
    let work = "0 ready 1
         1 call 1 gold
         -> present 1 to 1
         answers 1 1
         2 ends 1 1
         3 ready 2
         4 call 2 gold
         -> present 2 to 2";
    config.agent_choice = AgentChoice::FewestCalls;
    play(config.clone(), work);
    config.agent_choice = AgentChoice::RoundRobin;
    play(config, work);
}

fn overflowing(overflow: Overflow) -> acd::Config {
    let mut config = house(1);
    config.queues[0].overflow = overflow;
    config
}

#[test]
fn overflow_by_time_lets_a_ringing_phone_ring() {
    let target = OverflowTarget::Flow("sorry".into());
    play(
        overflowing(Overflow { time: Some((s(20), target)), ..Overflow::default() }),
        "0 call 1 gold
         10 ready 1
         -> present 1 to 1
         11 call 2 gold
         25 -> withdraw 1 from 1 no-answer
         25 -> overflow 1 to flow sorry time
         31 -> overflow 2 to flow sorry time",
    );
}

#[test]
fn overflow_by_length_and_by_nobody_there() {
    let length = Overflow { length: Some((1, OverflowTarget::Hangup)), ..Overflow::default() };
    play(overflowing(length), "0 call 1 gold\n0 call 2 diamond\n-> overflow 2 to goodbye length");
    let target = OverflowTarget::Queue(QueueKey(1));
    let nobody = Overflow { no_agents: Some((s(5), target)), ..Overflow::default() };
    let mut config = overflowing(nobody);
    config.agents.push(agent(9, &[1], &[]));
    config.agents[0].queues = vec![QueueKey(0)];
    play(
        config,
        "0 ready 1
         10 logout 1
         12 call 1 gold
         13 ready 9
         15 -> overflow 1 to queue 1 no-agents
         15 -> present 1 to 9
         16 call 2 gold
         -> overflow 2 to queue 1 no-agents
         17 ready 1
         17 call 3 gold
         -> present 3 to 1",
    );
}

#[test]
fn overflow_round_in_circles_ends_and_the_caller_stays() {
    let mut config = house(1);
    let to = |queue| Overflow {
        time: Some((s(10), OverflowTarget::Queue(QueueKey(queue)))),
        ..Overflow::default()
    };
    config.queues[0].overflow = to(1);
    config.queues[1].overflow = to(0);
    let mut world = World::new(config);
    world.input(Input::Offer { call: CallKey(1), caller: acd::Caller::new(TierKey(1), QueueKey(0)) });
    world.run_until(base::Instant::from_secs(1000));
    assert_eq!(world.engine.waiting(), 1);
    world.input(Input::Ready { agent: AgentKey(1) });
    assert_eq!(
        world.engine.agent(AgentKey(1)).map(|view| common::state_word(view.state)).unwrap(),
        "reserved"
    );
}

#[test]
fn a_place_is_kept_by_its_time() {
    play(
        house(1),
        "0 call 1 gold
         50 call 2 gold
         60 call 3 gold since=20
         70 ready 1
         -> present 1 to 1
         answers 1 1
         71 ends 1 1
         -> present 3 to 1",
    );
}

#[test]
fn limits_refuse_and_count() {
    let mut config = house(1);
    config.limits.calls_max = 2;
    let world = play(
        config,
        "0 call 1 gold
         0 call 2 gold
         0 call 3 diamond
         -> overflow 3 to goodbye limit
         0 call 4 gold queue=77
         -> overflow 4 to goodbye limit",
    );
    assert_eq!(world.engine.counters().limited, 2);
}

#[test]
fn signatures_are_limited_and_used_again() {
    let mut config = house(1);
    config.limits.signatures_max = 2;
    play(
        config,
        "0 call 1 gold skill=1:1
         0 call 2 gold skill=2:1
         0 call 3 gold skill=3:1
         -> overflow 3 to goodbye limit
         1 abandon 1
         2 call 4 gold skill=4:1
         3 abandon 2
         3 abandon 4
         4 call 5 gold
         5 ready 1
         -> present 5 to 1",
    );
}

#[test]
fn reload_keeps_calls_talks_and_states() {
    let mut world = play(
        house(2),
        "0 ready 1
         0 ready 2
         0 call 1 gold
         -> present 1 to 1
         answers 1 1
         1 call 2 silver
         -> present 2 to 2
         2 call 3 gold
         3 call 4 gold queue=1",
    );
    let mut config = house(3);
    config.agents.remove(1);
    config.queues.remove(1);
    world.input(Input::Configure(Box::new(config)));
    world.script(
        "-> withdraw 2 from 2 agent-left
         -> overflow 4 to goodbye limit
         state 1 talking
         state 2 logged-out
         4 registers 3
         4 ready 3
         -> present 3 to 3
         5 ends 1 1
         -> present 2 to 1",
    );
}

#[test]
fn a_reload_to_fewer_tiers_serves_the_lost_ones_as_the_last() {
    let mut config = house(1);
    config.policy = PolicyKind::Debt3;
    let mut world = play(config.clone(), "0 call 1 ordinary\n0 ready 1\n-> present 1 to 1\n1 call 2 gold");
    config.tiers.truncate(2);
    world.input(Input::Configure(Box::new(config)));
    world.script(
        "2 declines 1 1 rejected
         12 -> present 1 to 1
         answers 1 1
         13 ends 1 1
         -> present 2 to 1",
    );
}

#[test]
fn expected_wait_is_known_when_somebody_is_on_duty() {
    let world = play(house(1), "0 call 1 gold");
    assert_eq!(world.engine.expected_wait(world.now, CallKey(1)), None);
    let mut world =
        play(house(2), "0 ready 1\n0 call 1 gold\n-> present 1 to 1\n0 answers 1 1\n1 call 2 gold");
    world.script("2 call 3 gold\n2 call 4 diamond");
    let wait = |call| world.engine.expected_wait(world.now, CallKey(call)).unwrap();
    assert!(wait(4) < wait(2) && wait(2) < wait(3));
    assert_eq!(world.engine.position(CallKey(3)), Some(2));
    let new = |tier| world.engine.expected_wait_new(world.now, QueueKey(0), TierKey(tier)).unwrap();
    assert!(new(3) > new(0));
    assert_eq!(world.engine.expected_wait(world.now, CallKey(99)), None);
}

#[test]
fn statistics_say_who_waited_and_who_works() {
    let world = play(
        house(3),
        "0 call 1 gold
         3 abandon 1
         4 call 2 gold
         14 ready 1
         -> present 2 to 1
         16 answers 1 2
         20 call 3 ordinary
         21 deflect 3
         22 call 4 silver
         30 login 2",
    );
    let queue = world.engine.queue_stats(world.now, QueueKey(0)).unwrap();
    assert_eq!((queue.counts.offered, queue.counts.answered, queue.counts.abandoned), (4, 1, 1));
    assert_eq!((queue.counts.deflected, queue.counts.waiting, queue.counts.abandoned_short), (1, 1, 1));
    assert_eq!((queue.agents_ready, queue.agents_on_duty, queue.agents_logged_in), (0, 1, 2));
    assert_eq!(queue.longest_wait, s(8));
    let gold = world.engine.tier_stats(TierKey(1)).unwrap();
    assert_eq!(gold.counts.answer_rate(), Some(0.5));
    assert_eq!(gold.counts.answered_in_time, 1);
    assert_eq!((gold.waits.sum_ms, gold.waits.max_ms), (12_000, 12_000));
    assert_eq!(gold.waits.pairs().filter(|&(_, calls)| calls > 0).collect::<Vec<_>>(), [(15_000, 1)]);
}

#[test]
fn a_decision_says_why() {
    let world = play(
        house(2),
        "0 call 1 ordinary
         5 call 2 gold
         6 ready 1
         -> present 2 to 1",
    );
    let decision = world.engine.decisions().last().unwrap();
    assert_eq!((decision.call, decision.waited), (Some(CallKey(2)), s(1)));
    assert_eq!(decision.outcome, acd::Outcome::Presented { agent: AgentKey(1) });
    assert_eq!(decision.trigger, acd::Trigger::AgentFree);
    let heads: Vec<_> = decision.heads.iter().map(|head| (head.call.0, head.tier.0, head.chosen)).collect();
    assert_eq!(heads, [(2, 1, true), (1, 3, false)]);
}

#[test]
fn what_does_not_fit_is_ignored_and_counted() {
    let world = play(
        house(1),
        "0 ready 1
         0 answers 1 9
         -> withdraw 9 from 1 too-late
         0 ends 1 9
         0 abandon 9
         0 logout 7
         0 call 1 gold
         -> present 1 to 1
         0 call 1 gold
         0 declines 1 2 busy
         1 answers 1 1
         1 answers 1 1
         1 end-wrap-up 1",
    );
    assert_eq!(world.engine.counters().ignored, 8);
}

#[test]
fn a_bad_config_is_named_and_still_runs() {
    let mut config = house(1);
    config.tiers[0].floor = 0.99;
    config.agents.push(agent(1, &[5], &[(1, 11)]));
    config.queues.push(QueueConfig::new(QueueKey(0), "again"));
    config.queues[0].overflow.time = Some((s(1), OverflowTarget::Queue(QueueKey(0))));
    assert_eq!(
        config.check(),
        [
            ConfigError::Rates(0),
            ConfigError::Target(QueueKey(0), QueueKey(0)),
            ConfigError::DuplicateQueue(QueueKey(0)),
            ConfigError::DuplicateAgent(AgentKey(1)),
            ConfigError::UnknownQueue(AgentKey(1), QueueKey(5)),
            ConfigError::Level(AgentKey(1), SkillKey(1), 11),
        ]
    );
    config.tiers.clear();
    let mut engine = Engine::new(config, Seed([1, 1]));
    let now = base::Instant::from_secs(1);
    engine.handle(now, Input::Reachable { agent: AgentKey(1), reachable: true });
    engine.handle(now, Input::Ready { agent: AgentKey(1) });
    engine.handle(now, Input::Offer { call: CallKey(1), caller: acd::Caller::new(TierKey(3), QueueKey(0)) });
    assert!(matches!(engine.agent(AgentKey(1)).unwrap().state, AgentState::Reserved { .. }));
}
