//! Ringing somebody: all phones of an agent at once, or an outside number over one trunk after the
//! other. The first who answers wins; the others are told that the call was completed elsewhere.

use std::collections::VecDeque;

use base::{AgentKey, CallKey, Instant, LegKey, Pii, TrunkKey};
use media::Codec;
use sip::{OutTarget, OutgoingInvite, Peer};

use crate::core::Core;
use crate::leg::{Dialog, Farewell, Leg};

/// Who calls, as shown to the one who is called.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallerId {
    /// Number, canonical; empty if unknown.
    pub(crate) number: Pii<String>,
    /// Name.
    pub(crate) name: Option<Pii<String>>,
    /// The caller asked to be hidden.
    pub(crate) hidden: bool,
}

/// Who is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Callee {
    /// An agent, on all his phones.
    Agent(AgentKey),
    /// An outside number. Urgent: past every limit.
    Outside {
        /// Canonical.
        number: Pii<String>,
        /// An emergency call.
        urgent: bool,
    },
}

/// What must be known to ring anybody.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) call: CallKey,
    pub(crate) worker: usize,
    pub(crate) caller: CallerId,
    /// What the caller speaks.
    pub(crate) codecs: Vec<Codec>,
    /// Already one less than what came in.
    pub(crate) max_forwards: u8,
}

/// A ringing in progress.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    pub(crate) callee: Callee,
    pub(crate) legs: Vec<LegKey>,
    terms: Terms,
    routes: VecDeque<TrunkKey>,
    /// The most telling failure so far.
    worst: NobodyThere,
    /// The leg whose early media the caller hears.
    pub(crate) early: Option<LegKey>,
}

/// Ringing came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NobodyThere {
    /// With this status: of those who were rung, or because there was nobody to be rung.
    Refused(u16),
    /// The switch itself could ring nobody, for want of a port or a place in a table. That says nothing about who was
    /// called.
    Short,
}

impl NobodyThere {
    /// The status to hand on to who called.
    pub(crate) const fn code(self) -> u16 {
        match self {
            NobodyThere::Refused(code) => code,
            NobodyThere::Short => 503,
        }
    }
}

impl Dial {
    /// Rings all phones of an agent.
    pub(crate) fn agent(
        core: &mut Core,
        now: Instant,
        agent: AgentKey,
        terms: Terms,
    ) -> Result<Dial, NobodyThere> {
        let limit = core.settings.limits.bindings_max;
        let bindings: Vec<_> =
            core.sip.bindings(agent).iter().take(limit).map(|b| (b.key, b.remote().ip())).collect();
        let mut dial = Dial::new(Callee::Agent(agent), terms, VecDeque::new());
        for (binding, peer) in bindings {
            dial.ring(core, now, OutTarget::Contact(agent, binding), Peer::Agent(agent), Some(peer));
        }
        if dial.legs.is_empty() { Err(dial.worst) } else { Ok(dial) }
    }

    /// Rings an outside number over the first of `routes` that takes the call.
    pub(crate) fn outside(
        core: &mut Core,
        now: Instant,
        number: String,
        urgent: bool,
        routes: Vec<TrunkKey>,
        terms: Terms,
    ) -> Result<Dial, NobodyThere> {
        let limit = core.settings.limits.routes_max;
        let routes = routes.into_iter().take(limit).collect();
        let mut dial = Dial::new(Callee::Outside { number: Pii::new(number), urgent }, terms, routes);
        dial.next_route(core, now).map(|()| dial)
    }

    fn new(callee: Callee, terms: Terms, routes: VecDeque<TrunkKey>) -> Self {
        Dial { callee, legs: Vec::new(), terms, routes, worst: NobodyThere::Refused(480), early: None }
    }

    fn next_route(&mut self, core: &mut Core, now: Instant) -> Result<(), NobodyThere> {
        let Callee::Outside { number, urgent } = self.callee.clone() else {
            return Err(self.worst);
        };
        while let Some(trunk) = self.routes.pop_front() {
            if core.trunks.depart(trunk, urgent).is_err() {
                core.count("limited", "trunk_calls_out");
                self.worst = NobodyThere::Refused(503);
                continue;
            }
            let rewritten = core.settings.trunk(trunk).and_then(|trunk| trunk.rewrite.apply(number.reveal()));
            let Some(out) = rewritten else {
                core.trunks.leave(trunk);
                continue;
            };
            if self.ring(core, now, OutTarget::Trunk(trunk, Pii::new(out)), Peer::Trunk(trunk), None) {
                return Ok(());
            }
            core.trunks.leave(trunk);
        }
        Err(self.worst)
    }

