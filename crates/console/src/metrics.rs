//! `/metrics` for Prometheus, made at each scrape from the snapshot and the counters of the parts.
//! Nothing about a person is in it.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use call::view::{FeasibilityView, Snapshot, TierView};
use prometheus::core::Collector;
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TEXT_FORMAT, TextEncoder};
use store::SpoolStatus;

use crate::counts::{Counts, get};
use crate::handles::{Kind, Sample};
use crate::state::Shared;

/// States and phases that are shown even while nobody is in them, so that a graph has no holes.
const AGENT_STATES: [&str; 6] = ["logged-out", "not-ready", "ready", "reserved", "talking", "wrap-up"];
const CALL_PHASES: [&str; 6] = ["flow", "queued", "ringing", "talking", "survey", "outbound"];

pub(crate) async fn show(State(shared): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, TEXT_FORMAT)], render(&shared))
}

fn render(shared: &Shared) -> String {
    let mut page = Page::default();
    let handles = &shared.handles;
    page.gauge("build_info", "Version of the running program.", &[("version", handles.version)], 1.0);
    let readiness = &handles.readiness;
    page.gauge("started", "1 once calls are taken.", &[], flag(readiness.is_started()));
    let snapshot = handles.snapshot.load();
    let draining = readiness.is_draining() || snapshot.draining;
    page.gauge("draining", "1 while no new calls are taken.", &[], flag(draining));
    calls_and_agents(&mut page, &snapshot);
    queues_and_trunks(&mut page, &snapshot);
    if let Some(feasibility) = &snapshot.feasibility {
        feasibility_metrics(&mut page, feasibility);
    }
    for tier in &snapshot.tiers {
        tier_metrics(&mut page, tier);
    }
    for counter in &snapshot.counters {
        let label = label_name(counter.name);
        let labels = [(label, counter.label.as_str())];
        let labels = if counter.label.is_empty() { &[][..] } else { &labels };
        if counter.name.ends_with("_now") {
            page.gauge(counter.name, "Held by the switch.", labels, number(counter.value));
        } else {
            page.counter(counter.name, "Counted by the switch.", labels, number(counter.value));
        }
    }
    if let Some(spool) = &handles.spool {
        spool_metrics(&mut page, &spool.status());
    }
    for sample in (handles.samples)() {
        page.sample(&sample);
    }
    console_metrics(&mut page, &shared.counts);
    let mut families = page.families();
    families.extend(shared.process.collect());
    let mut text = Vec::new();
    if let Err(error) = TextEncoder::new().encode(&families, &mut text) {
        tracing::error!(%error, "metrics cannot be written");
    }
    String::from_utf8(text).unwrap_or_default()
}

/// What the one label of a counter of the switch is called.
fn label_name(counter: &str) -> &'static str {
    match counter {
        "calls_ended" => "outcome",
        "callbacks" => "state",
        "hooks" => "result",
        "limited" => "limit",
        "sip_retransmits" => "direction",
        name if name.starts_with("sip_requests") => "method",
        name if name.starts_with("sip_responses") => "class",
        name if name.contains("dropped") || name.contains("refused") || name.contains("timeouts") => "reason",
        _ => "kind",
    }
}

fn calls_and_agents(page: &mut Page, snapshot: &Snapshot) {
    let mut calls: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for tier in &snapshot.tiers {
        for phase in CALL_PHASES {
            calls.insert((phase, &tier.name), 0);
        }
    }
    for call in &snapshot.calls {
        *calls.entry((call.phase, &call.tier)).or_default() += 1;
    }
    for ((phase, tier), count) in calls {
        page.gauge("calls", "Live calls.", &[("phase", phase), ("tier", tier)], f64::from(count));
    }
    let mut agents: BTreeMap<&str, u32> = AGENT_STATES.map(|state| (state, 0)).into();
    let mut registered = 0_u32;
    for agent in &snapshot.agents {
        *agents.entry(agent.state).or_default() += 1;
        registered += u32::from(agent.contacts > 0);
    }
    for (state, count) in agents {
        page.gauge("agents", "Agents by state.", &[("state", state)], f64::from(count));
    }
    page.gauge("agents_registered", "Agents with a registered telephone.", &[], f64::from(registered));
}

