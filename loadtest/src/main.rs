//! `usher-load`: see `usher-load --help`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people at a terminal")]

mod calls;
mod commands;
mod demo;
mod measure;
mod process;
mod server;
mod subject;

use std::process::ExitCode;

use clap::Parser;

/// Load for Usher: paced RTP streams, relays to compare with, reports.
#[derive(Debug, Parser)]
#[command(version)]
enum Command {
    /// Play and listen to RTP streams, measure loss, latency and jitter.
    Rtp(commands::rtp::Options),
    /// Be a relay: the null relay (no logic) or the switch's own media thread.
    Relay(commands::relay::Options),
    /// Be a hotline's agents and callers, and account for what they saw.
    Demo(demo::Options),
    /// Drive whole calls from a trunk to agents, and measure what they cost the switch.
    Calls(commands::calls::Options),
    /// Registrations with digest, as many a second as the switch takes.
    Registers(commands::registers::Options),
    /// Compare whole calls: the switch and a stateful proxy in turn, the same load.
    CompareSip(commands::compare_sip::Options),
    /// Compare distributors: callers who wait and agents who answer, beside peers measured elsewhere.
    CompareAcd(commands::compare_acd::Options),
    /// Be the carrier's back end that the hotline's flows ask.
    Backend(commands::demo::BackEndOptions),
    /// Compare relays with each other, with null relays and with rtpengine; write a page of results.
    CompareRelay(commands::compare::Options),
    /// Compare the prompt player with raw send loops; write a page of results.
    ComparePrompts(commands::compare::Options),
    /// Compare any subjects: processor time per packet and added latency, side by side.
    BridgeBench(commands::bridge_bench::Options),
    /// Compare the relay in the kernel with a bare redirect and with user space, in network namespaces. Needs root.
    Xdp(commands::xdp::Options),
    /// Compare prompts past the sockets (`AF_XDP`) with prompts by sockets and with a raw send loop, in network namespaces.
    /// Needs root.
    XdpPrompts(commands::xdp_prompts::Options),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Rtp(options) => commands::rtp::run(&options),
        Command::Relay(options) => commands::relay::run(&options),
        Command::Demo(options) => commands::demo::run(&options),
        Command::Calls(options) => commands::calls::run(&options),
        Command::Registers(options) => commands::registers::run(&options),
        Command::CompareSip(options) => commands::compare_sip::run(&options),
        Command::CompareAcd(options) => commands::compare_acd::run(&options),
        Command::Backend(options) => commands::demo::back_end(&options),
        Command::CompareRelay(options) => commands::compare::relay(&options),
        Command::ComparePrompts(options) => commands::compare::prompts(&options),
        Command::BridgeBench(options) => commands::bridge_bench::run(&options),
        Command::Xdp(options) => commands::xdp::run(&options),
        Command::XdpPrompts(options) => commands::xdp_prompts::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("usher-load: {error}");
            ExitCode::FAILURE
        }
    }
}