    /// Rings for another call from now on.
    pub(crate) fn serve(&mut self, call: CallKey) {
        self.terms.call = call;
        self.early = None;
    }

    /// Sends one INVITE; `false` if that was not possible.
    fn ring(
        &mut self,
        core: &mut Core,
        now: Instant,
        target: OutTarget,
        peer: Peer,
        address: Option<core::net::IpAddr>,
    ) -> bool {
        let codecs = crate::audio::with_others(&self.terms.codecs, &core.settings.media.codecs);
        let Ok(mut audio) = core.prepare_audio(now, self.terms.worker, address, codecs) else {
            core.count("limited", "ports");
            self.worst = NobodyThere::Short;
            return false;
        };
        let invite = OutgoingInvite { sdp: Some(audio.offer()), ..self.invite(core, target, &peer) };
        match core.sip.invite(now, invite) {
            Ok(leg) => {
                core.legs.insert(leg, Leg::new(self.terms.call, peer, Dialog::Outgoing));
                core.open_audio(now, leg, audio);
                self.legs.push(leg);
                true
            }
            Err(why) => {
                core.ports.give_back(now, audio.port);
                core.count("invites_unsendable", "");
                if why.is_shortage() {
                    self.worst = NobodyThere::Short;
                }
                false
            }
        }
    }

    fn invite(&self, core: &Core, target: OutTarget, peer: &Peer) -> OutgoingInvite {
        let caller = &self.terms.caller;
        let mut shown = caller.number.clone();
        let mut asserted = None;
        if let Peer::Trunk(trunk) = peer
            && let Some(trunk) = core.settings.trunk(*trunk)
        {
            if !trunk.caller_id.is_empty() {
                shown = Pii::new(trunk.caller_id.clone());
            }
            asserted = trunk.assert_identity.then(|| shown.clone());
        }
        if caller.hidden && matches!(peer, Peer::Agent(_)) || shown.reveal().is_empty() {
            shown = Pii::new("anonymous".to_owned());
        }
        OutgoingInvite {
            target,
            from_user: shown,
            from_display: caller.name.clone().filter(|_| matches!(peer, Peer::Agent(_)) && !caller.hidden),
            asserted,
            privacy: caller.hidden,
            sdp: None,
            max_forwards: self.terms.max_forwards,
            headers: Vec::new(),
        }
    }

    /// One leg failed. `Err` when nobody is left to be rung.
    pub(crate) fn failed(
        &mut self,
        core: &mut Core,
        now: Instant,
        leg: LegKey,
        code: u16,
    ) -> Result<(), NobodyThere> {
        self.legs.retain(|&other| other != leg);
        core.parted(leg);
        // 6xx speaks for all of a person's phones, busy tells more than silence (RFC 3261 §16.7.6).
        let rank = |failure| match failure {
            NobodyThere::Refused(600..=699) => 4,
            NobodyThere::Refused(486) => 3,
            NobodyThere::Refused(400..=499) => 2,
            NobodyThere::Refused(_) => 1,
            NobodyThere::Short => 0,
        };
        let refused = NobodyThere::Refused(code);
        if rank(refused) >= rank(self.worst) || self.worst == NobodyThere::Refused(480) {
            self.worst = refused;
        }
        if !self.legs.is_empty() {
            return Ok(());
        }
        // The trunk's fault, or the number's? Only in the first case another trunk helps.
        if matches!(code, 408 | 500..=599) { self.next_route(core, now) } else { Err(self.worst) }
    }

    /// One leg answered: the others hear that the call was completed elsewhere.
    pub(crate) fn won(&mut self, core: &mut Core, now: Instant, winner: LegKey) {
        for leg in core::mem::take(&mut self.legs) {
            if leg != winner {
                core.part(now, leg, &Farewell::Elsewhere);
            }
        }
    }

    /// Nobody shall answer any more.
    pub(crate) fn cancel(&mut self, core: &mut Core, now: Instant, farewell: &Farewell) {
        for leg in core::mem::take(&mut self.legs) {
            core.part(now, leg, farewell);
        }
    }
}