fn queues_and_trunks(page: &mut Page, snapshot: &Snapshot) {
    for queue in &snapshot.queues {
        let labels = [("queue", queue.name.as_str())];
        page.gauge("queue_waiting", "Calls waiting.", &labels, size(queue.waiting));
        let longest_s = seconds(queue.longest_wait_ms);
        page.gauge("queue_longest_wait_seconds", "Longest wait of a waiting call.", &labels, longest_s);
        page.gauge("queue_agents_ready", "Agents ready who serve it.", &labels, size(queue.agents_ready));
        let logged_in = size(queue.agents_logged_in);
        page.gauge("queue_agents_logged_in", "Agents logged in who serve it.", &labels, logged_in);
        let on_duty = size(queue.agents_on_duty);
        page.gauge("queue_agents_on_duty", "Agents on duty who serve it.", &labels, on_duty);
        let help = "Rung of the ladder of overload, 0 to 4.";
        page.gauge("queue_overload_level", help, &labels, f64::from(queue.overload));
    }
    for trunk in &snapshot.trunks {
        let labels = [("trunk", trunk.name.as_str())];
        page.gauge("trunk_calls_live", "Live calls.", &labels, size(trunk.calls));
        page.counter("trunk_calls", "Calls.", &labels, number(trunk.calls_total));
        page.counter(
            "trunk_refused",
            "Calls refused by a limit or a drain.",
            &labels,
            number(trunk.refused_total),
        );
        if let Some(reachable) = trunk.reachable {
            page.gauge("trunk_reachable", "1 if its OPTIONS are answered.", &labels, flag(reachable));
        }
    }
}

/// "Needs 52 agents for targets, 47 on duty."
fn feasibility_metrics(page: &mut Page, found: &FeasibilityView) {
    page.gauge("agents_on_duty", "Agents on duty.", &[], f64::from(found.on_duty));
    let needed = [("targets", found.for_targets), ("floors", found.for_floors)];
    for (what, needed) in needed {
        let needed = needed.map_or(f64::INFINITY, f64::from);
        let help = "Agents needed for the tiers' targets and floors at the load of the last minutes.";
        page.gauge("agents_needed", help, &[("for", what)], needed);
    }
    let help = "Calls per hour that want a person, of late.";
    page.gauge("offered_calls_per_hour", help, &[], found.calls_per_hour);
    let help = "Answer rate that the agents on duty can reach for all calls together.";
    page.gauge("answer_rate_reachable", help, &[], found.reachable);
}

