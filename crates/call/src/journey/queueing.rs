//! In the queue of people: entering it, leaving it, coming back to it with the place kept.

use base::{Instant, SkillKey};
use ivr::{Dequeue, Enqueue, Input, LeftQueue};

use super::{Journey, Lead, Phase, Reached, Wait};
use crate::core::Core;
use crate::leg::Farewell;
use crate::record::StepKind;

impl Journey {
    /// Whether the caller has a place in a queue.
    pub(crate) const fn in_queue(&self) -> bool {
        matches!(self.phase, Phase::Waiting(_) | Phase::Presenting { .. } | Phase::Joining { .. })
    }

    /// The flow sends the caller to a queue.
    pub(super) fn enqueue(&mut self, core: &mut Core, now: Instant, enqueue: &Enqueue, lead: Lead) {
        if self.in_queue() {
            self.leave_queue(core, now, acd::Deflection::OtherQueue);
        }
        let Some(queue) = core.settings.queue_by_name(&enqueue.queue).map(|queue| queue.key) else {
            // Checked at start; a reload may still have taken the queue away.
            core.count("queues_missing", "");
            let left = match lead {
                Lead::Flow => Input::QueueLeft { why: LeftQueue::Closed, flow: None },
                Lead::Transfer => Input::TransferFailed,
                Lead::Referral | Lead::Callback => Input::AgentHungUp,
            };
            return self.answer_flow(now, left);
        };
        let skill = |(name, level): &(ivr::Name, u8)| Some((core.settings.skill_by_name(name)?, *level));
        let skills: Vec<(SkillKey, u8)> = enqueue.skills.iter().filter_map(skill).collect();
        if skills.len() < enqueue.skills.len() {
            core.count("skills_missing", "");
        }
        let caller = acd::Caller {
            tier: self.profile.tier,
            queue,
            skills: acd::Requirement::all(skills).unwrap_or_default(),
            class: class_of(enqueue.class),
            senior: self.profile.senior,
            managers: if enqueue.managers { self.profile.managers } else { [None, None] },
            last_agent: self.last_agent(core, now),
            since: None,
            customer: self.customer(core),
        };
        self.take_place(core, now, Wait { lead, caller, since: now });
    }

    /// Takes a place in the queue.
    pub(super) fn take_place(&mut self, core: &mut Core, now: Instant, wait: Wait) {
        let queue =
            core.settings.queue(wait.caller.queue).map(|queue| queue.name.clone()).unwrap_or_default();
        self.ledger.record.queue = Some(queue.clone());
        self.ledger.wait_begins(now);
        self.step(core, now, StepKind::Queued, &queue);
        core.acd(acd::Input::Offer { call: self.key, caller: wait.caller.clone() });
        self.enter(core, now, Phase::Waiting(Box::new(wait)));
    }

    /// The caller leaves the queue by his choice; whoever rings is withdrawn.
    pub(super) fn leave_queue(&mut self, core: &mut Core, now: Instant, how: acd::Deflection) {
        let phase = self.take_phase();
        self.ledger.wait_ends(now);
        self.let_go(core, now, phase);
        core.acd(acd::Input::Deflect { call: self.key, how });
        self.enter(core, now, Phase::Guided);
    }

    pub(super) fn dequeue(&mut self, core: &mut Core, now: Instant, why: Dequeue) {
        if !self.in_queue() {
            return;
        }
        let (how, word) = match why {
            Dequeue::SelfService => (acd::Deflection::SelfService, "self-service"),
            Dequeue::Transfer => (acd::Deflection::Transfer, "transfer"),
            Dequeue::OtherQueue => (acd::Deflection::OtherQueue, "other-queue"),
            Dequeue::Hangup => (acd::Deflection::Hangup, "flow-end"),
        };
        if why == Dequeue::SelfService {
            self.reached = Reached::Deflected;
        }
        self.step(core, now, StepKind::Deflected, word);
        self.leave_queue(core, now, how);
    }

