//! The closed forms against published worked examples and the tables of queueing theory, to their last digit.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use acd::erlang::{
    Goal, Line, Share, cobham, erlang_b, erlang_c, expected_wait_s, fluid, garnett, guard_channel,
    halfin_whitt,
};

const HANDLE_S: f64 = 180.0;
const PATIENCE_S: f64 = 120.0;

/// Equal to so many decimals, as a table prints them.
#[track_caller]
fn prints(found: f64, wanted: f64, decimals: i32) {
    let half = 0.5 * 10f64.powi(-decimals) + 1e-9;
    assert!((found - wanted).abs() <= half, "{found} instead of {wanted}");
}

fn line(erlangs: f64, handle_s: f64, patience_s: f64) -> Line {
    Line { calls_per_s: erlangs / handle_s, handle_s, patience_s, waiting_max: None }
}

#[test]
fn erlang_b_and_c() {
    for (load, agents, b, c, asa_s, in_time) in [
        (1.0, 2, 0.20000, 0.33333, 60.000, 0.70172),
        (2.0, 3, 0.21053, 0.44444, 80.000, 0.60229),
        (5.0, 7, 0.12052, 0.32415, 29.173, 0.74044),
        (8.0, 10, 0.12166, 0.40918, 36.826, 0.67235),
        (10.0, 13, 0.08434, 0.28527, 17.116, 0.79559),
        (18.0, 21, 0.08560, 0.39587, 23.752, 0.71635),
        (45.0, 50, 0.05410, 0.36386, 13.099, 0.79123),
        (90.0, 100, 0.02696, 0.21694, 3.905, 0.92858),
        (95.0, 100, 0.04880, 0.50646, 18.232, 0.70942),
        (190.0, 200, 0.02797, 0.36526, 6.575, 0.87976),
    ] {
        prints(erlang_b(agents, load), b, 5);
        prints(erlang_c(agents, load), c, 5);
        // Erlang C is a line whose callers never give up.
        let steady = line(load, HANDLE_S, f64::INFINITY).steady(agents, 20.0).unwrap();
        prints(steady.delayed, c, 5);
        prints(steady.asa_s, asa_s, 3);
        prints(steady.in_time, in_time, 5);
        prints(steady.answered, 1.0, 9);
        prints(steady.waiting, erlang_c(agents, load) * load / (f64::from(agents) - load), 6);
    }
}

/// Worked examples that others have printed.
#[test]
fn examples_from_elsewhere() {
    let ten = line(10.0, HANDLE_S, f64::INFINITY);
    for (agents, c, asa_s, in_time) in [
        (11, 0.6821, 122.78, 0.3896),
        (12, 0.4494, 40.44, 0.6402),
        (13, 0.2853, 17.12, 0.7956),
        (14, 0.1741, 7.84, 0.8884),
    ] {
        let steady = ten.steady(agents, 20.0).unwrap();
        prints(steady.delayed, c, 4);
        prints(steady.asa_s, asa_s, 2);
        prints(steady.in_time, in_time, 4);
    }
    let busy =
        Line { calls_per_s: 3.5 / 60.0, handle_s: 180.0, patience_s: f64::INFINITY, waiting_max: None };
    prints(busy.steady(13, 20.0).unwrap().asa_s, 26.56, 2);
    let impatient = Line { patience_s: 300.0, ..busy };
    prints(impatient.steady(13, 20.0).unwrap().wait_s, 9.91, 2);
    prints(impatient.steady(9, 20.0).unwrap().wait_s, 56.62, 2);
    // Garnett, Mandelbaum & Reiman: 50 agents, 48 calls a minute of one minute, patience two minutes.
    let garnett = Line { calls_per_s: 0.8, handle_s: 60.0, patience_s: 120.0, waiting_max: None };
    let steady = garnett.steady(50, 20.0).unwrap();
    prints(steady.abandoned, 0.0309, 4);
    prints(steady.wait_s, 3.71, 2);
    prints(steady.waiting, 2.97, 2);
    prints(steady.occupancy, 0.930, 3);
    prints(steady.delayed, 0.4678, 4);
    let patient = Line { patience_s: f64::INFINITY, ..garnett }.steady(50, 20.0).unwrap();
    prints(patient.asa_s, 20.83, 2);
    prints(patient.waiting, 16.67, 2);
}