fn tier_metrics(page: &mut Page, tier: &TierView) {
    let labels = [("tier", tier.name.as_str())];
    let counters = [
        ("tier_offered", "Calls that entered a queue.", tier.offered),
        ("tier_answered", "Calls that an agent answered.", tier.answered),
        ("tier_abandoned", "Calls whose caller gave up.", tier.abandoned),
        ("tier_deflected", "Calls led to callback or self-service.", tier.deflected),
        ("tier_overflowed", "Calls that left by overflow.", tier.overflowed),
        ("tier_called_back", "Of those offered, customers called back as promised.", tier.called_back),
        ("tier_told_wait", "Answered calls that had been told a wait.", tier.wait_error.told),
        ("tier_told_wait_right", "Of these, answered within it.", tier.wait_error.told_right),
    ];
    for (name, help, value) in counters {
        page.counter(name, help, &labels, number(value));
    }
    page.gauge("tier_waiting", "Calls waiting.", &labels, number(tier.waiting));
    page.gauge("tier_answer_rate_promised", "Promised answer rate, 0 to 1.", &labels, tier.target);
    let ended = [tier.answered, tier.abandoned, tier.deflected, tier.overflowed, tier.waiting];
    #[expect(clippy::cast_precision_loss, reason = "Prometheus counts in f64")]
    let entered = number(tier.offered) + tier.moved as f64;
    let error = entered - ended.into_iter().map(number).sum::<f64>();
    page.gauge("tier_answer_rate_floor", "Answer rate kept whatever the load, 0 to 1.", &labels, tier.floor);
    if let Some(control) = &tier.control {
        let gauges = [
            ("tier_debt_floor", "Calls owed to the floor; negative: ahead.", control.floor_debt),
            ("tier_debt_target", "Calls owed to the target; negative: ahead.", control.target_debt),
            ("tier_debt_in_time", "Calls owed in time; negative: ahead.", control.in_time_debt),
            ("tier_reserve_agents", "Agents kept free for this tier and those above.", control.reserve),
            ("tier_band", "0 calm, 1 in time, 2 target, 3 floor.", f64::from(control.band)),
        ];
        for (name, help, value) in gauges {
            page.gauge(name, help, &labels, value);
        }
    }
    if tier.wait_error.calls > 0 {
        let help = "Mean absolute error of the expected wait.";
        page.gauge("tier_expected_wait_error_seconds", help, &labels, tier.wait_error.mean_abs_s);
        let help = "Mean error of the expected wait; positive: waits were shorter.";
        page.gauge("tier_expected_wait_bias_seconds", help, &labels, tier.wait_error.bias_s);
    }
    let help = "Offered less answered, abandoned, deflected, overflowed and waiting: always 0.";
    page.gauge("tier_ledger_error", help, &labels, error);
    if let Some(expected_ms) = tier.expected_wait_ms {
        let help = "Expected wait of a call offered now.";
        page.gauge("tier_expected_wait_seconds", help, &labels, seconds(expected_ms));
    }
    page.histogram("tier_wait_seconds", "Wait of answered calls.", &labels, &tier.waits_ms, tier.wait_ms_sum);
}

fn spool_metrics(page: &mut Page, status: &SpoolStatus) {
    let gauges = [
        ("spool_records_in_memory", "Call records on their way to the disk.", number(status.in_memory)),
        ("spool_records_on_disk", "Call records waiting for the database.", number(status.on_disk)),
        ("spool_disk_bytes", "Size of the spool.", number(status.disk_bytes)),
        ("spool_database_down", "1 if the last attempt on the database failed.", flag(status.database_down)),
        ("spool_over_bound", "1 if the spool is filled beyond its bound.", flag(status.over_bound)),
    ];
    for (name, help, value) in gauges {
        page.gauge(name, help, &[], value);
    }
    let counters = [
        ("spool_written", "Call records written to the database.", status.written),
        ("spool_repeated", "Call records that the database had already.", status.repeated),
        ("spool_refused", "Call records lost at a limit.", status.refused),
        ("spool_rejected", "Call records set aside: the database refuses their data.", status.rejected),
        ("spool_corrupt", "Lines set aside: their checksum is wrong.", status.corrupt),
        ("spool_database_failures", "Attempts on the database that failed.", status.database_failures),
        ("spool_disk_failures", "Writes to the disk that failed.", status.disk_failures),
    ];
    for (name, help, value) in counters {
        page.counter(name, help, &[], number(value));
    }
}

