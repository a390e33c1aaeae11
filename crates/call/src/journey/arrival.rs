//! An INVITE arrives: limits, number, codecs, directory; then the answer.

use base::{CallKey, Instant, LegKey, Pii};
use sip::{Invite, Peer};

use super::{Journey, Phase, Profile, Reached, Then, Wish};
use crate::audio::Fault;
use crate::core::Core;
use crate::dial::{CallerId, Terms};
use crate::directory::Customer;
use crate::ledger::Ledger;
use crate::leg::{Dialog, Farewell, Leg};
use crate::message::Output;
use crate::numbers::Destination;
use crate::record::{Outcome, StepKind};
use crate::switch::Timer;
use crate::trunks::Full;

/// Why an arriving call is refused at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refusal {
    code: u16,
    /// Whether it is our lack: told with Retry-After, and counted.
    limit: Option<&'static str>,
}

impl Refusal {
    const fn code(code: u16) -> Self {
        Refusal { code, limit: None }
    }

    const fn limit(what: &'static str) -> Self {
        Refusal { code: 503, limit: Some(what) }
    }
}

/// Takes an arriving INVITE. `None` if it was refused by a limit at the door: it is counted, and a trunk's call has
/// a record as far as [`crate::settings::Limits::refused_records_per_s_max`] allows, because a flood must not fill
/// the store; `full`: what the switch has no room for.
pub(crate) fn arrive(
    core: &mut Core,
    now: Instant,
    key: CallKey,
    leg: LegKey,
    peer: Peer,
    invite: &Invite,
    full: Option<&'static str>,
) -> Option<Journey> {
    let urgent = matches!(peer, Peer::Agent(_))
        && matches!(core.plan.from_agent(&invite.to_user), Destination::Emergency(_));
    if let Err(what) = admit(core, now, peer, full.filter(|_| !urgent)) {
        refuse_at_door(core, now, key, (leg, peer), invite, Refusal::limit(what));
        return None;
    }
    let mut entry = Leg::new(key, peer, Dialog::Incoming);
    entry.source = Some(invite.source.ip());
    core.legs.insert(leg, entry);
    let mut journey = Journey::new(core, now, key, leg, peer, invite);
    core.timers.set(Timer::Longest(key), now + core.settings.limits.call_max);
    journey.enter(core, now, Phase::Identifying);
    journey.step(core, now, StepKind::Offered, "");
    match journey.open(core, now, invite) {
        Ok(destination) => journey.start(core, now, destination),
        Err(refusal) => journey.refuse(core, now, refusal),
    }
    Some(journey)
}