#[test]
fn erlang_a() {
    for (load, agents, row) in [
        (8.0, 10, [0.26241, 0.06211, 0.93789, 0.82966, 0.88460, 7.453, 6.257, 0.75032]),
        (10.0, 10, [0.49685, 0.13746, 0.86254, 0.63994, 0.74193, 16.496, 14.554, 0.86254]),
        (12.0, 10, [0.69954, 0.22488, 0.77512, 0.44376, 0.57251, 26.986, 25.526, 0.93014]),
        (18.0, 20, [0.31972, 0.05715, 0.94285, 0.82676, 0.87687, 6.858, 6.145, 0.84857]),
        (20.0, 20, [0.48276, 0.09771, 0.90229, 0.70645, 0.78296, 11.725, 10.781, 0.90229]),
        (45.0, 50, [0.22629, 0.02403, 0.97597, 0.93148, 0.95442, 2.884, 2.684, 0.87837]),
        (50.0, 50, [0.47041, 0.06199, 0.93801, 0.80707, 0.86041, 7.439, 7.072, 0.93801]),
        (55.0, 50, [0.70412, 0.11562, 0.88438, 0.62167, 0.70295, 13.874, 13.689, 0.97282]),
        (60.0, 50, [0.86297, 0.17531, 0.82469, 0.42096, 0.51045, 21.037, 21.714, 0.98963]),
        (95.0, 100, [0.28868, 0.02322, 0.97678, 0.94612, 0.96861, 2.787, 2.660, 0.92794]),
        (100.0, 100, [0.46424, 0.04388, 0.95612, 0.88464, 0.92524, 5.266, 5.085, 0.95612]),
        (110.0, 100, [0.77868, 0.10249, 0.89751, 0.67097, 0.74759, 12.299, 12.363, 0.98726]),
        (200.0, 200, [0.45989, 0.03104, 0.96896, 0.94498, 0.97526, 3.725, 3.636, 0.96896]),
    ] {
        let found = line(load, HANDLE_S, PATIENCE_S).steady(agents, 20.0).unwrap();
        prints(found.delayed, row[0], 5);
        prints(found.abandoned, row[1], 5);
        prints(found.answered, row[2], 5);
        prints(found.in_time, row[3], 5);
        prints(found.in_time / found.answered, row[4], 5);
        prints(found.wait_s, row[5], 3);
        prints(found.asa_s, row[6], 3);
        prints(found.occupancy, row[7], 5);
    }
}

#[test]
fn erlang_a_at_the_benchmark_of_fifty_agents() {
    for (rho, answered, in_time) in [
        (0.85, 0.98739, 0.95266),
        (0.95, 0.95944, 0.84056),
        (1.0, 0.93801, 0.75399),
        (1.05, 0.91257, 0.65301),
        (1.2, 0.82469, 0.34122),
        (1.5, 0.66648, 0.03722),
        (2.0, 0.50000, 0.00011),
    ] {
        let found = Line::at_rho(50, rho, HANDLE_S, PATIENCE_S).steady(50, 15.0).unwrap();
        prints(found.answered, answered, 5);
        prints(found.in_time, in_time, 5);
    }
}

#[test]
fn a_finite_waiting_room() {
    for (load, agents, places, blocked, abandoned, answered, waiting) in [
        (12.0, 10, 5, 0.05755, 0.17201, 0.77045, 1.37604),
        (12.0, 10, 10, 0.00264, 0.22236, 0.77500, 1.77892),
        (60.0, 50, 10, 0.07089, 0.10751, 0.82160, 4.30053),
        (60.0, 50, 30, 0.00015, 0.17516, 0.82469, 7.00637),
    ] {
        let line = Line { waiting_max: Some(places), ..line(load, HANDLE_S, PATIENCE_S) };
        let found = line.steady(agents, 20.0).unwrap();
        prints(found.blocked, blocked, 5);
        prints(found.abandoned, abandoned, 5);
        prints(found.answered, answered, 5);
        prints(found.waiting, waiting, 5);
    }
    // No place at all is Erlang B, and then the load may be what it will.
    let none = Line { waiting_max: Some(0), ..line(60.0, HANDLE_S, f64::INFINITY) };
    prints(none.steady(50, 20.0).unwrap().blocked, erlang_b(50, 60.0), 9);
}

