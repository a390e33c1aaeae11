//! `usher calls …`.

use call::record::Outcome;

use crate::cli::{CallsCommand, Failure};
use crate::config;

/// Runs the command.
///
/// # Errors
/// A call that does not exist, a database that refuses.
pub(crate) fn run(command: &CallsCommand) -> Result<(), Failure> {
    match command {
        CallsCommand::List { limit, tier, agent, outcome, config } => {
            let outcome = match outcome {
                Some(word) => Some(Outcome::from_word(word).ok_or_else(|| unknown_outcome(word))?),
                None => None,
            };
            let filter = store::CallFilter {
                tier: tier.clone(),
                agent: agent.clone(),
                outcome,
                limit: *limit,
                ..store::CallFilter::default()
            };
            list(&config.config, &filter)
        }
        CallsCommand::Show { key, reveal, config } => show(&config.config, key, *reveal),
    }
}

fn unknown_outcome(word: &str) -> Failure {
    let known: Vec<_> = Outcome::ALL.iter().map(|outcome| outcome.word()).collect();
    Failure::Usage(format!("no outcome is called \"{word}\"; known: {}", known.join(", ")))
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
fn list(folder: &std::path::Path, filter: &store::CallFilter) -> Result<(), Failure> {
    let main = config::load_main(folder).map_err(Failure::Findings)?;
    crate::block_on(async {
        let refused = |error: store::StoreError| Failure::System(error.to_string());
        let store = store::Store::open(&main.store.url).await.map_err(refused)?;
        let calls = store.calls(filter).await.map_err(refused)?;
        store.close().await;
        print!("{}", store::calls_table(&calls));
        Ok(())
    })
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
fn show(folder: &std::path::Path, key: &str, reveal: bool) -> Result<(), Failure> {
    let call = call_key(key)?;
    let main = config::load_main(folder).map_err(Failure::Findings)?;
    crate::block_on(async {
        let refused = |error: store::StoreError| Failure::System(error.to_string());
        let store = store::Store::open(&main.store.url).await.map_err(refused)?;
        let record = store.call(call).await.map_err(refused)?;
        store.close().await;
        let record = record.ok_or_else(|| Failure::Usage(format!("no call {key} is in the store")))?;
        print!("{}", store::journey(&record, reveal));
        Ok(())
    })
}

/// `usher explain`: why a call went to whom it went.
///
/// # Errors
/// A call that does not exist, a database that refuses.
#[expect(clippy::print_stdout, reason = "the command's answer")]
pub(crate) fn explain(folder: &std::path::Path, key: &str) -> Result<(), Failure> {
    let call = call_key(key)?;
    let main = config::load_main(folder).map_err(Failure::Findings)?;
    crate::block_on(async {
        let refused = |error: store::StoreError| Failure::System(error.to_string());
        let store = store::Store::open(&main.store.url).await.map_err(refused)?;
        let record = store.call(call).await.map_err(refused)?;
        let decisions = store.decisions(call).await.map_err(refused)?;
        store.close().await;
        let (Some(record), Some(decisions)) = (record, decisions) else {
            return Err(Failure::Usage(format!("no call {key} is in the store")));
        };
        print!("{}", store::explanation(&record, &decisions));
        Ok(())
    })
}

fn call_key(key: &str) -> Result<base::CallKey, Failure> {
    let not_a_key =
        |_| Failure::Usage(format!("\"{key}\" is not a call's key as `usher calls list` prints it"));
    key.parse().map_err(not_a_key)
}
