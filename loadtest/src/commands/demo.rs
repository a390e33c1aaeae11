//! `demo`: agents and callers for a minute. `backend`: the carrier's back end alone.

use std::error::Error;
use std::net::SocketAddr;

use crate::demo;

/// Where the back end listens.
#[derive(Debug, clap::Args)]
pub(crate) struct BackEndOptions {
    /// Address of the hooks' base in usher.toml.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
}

pub(crate) fn run(options: &demo::Options) -> Result<(), Box<dyn Error>> {
    runtime()?.block_on(demo::run(options))
}

pub(crate) fn back_end(options: &BackEndOptions) -> Result<(), Box<dyn Error>> {
    println!("answering /balance, /points and /order on {}", options.listen);
    Ok(runtime()?.block_on(demo::http::back_end(options.listen))?)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
