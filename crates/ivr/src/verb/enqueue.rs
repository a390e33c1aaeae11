//! `enqueue`: waits for a person, with music, the expected wait, comfort, and keys to choose otherwise.

use std::collections::BTreeMap;

use super::{Behaviour, Refs};
use crate::desk::{Desk, Event, Next, Stay, Told};
use crate::io::{Class, Dequeue, LeftQueue, Name, Output, WayOut};
use crate::read::Reader;
use crate::words::{Named, Target, Words};

/// Keys: `queue`, `skills` (`{ fault = 3 }`), `language_level` (asks for the skill named like the caller's language, `zh` or
/// `en`, at this level; 0 = not), `class` (`normal`, `complaint`, `emergency`), `managers` (account managers
/// first; true), `prompts` (spoken on entry), `music`, `announce` (says `${wait}` seconds), `announce_unknown`,
/// `announce_after_ms` (4000), `comfort` (spoken before later announcements), `comfort_every_ms` (30000), `keys` (the
/// caller keeps his place until he is served, hangs up, or a step says otherwise), `offer` (spoken when there are more callers
/// than people and he may have a callback: name the key), `offer_self_service` (the same for self-service), `offer_both`,
/// `offer_plainly` (spoken before any of them when not even the floors can be kept), `report` (tells the caller who
/// answered, by `${agent}`; `[]` joins the voices at once), `overflow` with `no_agents`, `full`, `closed` instead of it
/// where given, `after` (the agent hung up first).
#[derive(Debug)]
pub(crate) struct Enqueue {
    queue: Named,
    skills: Vec<(Named, u8)>,
    language_level: u8,
    class: Class,
    managers: bool,
    prompts: Words,
    music: Named,
    announce: Words,
    announce_unknown: Words,
    announce_after_ms: u32,
    comfort: Words,
    comfort_every_ms: u32,
    keys: BTreeMap<u8, Target>,
    offer: Words,
    offer_self_service: Words,
    offer_both: Words,
    offer_plainly: Words,
    report: Words,
    overflow: Target,
    no_agents: Option<Target>,
    full: Option<Target>,
    closed: Option<Target>,
    after: Option<Target>,
}

/// What the caller hears.
#[derive(Debug, Default)]
enum Hears {
    /// That he will be connected.
    #[default]
    Entry,
    /// Music.
    Music,
    /// Comfort; then the wait.
    Comfort { wait: Told },
    /// That there are too few people; then what he may choose.
    Plainly { way: WayOut },
    /// The wait; then music.
    Wait,
}

/// What the caller hears, how often he was told of his wait, and what he is yet to be told.
#[derive(Debug, Default)]
pub(crate) struct Run {
    hears: Hears,
    announced: u32,
    /// What he may choose instead, to be said when what is spoken has been heard.
    way: Option<WayOut>,
}

impl Behaviour for Enqueue {
    const WORD: &'static str = "enqueue";
    type Run = Run;

    fn read(step: &mut Reader<'_>) -> Self {
        let classes =
            [("normal", Class::Normal), ("complaint", Class::Complaint), ("emergency", Class::Emergency)];
        Enqueue {
            queue: step.name("queue"),
            skills: step.levels("skills"),
            language_level: u8::try_from(step.count("language_level", 0, 0..=10)).unwrap_or(0),
            class: step.choice("class", &classes).unwrap_or_default(),
            managers: step.flag("managers", true),
            prompts: step.words("prompts"),
            music: step.name_or("music", "music"),
            announce: step.words("announce"),
            announce_unknown: step.words("announce_unknown"),
            announce_after_ms: step.count("announce_after_ms", 4000, 0..=600_000),
            comfort: step.words("comfort"),
            comfort_every_ms: step.count("comfort_every_ms", 30_000, 5000..=600_000),
            keys: step.keys("keys"),
            offer: step.words("offer"),
            offer_self_service: step.words("offer_self_service"),
            offer_both: step.words("offer_both"),
            offer_plainly: step.words("offer_plainly"),
            report: step.words_or("report", super::REPORT),
            overflow: step.target("overflow"),
            no_agents: step.target_or("no_agents"),
            full: step.target_or("full"),
            closed: step.target_or("closed"),
            after: step.target_or("after"),
        }
    }

    fn refs<'a>(&'a self, refs: &mut Refs<'a>) {
        refs.queues.push(&self.queue);
        refs.skills.extend(self.skills.iter().map(|(skill, _)| skill));
        refs.music.push(&self.music);
        let words = [&self.prompts, &self.announce, &self.announce_unknown, &self.comfort, &self.report];
        refs.words.extend(words);
        refs.words.extend([&self.offer, &self.offer_self_service, &self.offer_both, &self.offer_plainly]);
        refs.speaks_languages |= self.language_level > 0;
        refs.acted.extend(self.keys.values().chain(&self.after));
        // Overflow may come at once and every time: it counts as a way without input.
        refs.silent.push(&self.overflow);
        refs.silent.extend(self.no_agents.iter().chain(&self.full).chain(&self.closed));
    }

    fn on(&self, run: &mut Run, desk: &mut Desk, event: Event) -> Next {
        match event {
            Event::Begin => self.enter(desk),
            Event::Spoken => self.spoken(run, desk),
            Event::Timeout => self.due(desk),
            Event::Expected { wait } => self.told(run, desk, wait),
            Event::WayOut(way) => self.way_is_open(run, desk, way),
            Event::Key(key) => return self.key(run, desk, key),
            Event::Left(why) => return Next::go(self.way_out(why)),
            _ => {}
        }
        Next::Stay
    }
}