fn console_metrics(page: &mut Page, counts: &Counts) {
    for (count, class) in counts.responses.iter().zip(["1xx", "2xx", "3xx", "4xx", "5xx"]) {
        page.counter("console_responses", "HTTP answers.", &[("class", class)], number(get(count)));
    }
    page.gauge(
        "console_event_clients",
        "Clients of the event stream.",
        &[],
        number(get(&counts.event_clients)),
    );
    let counters = [
        ("console_limited", "Requests refused: too many from one address.", &counts.limited),
        ("console_unauthorised", "Requests without a valid token.", &counts.unauthorised),
        ("console_timeouts", "Requests that took too long.", &counts.timeouts),
        ("console_events_lagged", "Events that slow clients missed.", &counts.events_lagged),
        (
            "console_event_clients_dropped",
            "Event clients dropped as too slow.",
            &counts.event_clients_dropped,
        ),
    ];
    for (name, help, count) in counters {
        page.counter(name, help, &[], number(get(count)));
    }
}

/// Metrics by name: what Prometheus calls families.
#[derive(Default)]
struct Page(BTreeMap<String, (&'static str, MetricType, Vec<Metric>)>);

impl Page {
    fn gauge(&mut self, name: &str, help: &'static str, labels: &[(&str, &str)], value: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = metric(labels);
        metric.set_gauge(gauge);
        self.add(format!("usher_{name}"), help, MetricType::GAUGE, metric);
    }

    fn counter(&mut self, name: &str, help: &'static str, labels: &[(&str, &str)], value: f64) {
        let mut counter = Counter::default();
        counter.set_value(value);
        let mut metric = metric(labels);
        metric.set_counter(counter);
        self.add(format!("usher_{name}_total"), help, MetricType::COUNTER, metric);
    }

    /// `buckets` are `(upper bound in ms, count)`, not cumulative.
    fn histogram(
        &mut self,
        name: &str,
        help: &'static str,
        labels: &[(&str, &str)],
        buckets: &[(u64, u64)],
        sum_ms: u64,
    ) {
        let mut histogram = Histogram::default();
        let mut cumulative = 0_u64;
        let mut shown = Vec::with_capacity(buckets.len());
        for &(bound_ms, count) in buckets {
            cumulative = cumulative.saturating_add(count);
            // The encoder adds the bucket without bound by itself.
            if bound_ms != u64::MAX {
                let mut bucket = Bucket::default();
                bucket.set_upper_bound(seconds(bound_ms));
                bucket.set_cumulative_count(cumulative);
                shown.push(bucket);
            }
        }
        histogram.set_bucket(shown);
        histogram.set_sample_count(cumulative);
        histogram.set_sample_sum(seconds(sum_ms));
        let mut metric = metric(labels);
        metric.set_histogram(histogram);
        self.add(format!("usher_{name}"), help, MetricType::HISTOGRAM, metric);
    }

    fn sample(&mut self, sample: &Sample) {
        let labels: Vec<(&str, &str)> =
            sample.labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match sample.kind {
            Kind::Gauge => self.gauge(sample.name, sample.help, &labels, sample.value),
            Kind::Counter => self.counter(sample.name, sample.help, &labels, sample.value),
        }
    }

    /// Two kinds under one name would make the whole page unreadable: the first stays.
    fn add(&mut self, name: String, help: &'static str, kind: MetricType, metric: Metric) {
        let (_, first_kind, metrics) = self.0.entry(name).or_insert((help, kind, Vec::new()));
        if *first_kind == kind {
            metrics.push(metric);
        }
    }

    fn families(self) -> Vec<MetricFamily> {
        let family = |(name, (help, kind, metrics)): (String, (&str, MetricType, Vec<Metric>))| {
            let mut family = MetricFamily::default();
            family.set_name(name);
            family.set_help(help.to_owned());
            family.set_field_type(kind);
            family.set_metric(metrics);
            family
        };
        self.0.into_iter().map(family).collect()
    }
}

fn metric(labels: &[(&str, &str)]) -> Metric {
    let pair = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    Metric::from_label(labels.iter().map(pair).collect())
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus counts in f64")]
fn number(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus counts in f64")]
fn size(value: usize) -> f64 {
    value as f64
}

fn seconds(ms: u64) -> f64 {
    number(ms) / 1000.0
}

fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}
