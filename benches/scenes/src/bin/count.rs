//! Counts the instructions of the hot paths under `valgrind --tool=callgrind` and compares them with a
//! committed baseline. A count is the same on a busy machine, so that a build may fail by it: if compiler and
//! kind of processor are the baseline's.
//!
//! ```text
//! count [--bless] BASELINE   all scenes; fails if one takes over 5 % more than in BASELINE
//! count --scene NAME         one scene, under valgrind: the program calls itself so
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that goes wrong must stop")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::process::{Command, ExitCode};

use acd::PolicyKind;
use bytes::Bytes;
use media::Codec;
use scenes::acd::House;
use scenes::media::{Listeners, Talk};
use scenes::sip::{Asked, Crowd, INVITE, Pair, glimpsed, parsed, parsed_typed, printed};
use sip::message::{Limits, Message, Writer};

/// More than this above the baseline fails, in percent.
const WORSE_MAX: f64 = 5.0;

/// How a scene is run: so often before the count, so often counted.
struct Scene {
    name: &'static str,
    warm_up: u32,
    counted: u32,
    make: fn() -> Box<dyn FnMut()>,
}

const fn scene(name: &'static str, warm_up: u32, counted: u32, make: fn() -> Box<dyn FnMut()>) -> Scene {
    Scene { name, warm_up, counted, make }
}

const SCENES: &[Scene] = &[
    scene("invite_glimpse", 10, 1000, || {
        Box::new(|| {
            black_box(glimpsed(black_box(INVITE)));
        })
    }),
    scene("invite_parse", 10, 1000, || {
        let bytes = Bytes::from_static(INVITE);
        Box::new(move || {
            black_box(parsed(black_box(&bytes)));
        })
    }),
    scene("invite_parse_and_type", 10, 1000, || {
        let bytes = Bytes::from_static(INVITE);
        Box::new(move || parsed_typed(black_box(&bytes)))
    }),
    scene("invite_print", 10, 1000, || {
        let message = Message::parse(Bytes::from_static(INVITE), &Limits::default()).unwrap();
        let mut writer = Writer::new();
        Box::new(move || {
            black_box(printed(&mut writer, black_box(&message)));
        })
    }),
    scene("options_transaction_life", 10, 500, || {
        let mut asked = Asked::default();
        Box::new(move || asked.options())
    }),
    scene("call_both_ends", 10, 200, || {
        let mut pair = Pair::default();
        Box::new(move || pair.call())
    }),
    scene("invite_refused_in_a_crowd", 10, 500, || {
        let mut crowd = Crowd::default();
        Box::new(move || crowd.refuse())
    }),
    scene("relay_one_packet", 100, 5000, || {
        let mut talk = Talk::new(Codec::Pcma, false);
        Box::new(move || talk.packet())
    }),
    scene("prompt_tick_of_1000_legs", 2, 20, || {
        let mut listeners = Listeners::new(1000);
        Box::new(move || listeners.tick())
    }),
    scene("assign_1000_agents_1000_waiting", 10, 1000, || {
        let mut house = House::new(PolicyKind::Debt3).full();
        Box::new(move || house.assign())
    }),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--scene", name] => {
            let scene = SCENES.iter().find(|scene| scene.name == name).expect("a scene of the table");
            run(scene);
            ExitCode::SUCCESS
        }
        [baseline] => compare(baseline, false),
        ["--bless", baseline] => compare(baseline, true),
        _ => {
            eprintln!("usage: count [--bless] BASELINE");
            ExitCode::from(64)
        }
    }
}

fn run(scene: &Scene) {
    let mut step = (scene.make)();
    for _ in 0..scene.warm_up {
        step();
    }
    measured_by_callgrind(&mut step, scene.counted);
}

/// Callgrind counts while this function runs, and finds it by its name.
#[inline(never)]
fn measured_by_callgrind(step: &mut Box<dyn FnMut()>, times: u32) {
    for _ in 0..times {
        step();
    }
}

/// Instructions of one run of the scene.
fn count(scene: &Scene) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=*measured_by_callgrind*")
        .arg(std::env::current_exe().expect("this program"))
        .args(["--scene", scene.name])
        // The C library chooses its copies by the processor: the plainest of them everywhere.
        .env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-AVX,-AVX512F,-AVX512VL,-ERMS,-FSRM,-EVEX,-RTM")
        .output()
        .expect("valgrind is installed: scripts/install-debian.sh test");
    let told = String::from_utf8_lossy(&output.stderr);
    let collected = told.lines().find_map(|line| line.split("Collected : ").nth(1));
    let total: u64 = collected.and_then(|text| text.trim().parse().ok()).unwrap_or_else(|| panic_with(&told));
    total / u64::from(scene.counted)
}

fn panic_with(told: &str) -> ! {
    eprintln!("{told}");
    std::process::exit(70)
}

fn compare(path: &str, bless: bool) -> ExitCode {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let baseline: BTreeMap<&str, u64> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            line.split_once(' ').and_then(|(name, count)| Some((name, count.trim().parse().ok()?)))
        })
        .collect();
    let here = maker();
    let maker = format!("# made by: {here}");
    let mut blessed = format!(
        "# Instructions per run (callgrind). Made by `make bench-count-bless`; compared by `make bench-count`.\n\
         {maker}\n"
    );
    let is_same = text.lines().any(|line| line == maker);
    if !is_same && !bless {
        println!("{path} is of another compiler or processor than here ({here}): shown, but not judged");
    }
    let mut worse = Vec::new();
    for scene in SCENES {
        let now = count(scene);
        let _ = writeln!(blessed, "{} {now}", scene.name);
        let Some(&before) = baseline.get(scene.name) else {
            println!("{:<34} {now:>10}  (no baseline)", scene.name);
            continue;
        };
        #[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
        let change = (now as f64 / before.max(1) as f64 - 1.0) * 100.0;
        println!("{:<34} {now:>10}  {change:+.1} % against {before}", scene.name);
        if change > WORSE_MAX {
            worse.push(scene.name);
        }
    }
    if bless {
        std::fs::write(path, blessed).expect("the baseline can be written");
        return ExitCode::SUCCESS;
    }
    if worse.is_empty() || !is_same {
        return ExitCode::SUCCESS;
    }
    println!(
        "more than {WORSE_MAX} % worse: {worse:?}. If that is the price of something: make bench-count-bless"
    );
    ExitCode::FAILURE
}

/// Another compiler makes other instructions; and `memchr` chooses by the processor whether it searches 32
/// bytes at a time or 16, which is the only such choice in the scenes that is not made for it.
fn maker() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let compiler = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    #[cfg(target_arch = "x86_64")]
    let wide = if std::is_x86_feature_detected!("avx2") { "with AVX2" } else { "without AVX2" };
    #[cfg(not(target_arch = "x86_64"))]
    let wide = "";
    format!("{}, {} {wide}", compiler.unwrap_or_default(), std::env::consts::ARCH)
}