impl Enqueue {
    pub(crate) fn report(&self) -> &Words {
        &self.report
    }

    pub(crate) fn after(&self) -> Option<&Target> {
        self.after.as_ref()
    }

    fn enter(&self, desk: &mut Desk) {
        let at = desk.at().clone();
        desk.vars.set("queue", &self.queue.name);
        match &mut desk.stay {
            // Back from another step, or from an agent who was lost: his place was kept.
            Some(stay) if stay.queue == self.queue.name => stay.at = at,
            stay => {
                let moved = stay.replace(Stay { queue: self.queue.name.clone(), at }).is_some();
                if moved {
                    desk.emit(Output::Dequeue { why: Dequeue::OtherQueue });
                }
                let mut skills: Vec<(Name, u8)> =
                    self.skills.iter().map(|(skill, level)| (skill.name.clone(), *level)).collect();
                if self.language_level > 0 {
                    skills.push((desk.language().word().into(), self.language_level));
                }
                desk.emit(Output::Enqueue(crate::io::Enqueue {
                    queue: self.queue.name.clone(),
                    skills,
                    class: self.class,
                    managers: self.managers,
                }));
            }
        }
        desk.speak(&self.prompts, true);
    }

    fn spoken(&self, run: &mut Run, desk: &mut Desk) {
        match run.hears {
            Hears::Comfort { wait } => self.say_wait(run, desk, wait),
            Hears::Plainly { way } => self.say_way(run, desk, way),
            Hears::Entry | Hears::Music | Hears::Wait => self.listen(run, desk),
        }
    }

    /// Music, until the next announcement is due; before it what he may choose instead, if that came meanwhile.
    fn listen(&self, run: &mut Run, desk: &mut Desk) {
        if let Some(way) = run.way.take() {
            return self.offer(run, desk, way);
        }
        run.hears = Hears::Music;
        desk.music(&self.music);
        desk.wait_ms(if run.announced == 0 { self.announce_after_ms } else { self.comfort_every_ms });
    }

    fn due(&self, desk: &mut Desk) {
        desk.emit(Output::AskWait);
        // If nobody answers, ask again later; an answer sets its own deadline.
        desk.wait_ms(self.comfort_every_ms);
    }

    fn told(&self, run: &mut Run, desk: &mut Desk, wait: Told) {
        if !matches!(run.hears, Hears::Music) {
            return;
        }
        run.announced = run.announced.saturating_add(1);
        if run.announced > 1 && !self.comfort.is_empty() {
            run.hears = Hears::Comfort { wait };
            desk.speak(&self.comfort, true);
        } else {
            self.say_wait(run, desk, wait);
        }
    }

    fn say_wait(&self, run: &mut Run, desk: &mut Desk, wait: Told) {
        let words = match wait {
            Told::Known => &self.announce,
            Told::Unknown => &self.announce_unknown,
            Told::Nothing => return self.listen(run, desk),
        };
        if words.is_empty() {
            return self.listen(run, desk);
        }
        run.hears = Hears::Wait;
        desk.speak(words, true);
    }

    /// He may choose otherwise: what is said to him names the key, which is one of `keys`. A pressing offer
    /// interrupts what is spoken, another waits for its end.
    fn way_is_open(&self, run: &mut Run, desk: &mut Desk, way: WayOut) {
        if way.pressing || matches!(run.hears, Hears::Music) {
            self.offer(run, desk, way);
        } else {
            run.way = Some(way);
        }
    }

    fn offer(&self, run: &mut Run, desk: &mut Desk, way: WayOut) {
        run.way = None;
        if way.plainly && !self.offer_plainly.is_empty() {
            run.hears = Hears::Plainly { way };
            desk.speak(&self.offer_plainly, true);
        } else {
            self.say_way(run, desk, way);
        }
    }

    fn say_way(&self, run: &mut Run, desk: &mut Desk, way: WayOut) {
        let words = match (way.callback, way.self_service) {
            (true, true) if !self.offer_both.is_empty() => &self.offer_both,
            (true, _) => &self.offer,
            (false, true) => &self.offer_self_service,
            (false, false) => return self.listen(run, desk),
        };
        if words.is_empty() {
            return self.listen(run, desk);
        }
        run.hears = Hears::Wait;
        desk.speak(words, true);
    }

    fn key(&self, run: &mut Run, desk: &mut Desk, key: u8) -> Next {
        if let Some(target) = self.keys.get(&key) {
            return Next::go(target);
        }
        // A stray key cuts an announcement short, no more.
        if !matches!(run.hears, Hears::Music) {
            self.listen(run, desk);
        }
        Next::Stay
    }

    fn way_out(&self, why: LeftQueue) -> &Target {
        self.own_way_out(why).unwrap_or(&self.overflow)
    }

    /// Where the step leads a caller for just this reason, if it says so: it knows what he came for, so it
    /// goes before what the queue would do with anybody.
    pub(crate) fn own_way_out(&self, why: LeftQueue) -> Option<&Target> {
        match why {
            LeftQueue::Time => None,
            LeftQueue::Length => self.full.as_ref(),
            LeftQueue::NoAgents => self.no_agents.as_ref(),
            LeftQueue::Closed => self.closed.as_ref(),
        }
    }
}