#[test]
fn a_guard_channel() {
    for (agents, first, second, rows) in [
        (10, 2.0, 6.0, [(0.12166, 0.12166), (0.03347, 0.20082), (0.00985, 0.28075), (0.00108, 0.46779)]),
        (50, 10.0, 40.0, [(0.10479, 0.10479), (0.02288, 0.13725), (0.00514, 0.15675), (0.00027, 0.19137)]),
        (50, 5.0, 55.0, [(0.21612, 0.21612), (0.02246, 0.24705), (0.00242, 0.26373), (0.00003, 0.29462)]),
    ] {
        for (kept, (b1, b2)) in [0, 1, 2, 4].into_iter().zip(rows) {
            let found = guard_channel(agents, first, second, kept);
            prints(found.0, b1, 5);
            prints(found.1, b2, 5);
        }
    }
}

#[test]
fn priority_without_abandonment() {
    for (agents, loads, c, waits) in [
        (10, [2.0, 6.0], 0.4092, [9.207, 46.033]),
        (20, [4.0, 14.0], 0.5508, [6.196, 61.962]),
        (50, [10.0, 37.5], 0.6291, [2.831, 56.619]),
    ] {
        prints(erlang_c(agents, loads.iter().sum()), c, 4);
        for (found, wanted) in cobham(agents, HANDLE_S, &loads).into_iter().zip(waits) {
            prints(found, wanted, 3);
        }
    }
    let over = cobham(10, HANDLE_S, &[8.0, 3.0]);
    assert!(over[0].is_finite() && over[1].is_infinite(), "the class that fills the agents waits for ever");
}

#[test]
fn the_wait_with_calls_ahead() {
    for (agents, row) in [
        (50, [(0, 3.60), (1, 7.10), (5, 20.14), (10, 34.67), (20, 59.33), (50, 112.48)]),
        (10, [(0, 18.00), (1, 33.65), (5, 81.45), (10, 122.74), (20, 177.82), (50, 267.09)]),
    ] {
        for (ahead, wait_s) in row {
            prints(expected_wait_s(agents, HANDLE_S, PATIENCE_S, ahead), wait_s, 2);
        }
    }
}

#[test]
fn staffing() {
    let in_time = Goal::InTime { share: 0.85, within_s: 15.0 };
    for (per_h, c, a, answered, targets, floors) in [
        (60.0, 6, 5, 6, 4, 2),
        (120.0, 10, 9, 9, 7, 3),
        (240.0, 16, 15, 15, 12, 5),
        (480.0, 30, 28, 27, 22, 10),
        (1000.0, 57, 53, 52, 45, 21),
        (2000.0, 109, 101, 99, 87, 41),
        (4000.0, 211, 196, 194, 173, 82),
    ] {
        let line = line(per_h / 3600.0 * HANDLE_S, HANDLE_S, PATIENCE_S);
        let patient = Line { patience_s: f64::INFINITY, ..line };
        assert_eq!(patient.agents_for(in_time), Some(c), "{per_h} calls an hour, nobody gives up");
        assert_eq!(line.agents_for(in_time), Some(a), "{per_h} calls an hour, in time");
        assert_eq!(line.agents_for(Goal::Answered(0.95)), Some(answered), "{per_h} calls an hour, answered");
        assert_eq!(line.agents_for(Goal::Answered(0.8615)), Some(targets), "{per_h} calls an hour, targets");
        assert_eq!(line.agents_for(Goal::Answered(0.4075)), Some(floors), "{per_h} calls an hour, floors");
    }
    let line = line(50.0, HANDLE_S, PATIENCE_S);
    let steady = line.steady(53, 15.0).unwrap();
    prints(steady.in_time, 0.8574, 4);
    prints(steady.answered, 0.9636, 4);
    prints(steady.occupancy, 0.909, 3);
    assert_eq!(line.agents_for(Goal::Answered(0.0)), Some(0));
    assert_eq!(line.agents_for(Goal::Answered(1.01)), None, "nobody can do that");
}

