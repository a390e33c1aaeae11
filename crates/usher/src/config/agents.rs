//! `agents.toml`: the people who answer.

use reader::Section;

/// One `[[agent]]`.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Number: SIP user name, dialled by others, spoken to callers.
    pub number: String,
    /// Name.
    pub name: String,
    /// Digest secret.
    pub secret: String,
    /// Skill names with levels 1-10.
    pub skills: Vec<(String, u8)>,
    /// Queues he serves; empty = all.
    pub queues: Vec<String>,
    /// Language in which he is spoken to.
    pub language: Option<String>,
    /// Whether he may dial outside numbers.
    pub may_dial_out: bool,
    /// Group, for policy `index`.
    pub group: u16,
    /// His own cap of occupancy.
    pub occupancy_max: Option<f64>,
    /// Where the table starts in the file, for findings about it.
    pub offset: usize,
}

/// Shortest secret that is accepted: shorter ones are guessed.
const SECRET_CHARS_MIN: usize = 8;

/// Reads every agent.
pub fn read(mut root: Section<'_>) -> Vec<Agent> {
    let mut agents: Vec<Agent> = Vec::new();
    for section in root.sections("agent") {
        let agent = agent(section, &agents);
        agents.push(agent);
    }
    root.end();
    agents
}

fn agent(mut section: Section<'_>, others: &[Agent]) -> Agent {
    let number: String = section.need("number").unwrap_or_default();
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) || number.len() > 16 {
        section.finding("number", "must be 1 to 16 digits");
    } else if others.iter().any(|other| other.number == number) {
        section.finding("number", format!("{number} is given to another agent too"));
    }
    let secret: String = section.need("secret").unwrap_or_default();
    if !secret.is_empty() && secret.chars().count() < SECRET_CHARS_MIN {
        section.finding("secret", format!("must have at least {SECRET_CHARS_MIN} characters"));
    }
    let mut skills = Vec::new();
    if let Some(mut levels) = section.section("skills") {
        for (skill, level) in levels.entries::<u8>() {
            if !(1..=10).contains(&level) {
                levels.finding(&skill, format!("is {level}, not a level from 1 to 10"));
            }
            skills.push((skill, level));
        }
    }
    let agent = Agent {
        name: section.or("name", number.clone()),
        number,
        secret,
        skills,
        queues: section.or("queues", Vec::new()),
        language: section.get("language"),
        may_dial_out: section.or("may_dial_out", true),
        group: section.or("group", 0),
        occupancy_max: section.get("occupancy_max"),
        offset: section.offset(),
    };
    if agent.occupancy_max.is_some_and(|share| !(0.05..=1.0).contains(&share)) {
        section.finding("occupancy_max", "is a share of his time from 0.05 to 1");
    }
    section.end();
    agent
}
