//! `usher callbacks …`.

use std::path::Path;

use call::callback::State;

use crate::cli::{CallbacksCommand, Failure};
use crate::config;
use crate::serve::clock::Clock;

/// Runs the command.
///
/// # Errors
/// A callback that is not open, a database that refuses.
pub(crate) fn run(command: &CallbacksCommand) -> Result<(), Failure> {
    match command {
        CallbacksCommand::List { all, limit, reveal, config } => list(&config.config, *all, *limit, *reveal),
        CallbacksCommand::Done { key, config } => end(&config.config, key, State::Done),
        CallbacksCommand::Cancel { key, config } => end(&config.config, key, State::Cancelled),
    }
}

fn refused(error: store::StoreError) -> Failure {
    Failure::System(error.to_string())
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
fn list(folder: &Path, all: bool, limit: u32, reveal: bool) -> Result<(), Failure> {
    let main = config::load_main(folder).map_err(Failure::Findings)?;
    crate::block_on(async {
        let store = store::Store::open(&main.store.url).await.map_err(refused)?;
        let rows = store.callbacks(all, limit).await.map_err(refused)?;
        store.close().await;
        print!("{}", store::callbacks_table(&rows, reveal));
        Ok(())
    })
}

fn end(folder: &Path, key: &str, state: State) -> Result<(), Failure> {
    let not_a_key =
        |_| Failure::Usage(format!("\"{key}\" is not a callback's key as `usher callbacks list` prints it"));
    let callback = key.parse().map_err(not_a_key)?;
    let main = config::load_main(folder).map_err(Failure::Findings)?;
    crate::block_on(async {
        let store = store::Store::open(&main.store.url).await.map_err(refused)?;
        let found =
            store.end_callback(callback, state, Clock::start().wall().epoch).await.map_err(refused)?;
        store.close().await;
        if found { Ok(()) } else { Err(Failure::Usage(format!("there is no open callback {key}"))) }
    })
}
