//! Floor 5: the binary. Reads the config, builds the parts, runs them, drains them. The only crate
//! that reads the operating system's clock.

mod callbacks;
mod calls;
pub mod cli;
pub mod config;
mod customers;
pub mod serve;
pub mod simulate;

/// Runs a future on a small runtime of its own, for commands that ask the store.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, cli::Failure>>) -> Result<T, cli::Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| cli::Failure::System(error.to_string()))?.block_on(future)
}
