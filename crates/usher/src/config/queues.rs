//! `queues.toml`: skills, queues, how calls and agents are brought together.

use acd::{AgentChoice, Consequence, PolicyKind};
use base::Duration;

use reader::Section;

use super::overload::{self, Callbacks, Forecast, Overload};

/// Most agents rung at once.
#[expect(clippy::cast_possible_truncation, reason = "a small constant")]
const MOST_RUNG: u8 = acd::RING_TOGETHER_MAX as u8;

/// The whole file.
#[derive(Clone, Debug)]
pub struct Routing {
    /// Which waiting call a free agent gets.
    pub policy: PolicyKind,
    /// Which free agent a call gets.
    pub agent_choice: AgentChoice,
    /// What letting it ring means for the agent.
    pub no_answer: Consequence,
    /// How long account manager A, then A or B, then the last agent are waited for.
    pub wait_a: Duration,
    /// See `wait_a`.
    pub wait_b: Duration,
    /// See `wait_a`.
    pub wait_last: Duration,
    /// A customer who calls again within this is asked for by the agent who served him.
    pub last_agent_within: Duration,
    /// How much earlier a senior stands in line.
    pub senior_head_start: Duration,
    /// `ring-all`: how many agents are rung at once.
    pub ring_together: usize,
    /// Share of his time above which an agent rests, and over how long it is measured.
    pub occupancy_max: Option<f64>,
    /// See `occupancy_max`.
    pub occupancy_window: Duration,
    /// How often the distributor's tables are held against the dialogs.
    pub audit: Option<Duration>,
    /// Policy `index`: its weights, tiers by name.
    pub index: Vec<Weights>,
    /// What is done at overload.
    pub overload: Option<Overload>,
    /// How customers are called back.
    pub callbacks: Callbacks,
    /// The load that is expected.
    pub forecast: Option<Forecast>,
    /// Skill names.
    pub skills: Vec<String>,
    /// Queues.
    pub queues: Vec<Queue>,
}

/// One `[[queue]]`.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Name.
    pub name: String,
    /// Number that agents refer callers to.
    pub number: String,
    /// After-call work.
    pub wrap_up: Duration,
    /// Overflow after this wait.
    pub wait_max: Option<(Duration, Target)>,
    /// Overflow when this many wait.
    pub waiting_max: Option<(u32, Target)>,
    /// Overflow when nobody was on duty for this long.
    pub no_agents: Option<(Duration, Target)>,
    /// Queues whose agents help at level 3 of the ladder of overload.
    pub reinforce: Vec<String>,
    /// First guess of talk and wrap-up together.
    pub handle_time: Duration,
    /// What is no longer asked for after a wait.
    pub relax: Vec<(Duration, Relax)>,
}

/// One `[[index]]`: a row of policy `index`.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// Tier by name.
    pub tier: String,
    /// Group of agents.
    pub group: u16,
    /// Per second that the call has waited, per second that the agent has been free, and for the pair as such.
    pub weights: [f64; 3],
}

/// Where a call goes that its queue cannot keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Another queue by name.
    Queue(String),
    /// A flow by name.
    Flow(String),
    /// Goodbye.
    Hangup,
}

/// One relaxation step, skills and queues by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relax {
    /// Minimum levels fall by this much.
    LowerLevels(u8),
    /// This skill is no longer asked for.
    DropSkill(String),
    /// None is.
    DropSkills,
    /// Agents of this queue help.
    Borrow(String),
}

/// Reads the file.
pub fn read(mut root: Section<'_>) -> Routing {
    let policy = root.choice("policy", PolicyKind::ALL.iter().map(|&kind| (kind.word(), kind)));
    let agent_choice = root.choice("agent_choice", AgentChoice::ALL.iter().map(|&way| (way.word(), way)));
    let rest_s = root.within("no_answer_rest_s", 0..=86_400u64, 0);
    let mut seconds = |key, default| Duration::from_secs(root.within(key, 0..=86_400u64, default));
    let (wait_a, wait_b) = (seconds("manager_a_s", 15), seconds("manager_b_s", 15));
    let (last_agent_within, occupancy_window) =
        (seconds("last_agent_within_s", 0), seconds("occupancy_window_s", 1_800));
    let audit = Some(seconds("audit_s", 30)).filter(|every| !every.is_zero());
    let (wait_last, senior_head_start) = (seconds("last_agent_s", 10), seconds("senior_head_start_s", 0));
    let ring_together = usize::from(root.within("ring_together", 2..=MOST_RUNG, 5));
    let occupancy_max = root.get("occupancy_max").filter(|share| {
        let fits = (0.05..=1.0).contains(share);
        if !fits {
            root.finding("occupancy_max", "is a share of an agent's time from 0.05 to 1");
        }
        fits
    });
    let index = root.sections("index").into_iter().filter_map(weights).collect();
    let overload = overload::overload(root.section("overload"));
    let callbacks = overload::callbacks(root.section("callbacks"));
    let forecast = overload::forecast(root.section("forecast"));
    let skills: Vec<String> = root.or("skills", Vec::new());
    let mut queues: Vec<Queue> = Vec::new();
    for section in root.sections("queue") {
        let queue = queue(section, &queues);
        queues.push(queue);
    }
    if queues.is_empty() {
        root.finding("queue", "is missing: at least one [[queue]] is needed");
    }
    root.end();
    let no_answer = match rest_s {
        0 => Consequence::NotReady { reason: 0 },
        secs => Consequence::Rest { reason: 0, time: Duration::from_secs(secs) },
    };
    let (policy, agent_choice) = (policy.unwrap_or_default(), agent_choice.unwrap_or_default());
    Routing {
        policy,
        agent_choice,
        no_answer,
        wait_a,
        wait_b,
        wait_last,
        last_agent_within,
        senior_head_start,
        ring_together,
        occupancy_max,
        occupancy_window,
        audit,
        index,
        overload,
        callbacks,
        forecast,
        skills,
        queues,
    }
}