    /// The distributor let the call go unanswered.
    pub(crate) fn overflowed(
        &mut self,
        core: &mut Core,
        now: Instant,
        to: acd::OverflowTarget,
        why: acd::OverflowWhy,
    ) {
        if !self.in_queue() {
            return;
        }
        let (left, word) = match why {
            acd::OverflowWhy::Time => (LeftQueue::Time, "time"),
            acd::OverflowWhy::Length => (LeftQueue::Length, "length"),
            acd::OverflowWhy::NoAgents => (LeftQueue::NoAgents, "no-agents"),
            acd::OverflowWhy::Limit => (LeftQueue::Length, "limit"),
            acd::OverflowWhy::Overload => (LeftQueue::Length, "overload"),
        };
        self.step(core, now, StepKind::Overflowed, word);
        if let acd::OverflowTarget::Queue(queue) = to {
            // The distributor has moved the call already, with its place.
            self.ledger.record.queue = core.settings.queue(queue).map(|queue| queue.name.clone());
            if let Phase::Waiting(wait) | Phase::Presenting { wait, .. } | Phase::Joining { wait, .. } =
                &mut self.phase
            {
                wait.caller.queue = queue;
            }
            return;
        }
        let lead = self.lead();
        let phase = self.take_phase();
        self.let_go(core, now, phase);
        self.ledger.wait_ends(now);
        self.enter(core, now, Phase::Guided);
        match (to, lead) {
            (acd::OverflowTarget::Flow(flow), Lead::Flow) => {
                let flow = Some(flow.to_string());
                self.tell_flow(core, now, Input::QueueLeft { why: left, flow });
            }
            (acd::OverflowTarget::Flow(_), Lead::Transfer) => {
                self.tell_flow(core, now, Input::TransferFailed)
            }
            (acd::OverflowTarget::Flow(_), Lead::Referral) => self.tell_flow(core, now, Input::AgentHungUp),
            _ => self.finish(core, now, StepKind::Ended, "overflow", &Farewell::Normal),
        }
    }

    /// The caller's place in a queue.
    pub(super) const fn wait(&self) -> Option<&Wait> {
        match &self.phase {
            Phase::Waiting(wait) | Phase::Presenting { wait, .. } | Phase::Joining { wait, .. } => Some(wait),
            _ => None,
        }
    }

    /// Who leads the waiting caller.
    pub(super) const fn lead(&self) -> Lead {
        match &self.phase {
            Phase::Waiting(wait) | Phase::Presenting { wait, .. } | Phase::Joining { wait, .. } => wait.lead,
            _ => Lead::Flow,
        }
    }

    /// The agent was lost and the caller waits again, at his old place.
    pub(super) fn waits_again(&mut self, core: &mut Core, now: Instant) {
        match self.lead() {
            Lead::Flow => self.tell_flow(core, now, Input::Requeued),
            Lead::Transfer | Lead::Referral | Lead::Callback => self.hold_caller(core),
        }
    }

    /// Who the caller is, if he can be told by his number.
    pub(super) fn customer(&self, core: &Core) -> Option<base::CustomerKey> {
        crate::promises::customer(core.customers, self.id.number.reveal())
    }

    /// Who served him lately.
    fn last_agent(&self, core: &Core, now: Instant) -> Option<base::AgentKey> {
        core.served.last(now, self.customer(core)?, core.settings.last_agent_within)
    }

    /// More callers than people: he may choose something else.
    pub(crate) fn way_is_open(&mut self, core: &mut Core, now: Instant, way: acd::WayOut) {
        if !matches!(self.phase, Phase::Waiting(_) | Phase::Presenting { .. }) || self.lead() != Lead::Flow {
            return;
        }
        let word = match (way.callback, way.self_service) {
            (true, true) => "callback or self-service",
            (true, false) => "callback",
            (false, _) => "self-service",
        };
        self.step(core, now, StepKind::WayOut, word);
        let acd::WayOut { callback, self_service, pressing, plainly, .. } = way;
        self.tell_flow(core, now, Input::WayOut(ivr::WayOut { callback, self_service, pressing, plainly }));
    }

    /// What the distributor says of the wait.
    pub(crate) fn expected(&mut self, core: &mut Core, now: Instant, announcement: &acd::Announcement) {
        let wait = match (announcement.within, announcement.mean) {
            (Some(within), _) => {
                self.step(core, now, StepKind::WaitAnnounced, &format!("{} s", within.as_secs()));
                ivr::Wait::Within(within)
            }
            (None, Some(_)) => ivr::Wait::Untold,
            (None, None) => ivr::Wait::Unknown,
        };
        let position = u32::try_from(announcement.ahead).ok().map(|ahead| ahead.saturating_add(1));
        self.tell_flow(core, now, Input::Expected { wait, position });
    }
}

const fn class_of(class: ivr::Class) -> acd::Class {
    match class {
        ivr::Class::Emergency => acd::Class::Emergency,
        ivr::Class::Complaint => acd::Class::Complaint,
        ivr::Class::Normal => acd::Class::Normal,
    }
}
