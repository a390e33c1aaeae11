//! Accounts and their lines: which calls are of one kind, and where they stand as their wishes relax.

use std::collections::BTreeSet;

use base::QueueKey;

use super::Engine;
use crate::config::Relax;
use crate::index::{Account, Line};
use crate::requirement::Requirement;
use crate::tables::{AccountIx, LineIx, ProfileIx, QueueIx};

impl Engine {
    /// The account of calls for a queue with these wishes, made if it is new. `None`: as many as allowed are in use.
    pub(super) fn account(&mut self, queue: QueueIx, needs: &Requirement) -> Option<AccountIx> {
        let row = self.queues.get(queue.at())?;
        if let Some(&known) = row.kinds.get(needs) {
            return Some(known);
        }
        let new = || Account { queue, needs: needs.clone(), lines: Vec::new(), members: 0 };
        let ix = if self.accounts.len() < self.config.limits.signatures_max {
            self.accounts.push(new());
            AccountIx::new(self.accounts.len() - 1)
        } else {
            let ix = self.evict()?;
            *self.accounts.get_mut(ix.at())? = new();
            ix
        };
        self.queues.get_mut(queue.at())?.kinds.insert(needs.clone(), ix);
        Some(ix)
    }

    /// Takes the place of an account without calls and promises; what it was owed is forgotten with it.
    fn evict(&mut self) -> Option<AccountIx> {
        let count = self.accounts.len();
        let next = self.evicted;
        let idle = |at: &usize| self.accounts.get(*at).is_some_and(|account| account.members == 0);
        let at = (next..count).chain(0..next.min(count)).find(idle)?;
        self.evicted = at + 1;
        let ix = AccountIx::new(at);
        let account = self.accounts.get_mut(at)?;
        let lines = core::mem::take(&mut account.lines);
        if let Some(queue) = self.queues.get_mut(account.queue.at()) {
            queue.kinds.remove(&account.needs);
        }
        for line in lines.into_iter().flatten().flatten() {
            self.index.drop_line(line);
        }
        self.policy.forget(ix);
        Some(ix)
    }

    pub(super) fn join_account(&mut self, ix: AccountIx) {
        if let Some(account) = self.accounts.get_mut(ix.at()) {
            account.members += 1;
        }
    }

    pub(super) fn leave_account(&mut self, ix: AccountIx) {
        if let Some(account) = self.accounts.get_mut(ix.at()) {
            account.members = account.members.saturating_sub(1);
        }
    }

    /// The line of an account's calls after so many relaxation steps, made if it is new. `None`: as many as allowed
    /// are in use.
    pub(super) fn line(&mut self, ix: AccountIx, relaxed: usize) -> Option<LineIx> {
        let account = self.accounts.get(ix.at())?;
        let reinforced = self.queues.get(account.queue.at()).is_some_and(|queue| queue.overload.reinforced);
        if let Some(Some(line)) =
            account.lines.get(relaxed).and_then(|both| both.get(usize::from(reinforced)))
        {
            return Some(*line);
        }
        let (queues, needs) = self.relaxed_to(ix, relaxed, reinforced)?;
        let limit = self.config.limits.signatures_max;
        let made = self.make_line(ix, &queues, &needs, limit).or_else(|| {
            self.evict_for_line()?;
            self.make_line(ix, &queues, &needs, limit)
        })?;
        let lines = &mut self.accounts.get_mut(ix.at())?.lines;
        if lines.len() <= relaxed {
            lines.resize(relaxed + 1, [None, None]);
        }
        *lines.get_mut(relaxed)?.get_mut(usize::from(reinforced))? = Some(made);
        Some(made)
    }

    /// Empties an unused account so that its lines can be used again.
    fn evict_for_line(&mut self) -> Option<()> {
        let ix = self.evict()?;
        // Its row stays as an account of nobody's: no queue's table leads to it, so it can only be evicted again.
        let account = self.accounts.get_mut(ix.at())?;
        account.needs = Requirement::none();
        account.queue = QueueIx::new(usize::MAX);
        Some(())
    }

    fn make_line(
        &mut self,
        ix: AccountIx,
        queues: &[QueueIx],
        needs: &Requirement,
        limit: usize,
    ) -> Option<LineIx> {
        let table = &self.queues;
        let candidates = || -> BTreeSet<ProfileIx> {
            queues
                .iter()
                .filter_map(|ix| table.get(ix.at()))
                .flat_map(|queue| queue.profiles.iter().copied())
                .collect()
        };
        self.index.line(ix, queues.to_vec(), needs.clone(), candidates, limit)
    }

    /// Whose agents, and with which skills, may take the account's calls after so many steps.
    fn relaxed_to(
        &self,
        ix: AccountIx,
        relaxed: usize,
        reinforced: bool,
    ) -> Option<(Vec<QueueIx>, Requirement)> {
        let account = self.accounts.get(ix.at())?;
        let config = &self.queues.get(account.queue.at())?.config;
        let mut queues = vec![account.queue];
        let mut needs = account.needs.clone();
        let open = |key: &QueueKey| self.queue_of.get(key).copied().filter(|&ix| self.is_open(ix));
        for step in config.relax.iter().take(relaxed) {
            match step.change {
                Relax::LowerLevels(by) => needs = needs.lowered(by),
                Relax::DropSkill(skill) => needs = needs.without(skill),
                Relax::DropSkills => needs = Requirement::none(),
                Relax::Borrow(ref key) => queues.extend(open(key)),
            }
        }
        if reinforced {
            queues.extend(config.reinforce.iter().filter_map(open));
        }
        queues.sort_unstable();
        queues.dedup();
        Some((queues, needs))
    }

    /// The line of an account's calls as they come.
    pub(super) fn base_line(&self, ix: AccountIx) -> Option<(LineIx, &Line)> {
        let both = self.accounts.get(ix.at())?.lines.first()?;
        let line = both.iter().flatten().next()?;
        Some((*line, self.index.line_at(*line)?))
    }

    /// After a reload the old lines are gone with the old index.
    pub(super) fn forget_lines(&mut self) {
        self.accounts.iter_mut().for_each(|account| account.lines.clear());
    }

    /// Agents kept free are counted by the line of those for whom they are kept.
    pub(super) fn restore_reserved_lines(&mut self) {
        let reserving: Vec<AccountIx> =
            self.policy.reserves().iter().map(|&(account, _, _)| account).collect();
        for account in reserving {
            self.line(account, 0);
        }
    }
}
