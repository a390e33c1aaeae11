//! Codes that an agent dials to change his state; each is confirmed by voice.

use base::{AgentKey, Instant};

use super::{Journey, Phase, Reached, Then};
use crate::core::Core;
use crate::leg::Farewell;
use crate::record::StepKind;
use crate::settings::Feature;

/// Prompts that confirm, and the one that says that the code was not possible. They must be in every voice.
pub const CONFIRMATIONS: &[&str] = &[
    "feature-ready",
    "feature-not-ready",
    "feature-wrap-up-ended",
    "feature-logged-in",
    "feature-logged-out",
    "feature-refused",
];

impl Journey {
    /// Does what the code asks for and answers the call to say so.
    pub(super) fn obey(
        &mut self,
        core: &mut Core,
        now: Instant,
        agent: AgentKey,
        feature: Feature,
        reason: Option<u8>,
    ) {
        let possible = core.change_agent(agent, feature, reason.unwrap_or(0));
        let prompt = match (possible, feature) {
            (false, _) => "feature-refused",
            (true, Feature::Ready) => "feature-ready",
            (true, Feature::NotReady) => "feature-not-ready",
            (true, Feature::EndWrapUp) => "feature-wrap-up-ended",
            (true, Feature::Login) => "feature-logged-in",
            (true, Feature::Logout) => "feature-logged-out",
        };
        if let Some(agent) = core.settings.agent(agent) {
            self.profile.language.clone_from(&agent.language);
        }
        self.step(core, now, StepKind::Flow, prompt);
        match self.answer_caller(core, None) {
            Ok(()) => self.pick_up(core, now, Then::Confirm(vec![prompt])),
            Err(fault) => self.refuse_with(core, now, fault.status()),
        }
    }

    /// The agent can hear: the confirmation is spoken.
    pub(super) fn confirm(&mut self, core: &mut Core, now: Instant, prompts: &[&'static str]) {
        self.enter(core, now, Phase::Confirming);
        let voices = core.settings.voices.clone();
        let language = &self.profile.language;
        let found = prompts.iter().filter_map(|prompt| voices.get(language, prompt).cloned()).collect();
        core.play(self.caller, 0, found);
    }

    /// What was played to the caller is over.
    pub(crate) fn play_done(&mut self, core: &mut Core, now: Instant, token: u64) {
        if matches!(self.phase, Phase::Confirming) {
            self.reached = Reached::Service;
            return self.finish(core, now, StepKind::Ended, "confirmed", &Farewell::Normal);
        }
        if self.lead() == super::Lead::Callback {
            return self.greeted(core);
        }
        self.tell_flow(core, now, ivr::Input::PlayDone { token: ivr::Token(token) });
    }
}

impl Core {
    /// Tells the distributor what an agent wants to be. `false` if his state does not allow it.
    pub(crate) fn change_agent(&mut self, agent: AgentKey, feature: Feature, reason: u8) -> bool {
        let state = self.agents.get(&agent).map(|seen| seen.state);
        let input = match feature {
            Feature::Ready => acd::Input::Ready { agent },
            Feature::NotReady => acd::Input::NotReady { agent, reason },
            Feature::Login => acd::Input::Login { agent },
            Feature::Logout => acd::Input::Logout { agent },
            Feature::EndWrapUp if matches!(state, Some(acd::AgentState::WrapUp { .. })) => {
                acd::Input::EndWrapUp { agent }
            }
            Feature::EndWrapUp => return false,
        };
        self.acd(input);
        true
    }
}