#[test]
fn the_square_root_rules() {
    for (beta, wanted) in [
        (0.1, 0.8803),
        (0.25, 0.7209),
        (0.5, 0.5045),
        (0.75, 0.3417),
        (1.0, 0.2234),
        (1.25, 0.1404),
        (1.5, 0.0847),
        (2.0, 0.0269),
        (2.5, 0.0070),
    ] {
        prints(halfin_whitt(beta), wanted, 4);
    }
    for (agents, exact) in [(105, 0.5157), (110, 0.2370), (115, 0.0954), (120, 0.0332)] {
        prints(erlang_c(agents, 100.0), exact, 4);
    }
    for (agents, load, delayed, abandoned) in [
        (53, 50.0, [0.303, 0.3224], [0.0349, 0.0364]),
        (50, 50.0, [0.4495, 0.4704], [0.0621, 0.0620]),
        (50, 60.0, [0.843, 0.863], [0.193, 0.1753]),
        (101, 100.0, [0.4138, 0.4283], [0.0388, 0.0390]),
    ] {
        let line = line(load, HANDLE_S, PATIENCE_S);
        let (near_delayed, near_abandoned) = garnett(agents, &line);
        let exact = line.steady(agents, 15.0).unwrap();
        prints(near_delayed, delayed[0], 3);
        prints(exact.delayed, delayed[1], 3);
        prints(near_abandoned, abandoned[0], 3);
        prints(exact.abandoned, abandoned[1], 4);
    }
}

#[test]
fn the_fluid_benchmark() {
    let tiers = [(0.05, 0.90, 0.98), (0.15, 0.75, 0.95), (0.30, 0.50, 0.90), (0.50, 0.20, 0.80)]
        .map(|(work, floor, target)| Share { work, floor, target });
    for (rho, total, rates) in [
        (1.2, 0.8247, [0.98, 0.95, 0.90, 0.726]),
        (1.5, 0.6665, [0.98, 0.95, 0.90, 0.410]),
        (2.0, 0.5000, [0.98, 0.95, 0.695, 0.200]),
        (2.4, 0.4167, [0.98, 0.784, 0.500, 0.200]),
    ] {
        let capacity = Line::at_rho(50, rho, HANDLE_S, PATIENCE_S).steady(50, 15.0).unwrap().answered;
        prints(capacity, total, 4);
        let found = fluid(capacity, &tiers);
        for (found, wanted) in found.iter().zip(rates) {
            prints(*found, wanted, 3);
        }
        let used: f64 = found.iter().zip(&tiers).map(|(rate, tier)| rate * tier.work).sum();
        prints(used, capacity, 9);
    }
    // Floors that cannot all be kept fill in value order; what is left over after the targets is shared.
    assert_eq!(fluid(0.1, &tiers)[2..], [0.0, 0.0]);
    assert!(fluid(0.95, &tiers).iter().zip(&tiers).all(|(rate, tier)| *rate > tier.target));
    assert_eq!(fluid(2.0, &tiers), [1.0; 4]);
}

#[test]
fn lines_that_are_none() {
    let patient = Line::at_rho(50, 1.2, HANDLE_S, f64::INFINITY);
    assert_eq!(patient.steady(50, 15.0), None, "grows without end");
    assert_eq!(patient.steady(0, 15.0), None);
    let nobody = Line::at_rho(50, 1.2, HANDLE_S, PATIENCE_S).steady(0, 15.0).unwrap();
    prints(nobody.abandoned, 1.0, 9);
    let silent = Line::at_rho(50, 0.0, HANDLE_S, PATIENCE_S).steady(50, 15.0).unwrap();
    assert_eq!((silent.answered, silent.waiting, silent.asa_s), (1.0, 0.0, 0.0));
    for wrong in [f64::NAN, -1.0] {
        assert_eq!(Line { calls_per_s: wrong, ..patient }.steady(50, 15.0), None);
        assert_eq!(Line { handle_s: wrong, ..patient }.steady(50, 15.0), None);
        assert_eq!(Line { patience_s: wrong, ..patient }.steady(50, 15.0), None);
    }
    // A big house in deep overload is still a number.
    let big = Line::at_rho(20_000, 1.5, HANDLE_S, PATIENCE_S).steady(20_000, 15.0).unwrap();
    prints(big.answered, 1.0 / 1.5, 4);
}
