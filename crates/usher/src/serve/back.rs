//! What may take long runs here, beside the signalling thread: the directory, the back end's hooks, name
//! servers, reading a new configuration. Questions come in by a bounded channel, answers go back by another.

use std::path::PathBuf;

use base::{CallKey, CallbackKey, Duration, Pii, UnixMillis};
use call::directory::Customer;
use call::message::HookRequest;
use store::Store;
use tokio::sync::mpsc;

use super::hooks::{Hooks, Values};
use super::resolver::{Question, Resolver};
use crate::config::{self, Loaded, keys::KeyBook};

/// Longest time of one hook.
const HOOK_MAX: Duration = Duration::from_secs(2);
/// Questions under way; a further one is answered in the negative at once.
pub const QUESTIONS_MAX: usize = 8192;

/// What the signalling thread wants to know.
#[derive(Debug)]
pub enum Ask {
    /// Who has this number?
    Customer {
        /// For this call.
        call: CallKey,
        /// Canonical number.
        number: Pii<String>,
    },
    /// What does the carrier's back end say?
    Hook {
        /// For this call.
        call: CallKey,
        /// Comes back.
        token: u64,
        /// What to ask.
        request: Box<HookRequest>,
    },
    /// Where is this host?
    Resolve(Question),
    /// Has nobody taken this promise back?
    MayCall(CallbackKey),
    /// Read the configuration again.
    Reload(PathBuf, KeyBook),
}

/// The answers, and what the store knows from before the start.
pub enum Answer {
    /// Whether a promise is still to be kept.
    MayCall {
        /// Which.
        callback: CallbackKey,
        /// It is, as far as anybody knows.
        open: bool,
    },
    /// A promise of before the start.
    Promised(Box<call::callback::Callback>),
    /// Who served a customer before the start.
    Served {
        /// The customer's number.
        number: Pii<String>,
        /// The agent's number.
        agent: String,
        /// When.
        at: UnixMillis,
    },
    /// Who has this number.
    Customer {
        /// For this call.
        call: CallKey,
        /// Nobody, or the database did not answer.
        found: Option<Box<Customer>>,
    },
    /// What the back end said.
    Hook {
        /// For this call.
        call: CallKey,
        /// Token of the question.
        token: u64,
        /// Values by name.
        result: Result<Values, ivr::HookFailure>,
    },
    /// Where the host is.
    Resolved {
        /// Number of the question.
        query: u64,
        /// Best first; none if it was not found.
        targets: Vec<sip::Target>,
    },
    /// The new configuration, or everything that is wrong with it.
    Reloaded(Result<Box<(Loaded, KeyBook)>, Vec<base::Finding>>),
}

/// Who answers.
#[derive(Clone)]
pub struct Back {
    /// The directory.
    pub store: Store,
    /// The carrier's back end.
    pub hooks: Hooks,
    /// Name servers.
    pub resolver: Resolver,
}

impl Back {
    /// Answers until the questions end.
    pub async fn run(
        self,
        mut questions: mpsc::Receiver<Ask>,
        answers: mpsc::Sender<Answer>,
        mut rng: base::Rng,
    ) {
        while let Some(question) = questions.recv().await {
            let (back, answers, rank) = (self.clone(), answers.clone(), rng.fork());
            tokio::spawn(async move {
                // Nobody listens any more when the switch has ended.
                let _ = answers.send(back.answer(question, rank).await).await;
            });
        }
    }

    async fn answer(&self, question: Ask, mut rank: base::Rng) -> Answer {
        match question {
            Ask::Customer { call, number } => {
                let found = match self.store.customer(number.reveal()).await {
                    Ok(found) => found.map(Box::new),
                    Err(error) => {
                        tracing::warn!(%call, %error, "the directory did not answer: served as unknown");
                        None
                    }
                };
                Answer::Customer { call, found }
            }
            Ask::Hook { call, token, request } => {
                let result =
                    self.hooks.ask(&request.url, &request.params, request.timeout.min(HOOK_MAX)).await;
                Answer::Hook { call, token, result }
            }
            Ask::Resolve(question) => {
                let targets = self.resolver.resolve(&question, &mut rank).await;
                Answer::Resolved { query: question.query, targets }
            }
            Ask::MayCall(callback) => {
                let open = match self.store.is_callback_open(callback).await {
                    Ok(open) => open,
                    Err(error) => {
                        tracing::warn!(%callback, %error, "the store did not answer: the promise is kept");
                        true
                    }
                };
                Answer::MayCall { callback, open }
            }
            Ask::Reload(folder, keys) => Answer::Reloaded(reload(folder, keys).await),
        }
    }
}

async fn reload(folder: PathBuf, mut keys: KeyBook) -> Result<Box<(Loaded, KeyBook)>, Vec<base::Finding>> {
    let shown = folder.display().to_string();
    let read = tokio::task::spawn_blocking(move || {
        let loaded = config::load(&folder, &mut keys)?;
        Ok(Box::new((loaded, keys)))
    });
    read.await.unwrap_or_else(|_| Err(vec![base::Finding::new(shown, "reading it failed")]))
}

/// The answer to a question that was not even asked because too many are under way.
pub fn refusal(question: Ask) -> Answer {
    match question {
        Ask::Customer { call, .. } => Answer::Customer { call, found: None },
        Ask::Hook { call, token, .. } => Answer::Hook { call, token, result: Err(ivr::HookFailure::Busy) },
        Ask::Resolve(question) => Answer::Resolved { query: question.query, targets: Vec::new() },
        Ask::MayCall(callback) => Answer::MayCall { callback, open: true },
        Ask::Reload(folder, _) => {
            let busy = base::Finding::new(folder.display().to_string(), "too busy to read it now: try again");
            Answer::Reloaded(Err(vec![busy]))
        }
    }
}