fn weights(mut section: Section<'_>) -> Option<Weights> {
    let tier: Option<String> = section.need("tier");
    let row = Weights {
        tier: tier.clone().unwrap_or_default(),
        group: section.or("group", 0),
        weights: [section.or("wait", 0.0), section.or("idle", 0.0), section.or("constant", 0.0)],
    };
    section.end();
    tier.map(|_| row)
}

fn queue(mut section: Section<'_>, others: &[Queue]) -> Queue {
    let name: String = section.need("name").unwrap_or_default();
    if others.iter().any(|other| other.name == name) {
        section.finding("name", format!("\"{name}\" is given to another queue too"));
    }
    let number: String = section.or("number", String::new());
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        section.finding("number", "must be made of digits");
    } else if !number.is_empty() && others.iter().any(|other| other.number == number) {
        section.finding("number", format!("{number} is given to another queue too"));
    }
    let time = section.within("wait_max_s", 1..=86_400u64, 86_400);
    let wait_max = target(&mut section, "wait_max_to").map(|to| (Duration::from_secs(time), to));
    let length = section.within("waiting_max", 1..=1_000_000u32, 1_000_000);
    let waiting_max = target(&mut section, "waiting_max_to").map(|to| (length, to));
    let empty = section.within("no_agents_s", 0..=86_400u64, 0);
    let no_agents = target(&mut section, "no_agents_to").map(|to| (Duration::from_secs(empty), to));
    let wrap_up = Duration::from_secs(section.within("wrap_up_s", 0..=7200u64, 0));
    let handle_time = Duration::from_secs(section.within("handle_time_s", 1..=86_400u64, 180));
    let reinforce = section.or("reinforce", Vec::new());
    let steps = section.sections("relax");
    if steps.len() > acd::RELAX_MAX {
        section.finding("relax", format!("has {} steps, more than {}", steps.len(), acd::RELAX_MAX));
    }
    let relax = steps.into_iter().filter_map(relax).collect();
    section.end();
    Queue { name, number, wrap_up, wait_max, waiting_max, no_agents, reinforce, handle_time, relax }
}

/// `queue:NAME`, `flow:NAME` or `hangup`.
pub(super) fn target(section: &mut Section<'_>, key: &'static str) -> Option<Target> {
    let text: String = section.get(key)?;
    let target = match text.split_once(':') {
        Some(("queue", name)) => Some(Target::Queue(name.to_owned())),
        Some(("flow", name)) => Some(Target::Flow(name.to_owned())),
        None if text == "hangup" => Some(Target::Hangup),
        _ => None,
    };
    if target.is_none() {
        section.finding(key, "must be \"queue:NAME\", \"flow:NAME\" or \"hangup\"");
    }
    target
}

fn relax(mut section: Section<'_>) -> Option<(Duration, Relax)> {
    let after: Option<u64> = section.need("after_s");
    let changes = [
        section.get("lower_levels").map(Relax::LowerLevels),
        section.get("drop_skill").map(Relax::DropSkill),
        section.get("drop_skills").and_then(|yes: bool| yes.then_some(Relax::DropSkills)),
        section.get("borrow").map(Relax::Borrow),
    ];
    let mut changes = changes.into_iter().flatten();
    let change = changes.next();
    if change.is_none() || changes.next().is_some() {
        section.finding("after_s", "needs one of lower_levels, drop_skill, drop_skills, borrow beside it");
    }
    section.end();
    Some((Duration::from_secs(after?), change?))
}

impl Queue {
    /// Names of the flows that calls leave to.
    pub fn flows(&self) -> impl Iterator<Item = &str> {
        let targets = [
            self.wait_max.as_ref().map(|x| &x.1),
            self.waiting_max.as_ref().map(|x| &x.1),
            self.no_agents.as_ref().map(|x| &x.1),
        ];
        targets.into_iter().flatten().filter_map(Target::flow)
    }
}

impl Target {
    /// The flow that it names.
    pub fn flow(&self) -> Option<&str> {
        match self {
            Target::Flow(name) => Some(name),
            Target::Queue(_) | Target::Hangup => None,
        }
    }
}