/// Whether the limits let one more call in.
fn admit(core: &mut Core, now: Instant, peer: Peer, full: Option<&'static str>) -> Result<(), &'static str> {
    if let Some(what) = full {
        if let Peer::Trunk(trunk) = peer {
            core.trunks.refuse(trunk);
        }
        return Err(what);
    }
    match peer {
        Peer::Agent(_) => Ok(()),
        Peer::Trunk(trunk) => core.trunks.arrive(now, trunk).map_err(|full| match full {
            Full::Calls => "trunk_calls",
            Full::Rate => "trunk_rate",
        }),
    }
}

fn refuse_at_door(
    core: &mut Core,
    now: Instant,
    key: CallKey,
    (leg, peer): (LegKey, Peer),
    invite: &Invite,
    refusal: Refusal,
) {
    let what = refusal.limit.unwrap_or("");
    core.count("limited", what);
    let retry_after_s = core.settings.limits.retry_after_s;
    core.sip.reject(
        now,
        leg,
        sip::Rejection { code: refusal.code, retry_after_s: Some(retry_after_s), reason: None },
    );
    if matches!(peer, Peer::Agent(_)) {
        return;
    }
    if !core.refused_records.take(now) {
        return core.count("refused_unrecorded", what);
    }
    let (mut ledger, ..) = introduce(core, now, key, peer, invite);
    let tier = core.settings.default_tier;
    ledger.record.tier = tier;
    core.settings.tier_name(tier).clone_into(&mut ledger.record.tier_name);
    ledger.step(now, StepKind::Offered, "");
    ledger.step(now, StepKind::Ended, what);
    core.count("calls_ended", Outcome::Refused.word());
    core.output(Output::Record(Box::new(ledger.close(now, core.wall, Outcome::Refused))));
}

/// Who calls whom: the beginning of the call's record, the number dialled, and the caller as shown to others.
fn introduce(
    core: &Core,
    now: Instant,
    key: CallKey,
    peer: Peer,
    invite: &Invite,
) -> (Ledger, Option<String>, CallerId) {
    let settings = &core.settings;
    let mut ledger = Ledger::new(key, now, core.wall, settings.limits.steps_max);
    let (source, dialled, id) = match peer {
        Peer::Trunk(trunk) => {
            let trunk = settings.trunk(trunk);
            let canonical = |number: &str| trunk.and_then(|trunk| trunk.inbound.apply(number));
            // Anonymous and other words are no numbers: the caller is unknown then.
            let shown = invite.asserted.as_ref().unwrap_or(&invite.from_user);
            let number = Pii::new(canonical(shown.reveal()).unwrap_or_default());
            let id = CallerId { number, name: None, hidden: invite.privacy };
            (trunk.map(|trunk| trunk.name.clone()), canonical(&invite.to_user), id)
        }
        Peer::Agent(agent) => {
            let agent = settings.agent(agent);
            let number = agent.map(|agent| agent.number.clone());
            let name = agent.map(|agent| Pii::new(agent.name.clone()));
            let id = CallerId {
                number: Pii::new(number.clone().unwrap_or_default()),
                name,
                hidden: invite.privacy,
            };
            (number, crate::numbers::dialable(&invite.to_user), id)
        }
    };
    ledger.record.source = source.unwrap_or_default();
    ledger.record.dialled = dialled.clone().unwrap_or_default();
    if !id.hidden {
        ledger.record.caller = id.number.clone();
    }
    (ledger, dialled, id)
}

impl Journey {
    fn new(core: &mut Core, now: Instant, key: CallKey, leg: LegKey, peer: Peer, invite: &Invite) -> Self {
        let (ledger, dialled, id) = introduce(core, now, key, peer, invite);
        let settings = &core.settings;
        let profile = Profile {
            tier: settings.default_tier,
            language: settings.default_language.clone(),
            senior: false,
            known: false,
            managers: [None, None],
        };
        Journey {
            key,
            worker: match peer {
                Peer::Agent(agent) => core.worker_of(agent),
                Peer::Trunk(_) => None,
            }
            .unwrap_or_else(|| core.ports.quietest()),
            caller: leg,
            origin: peer,
            dialled: dialled.unwrap_or_default(),
            id,
            max_forwards: invite.max_forwards.saturating_sub(1),
            offer: invite.body.clone().filter(|_| invite.body_is_sdp),
            answer: None,
            profile,
            flow: None,
            phase: Phase::Over,
            engaged: Vec::new(),
            reached: Reached::Nothing,
            callback: None,
            booking: None,
            ledger,
            #[cfg(debug_assertions)]
            trap: None,
        }
    }

    /// Finds out what was dialled and gives the caller's leg its port.
    fn open(&mut self, core: &mut Core, now: Instant, invite: &Invite) -> Result<Destination, Refusal> {
        let destination = match self.origin {
            Peer::Trunk(_) => core.plan.from_trunk(&self.dialled),
            Peer::Agent(_) => core.plan.from_agent(&self.dialled),
        };
        if destination == Destination::Unknown {
            core.count("refused", "unknown_number");
            return Err(Refusal::code(404));
        }
        if invite.replaces.is_some() {
            return Err(Refusal::code(501));
        }
        if matches!(self.origin, Peer::Trunk(_)) && !core.ports.has_room(now, self.worker) {
            return Err(Refusal::limit("ports"));
        }
        let codecs = core.settings.media.codecs.clone();
        let audio = core
            .prepare_audio(now, self.worker, Some(invite.source.ip()), codecs)
            .map_err(|_| Refusal::limit("ports"))?;
        core.open_audio(now, self.caller, audio);
        Ok(destination)
    }

    fn refuse(&mut self, core: &mut Core, now: Instant, refusal: Refusal) {
        match refusal.limit {
            Some(what) => {
                core.count("limited", what);
                let farewell = Farewell::Busy(core.settings.limits.retry_after_s);
                self.finish(core, now, StepKind::Ended, what, &farewell);
            }
            None => self.finish(
                core,
                now,
                StepKind::Ended,
                &refusal.code.to_string(),
                &Farewell::Status(refusal.code),
            ),
        }
    }

    /// Refuses a caller who was not answered yet, or ends the call of one who was.
    pub(super) fn refuse_with(&mut self, core: &mut Core, now: Instant, code: u16) {
        self.refuse(core, now, Refusal::code(code));
    }

    fn start(&mut self, core: &mut Core, now: Instant, destination: Destination) {
        match (destination, self.origin) {
            (Destination::Entry(_), Peer::Trunk(_)) => self.identify(core, now),
            (Destination::Entry(_), Peer::Agent(agent)) => {
                self.engage(core, now, agent);
                self.identified(core, now, None);
            }
            (Destination::Feature { feature, reason }, Peer::Agent(agent)) => {
                self.obey(core, now, agent, feature, reason);
            }
            (Destination::Unknown | Destination::Feature { .. }, _) => self.refuse_with(core, now, 404),
            (other, Peer::Agent(agent)) => {
                self.engage(core, now, agent);
                self.call_out(core, now, other, Wish::Own);
            }
            (_, Peer::Trunk(_)) => self.refuse_with(core, now, 404),
        }
    }

    /// Answers the caller's offer (in our 200 or 183), speaking `codecs` only.
    pub(super) fn answer_caller(
        &mut self,
        core: &mut Core,
        codecs: Option<Vec<media::Codec>>,
    ) -> Result<(), Fault> {
        let Some(offer) = self.offer.clone() else {
            // A late offer: ours goes into the 200, his answer comes in the ACK (RFC 3261 §13.2.1).
            if let Some(codecs) = codecs {
                core.speak(self.caller, codecs);
            }
            self.answer = Some(core.make_offer(self.caller)?);
            return Ok(());
        };
        if let Some(codecs) = codecs {
            core.speak(self.caller, codecs);
        }
        self.answer = Some(core.answer_offer(self.caller, &offer)?);
        Ok(())
    }

    fn identify(&mut self, core: &mut Core, now: Instant) {
        // The codecs first: who cannot be talked to needs no greeting. G.711 before the others, because
        // the agent's phone and a transfer by trunk shall fit later without decoding anything.
        let mut codecs = core.settings.media.codecs.clone();
        codecs.sort_by_key(|codec| !codec.is_twin(media::Codec::Pcma));
        if let Err(fault) = self.answer_caller(core, Some(codecs)) {
            core.count("refused", "no_common_codec");
            return self.refuse_with(core, now, fault.status());
        }
        let number = self.number();
        if number.reveal().is_empty() {
            self.identified(core, now, None);
        } else {
            core.output(Output::Lookup { call: self.key, number });
        }
    }

    /// The directory's answer, or its silence.
    pub(crate) fn identified(&mut self, core: &mut Core, now: Instant, found: Option<&Customer>) {
        if !matches!(self.phase, Phase::Identifying) {
            return;
        }
        let settings = core.settings.clone();
        if let Some(customer) = found {
            let manager =
                |number: &Option<String>| number.as_deref().and_then(|number| core.plan.agent(number));
            self.profile = Profile {
                tier: settings.tier_by_name(&customer.tier).unwrap_or(settings.default_tier),
                language: customer.language.clone(),
                senior: customer.senior,
                known: true,
                managers: [manager(&customer.manager_a), manager(&customer.manager_b)],
            };
            self.id.name = Some(customer.name.clone()).filter(|name| !name.reveal().is_empty());
        }
        let tier = settings.tier_name(self.profile.tier).to_owned();
        self.ledger.record.tier = self.profile.tier;
        self.ledger.record.tier_name.clone_from(&tier);
        self.step(core, now, StepKind::Identified, &tier);
        if self.answer.is_none()
            && let Err(fault) = self.answer_caller(core, None)
        {
            core.count("refused", "no_common_codec");
            return self.refuse_with(core, now, fault.status());
        }
        if self.prepare_flow(core, now, &tier) {
            self.pick_up(core, now, Then::Flow);
        } else {
            core.count("refused", "no_flow");
            self.refuse_with(core, now, 404);
        }
    }

    /// Sends our 200.
    pub(super) fn pick_up(&mut self, core: &mut Core, now: Instant, then: Then) {
        self.ledger.record.answered = Some(core.wall(now));
        let answer = self.answer.take();
        core.accept(now, self.caller, answer);
        self.step(core, now, StepKind::Answered, "");
        self.enter(core, now, Phase::Answering(then));
    }

    /// The caller acknowledged our 200: his phone is ready to be heard.
    pub(crate) fn acked(&mut self, core: &mut Core, now: Instant, leg: LegKey, body: Option<&[u8]>) {
        let answered = match body {
            Some(body) if core.is_offering(leg) => core.accept_answer(leg, body),
            None if core.is_offering(leg) => Err(Fault::NoMedia),
            // An answer that nobody asked for means nothing.
            _ => Ok(()),
        };
        if answered.is_err() {
            core.count("answers_unusable", "");
            if leg == self.caller {
                return self.finish(core, now, StepKind::Ended, "no-common-codec", &Farewell::Status(488));
            }
            return self.peer_lost(core, now, leg, "no-common-codec");
        }
        // The next offer on this leg is a re-offer, whoever makes it.
        self.offer = None;
        match &self.phase {
            Phase::Answering(_) if leg == self.caller => match self.take_phase() {
                Phase::Answering(Then::Confirm(prompts)) => self.confirm(core, now, &prompts),
                _ => self.begin_flow(core, now),
            },
            Phase::Talking(_) => self.settle_hold(core, now, leg),
            _ => {}
        }
    }

    /// What is needed to ring somebody for this caller.
    pub(super) fn terms(&self, core: &Core) -> Terms {
        let ours = &core.settings.media.codecs;
        let codecs = match (core.codec(self.caller), &self.offer) {
            (Some(codec), _) => vec![codec],
            (None, Some(offer)) => crate::audio::offered(ours, offer),
            (None, None) => ours.clone(),
        };
        Terms {
            call: self.key,
            worker: self.worker,
            caller: self.id.clone(),
            codecs,
            max_forwards: self.max_forwards,
        }
    }
}
