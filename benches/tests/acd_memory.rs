//! What a waiting call costs in memory, counted by an allocator: all of the engine's tables together.
#![allow(unsafe_code, reason = "an allocator is unsafe by its trait; this one only counts and hands on")]
#![allow(clippy::cast_precision_loss, reason = "bytes stay far below 2^53")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use acd::{
    AgentConfig, Caller, Config, Contract, Engine, Input, Overflow, OverflowTarget, QueueConfig, Requirement,
};
use base::{AgentKey, CallKey, Duration, Instant, QueueKey, Seed, SkillKey, TierKey};

thread_local! {
    static BYTES: Cell<i64> = const { Cell::new(0) };
}

struct Counting;

fn count(bytes: usize, sign: i64) {
    BYTES.set(BYTES.get() + sign * i64::try_from(bytes).unwrap_or(i64::MAX));
}

// SAFETY: every call goes unchanged to the system's allocator, whose contract is the same; the counter is a
// plain thread-local number without a destructor, so touching it allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: as asked of us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: as asked of us.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(layout.size(), -1);
        count(size, 1);
        // SAFETY: as asked of us.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A queue whose calls overflow by time, so that each has a deadline; two skills asked for of 64.
fn house() -> Config {
    let overflow =
        Overflow { time: Some((Duration::from_secs(3_600), OverflowTarget::Hangup)), ..Overflow::default() };
    Config {
        queues: vec![QueueConfig { overflow, ..QueueConfig::new(QueueKey(0), "all") }],
        agents: vec![AgentConfig::new(AgentKey(0), "nobody on duty")],
        tiers: Contract::hotline(),
        ..Config::default()
    }
}

fn bytes_per_call(calls: u64) -> f64 {
    let mut engine = Engine::new(house(), Seed([1, 2]));
    let wishes: Vec<Requirement> = (0..64).map(|skill| Requirement::skill(SkillKey(skill), 5)).collect();
    let before = BYTES.get();
    for call in 0..calls {
        let now = Instant::from_millis(call);
        let tier = TierKey(u8::try_from(call * 7 % 4).unwrap_or(0));
        let skills = wishes.get(usize::try_from(call * 31 % 64).unwrap_or(0)).cloned().unwrap_or_default();
        let caller = Caller { skills, ..Caller::new(tier, QueueKey(0)) };
        engine.handle(now, Input::Offer { call: CallKey(call), caller });
        while engine.poll_output().is_some() {}
    }
    assert_eq!(u64::try_from(engine.waiting()), Ok(calls));
    (BYTES.get() - before) as f64 / calls as f64
}

#[test]
fn a_waiting_call_takes_at_most_200_bytes() {
    // 14,337 and 57,345: the table of keys has just doubled.
    for calls in [10_000, 14_337, 50_000, 57_345, 100_000] {
        let bytes = bytes_per_call(calls);
        println!("{calls} calls: {bytes:.0} bytes each");
        assert!(bytes <= 200.0, "{calls} calls: {bytes:.0} bytes each");
    }
}
