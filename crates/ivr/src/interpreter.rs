//! One caller's walk through the flows.

use std::sync::Arc;

use base::Instant;

use crate::{Caller, Flows, Input, Output, Timer, Vars};

/// One caller's flow.
#[derive(Debug)]
pub struct Interpreter {
    #[expect(dead_code, reason = "the steps come next")]
    flows: Arc<Flows>,
    vars: Vars,
}

impl Interpreter {
    /// A caller at the door of flow `flow`; nothing runs before [`Input::Started`].
    pub fn new(flows: Arc<Flows>, _flow: &str, caller: &Caller) -> Self {
        Interpreter { flows, vars: Vars::new(caller) }
    }

    /// What happened.
    pub fn handle(&mut self, _now: Instant, _input: Input) {}

    /// Time passed.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// What to do now.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// When to call [`Interpreter::handle_timeout`], and why.
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        None
    }

    /// The caller's variables.
    pub fn vars(&self) -> &Vars {
        &self.vars
    }

    /// Whether `Hangup` was said: nothing follows.
    pub fn is_over(&self) -> bool {
        false
    }
}
