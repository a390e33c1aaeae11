//! `usher callbacks …`.

use std::path::Path;

use crate::cli::{CallbacksCommand, Failure};
use crate::config;
use crate::serve::clock::Clock;

/// Runs the command.
///
/// # Errors
/// A call without an open callback, a database that refuses.
pub(crate) fn run(command: &CallbacksCommand) -> Result<(), Failure> {
    match command {
        CallbacksCommand::List { all, limit, reveal, config } => list(&config.config, *all, *limit, *reveal),
        CallbacksCommand::Done { key, config } => done(&config.config, key),
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

fn done(folder: &Path, key: &str) -> Result<(), Failure> {
    let not_a_key =
        |_| Failure::Usage(format!("\"{key}\" is not a call's key as `usher callbacks list` prints it"));
    let call = key.parse().map_err(not_a_key)?;
    let main = config::load_main(folder).map_err(Failure::Findings)?;
    crate::block_on(async {
        let store = store::Store::open(&main.store.url).await.map_err(refused)?;
        let found = store.callback_done(call, Clock::start().wall().epoch).await.map_err(refused)?;
        store.close().await;
        if found {
            Ok(())
        } else {
            Err(Failure::Usage(format!("no open callback was promised in call {key}")))
        }
    })
}
