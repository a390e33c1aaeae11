//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Exit code of a command called wrongly or with a wrong configuration (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;
/// Exit code of something that the system refused (`EX_OSERR`).
pub const EXIT_SYSTEM: u8 = 71;

/// A SIP/RTP switch with an automatic call distributor: each customer tier gets the answer rate it was promised.
#[derive(Debug, Parser)]
#[command(name = "usher", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take calls until SIGTERM or Ctrl-C.
    Serve(ConfigArgs),
    /// Read the configuration, print everything that is wrong with it, start nothing.
    Check(ConfigArgs),
    /// The customer directory.
    #[command(subcommand)]
    Customers(CustomersCommand),
    /// The call records.
    #[command(subcommand)]
    Calls(CallsCommand),
    /// Why a call went to whom it went, decision by decision.
    Explain {
        /// The call's key, as `calls list` prints it.
        key: String,
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// The callbacks that callers were promised.
    #[command(subcommand)]
    Callbacks(CallbacksCommand),
    /// Live a call centre on paper: who is answered, how soon, under which policy.
    Simulate(crate::simulate::SimulateArgs),
    /// How many agents a scenario needs for its targets and its floors, hour by hour.
    Staff(crate::simulate::staff::StaffArgs),
}

/// Where the configuration is.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Folder with usher.toml, trunks.toml, agents.toml, queues.toml, tiers.toml, flows/ and prompts/.
    #[arg(long, value_name = "DIR", default_value = "config/hotline")]
    pub config: PathBuf,
}

/// `usher customers …`.
#[derive(Debug, Subcommand)]
pub enum CustomersCommand {
    /// Import customers from a CSV file: number,name,tier,language,senior,manager_a,manager_b.
    Import {
        /// The file.
        file: PathBuf,
        /// Import the good rows even if some are bad.
        #[arg(long)]
        skip_bad: bool,
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Write a sample directory, the same for the same count, as CSV to standard output.
    Sample {
        /// How many customers.
        #[arg(default_value_t = 10_000)]
        count: u32,
    },
}

/// `usher calls …`.
#[derive(Debug, Subcommand)]
pub enum CallsCommand {
    /// The latest calls, newest first.
    List {
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
        /// Only of this tier.
        #[arg(long)]
        tier: Option<String>,
        /// Only answered by this agent.
        #[arg(long)]
        agent: Option<String>,
        /// Only with this outcome: answered, abandoned, self-service, …
        #[arg(long)]
        outcome: Option<String>,
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// The journey of one call, step by step.
    Show {
        /// The call's key, as `list` prints it.
        key: String,
        /// Print the caller's number too.
        #[arg(long)]
        reveal: bool,
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// `usher callbacks …`.
#[derive(Debug, Subcommand)]
pub enum CallbacksCommand {
    /// The open ones, the longest promised first.
    List {
        /// Those that are done too, the latest first.
        #[arg(long)]
        all: bool,
        /// How many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Print whole numbers.
        #[arg(long)]
        reveal: bool,
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Note that a callback was made by hand.
    Done {
        /// The callback's key, as `list` prints it.
        key: String,
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Take a callback back: the customer is not called. A running switch asks the store before it dials.
    Cancel {
        /// The callback's key, as `list` prints it.
        key: String,
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// Runs the command of this process.
pub fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(args) => crate::serve::run(&args),
        Command::Check(args) => crate::config::check(&args),
        Command::Customers(command) => crate::customers::run(&command),
        Command::Calls(command) => crate::calls::run(&command),
        Command::Explain { key, config } => crate::calls::explain(&config.config, &key),
        Command::Callbacks(command) => crate::callbacks::run(&command),
        Command::Simulate(args) => crate::simulate::run(&args),
        Command::Staff(args) => crate::simulate::staff::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Why a command ended without doing what was asked.
#[derive(Debug)]
pub enum Failure {
    /// The configuration or the input has these mistakes.
    Findings(Vec<base::Finding>),
    /// The command was given something that does not exist or cannot be.
    Usage(String),
    /// The operating system, the database or the network refused.
    System(String),
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Failure::Findings(_) | Failure::Usage(_) => EXIT_USAGE,
            Failure::System(_) => EXIT_SYSTEM,
        }
    }

    #[expect(clippy::print_stderr, reason = "the command's answer to the person who called it")]
    fn print(&self) {
        match self {
            Failure::Findings(findings) => {
                for finding in findings {
                    eprintln!("{finding}");
                }
                let mistakes = if findings.len() == 1 { "mistake" } else { "mistakes" };
                eprintln!("{} {mistakes}; nothing was done.", findings.len());
            }
            Failure::Usage(message) | Failure::System(message) => eprintln!("usher: {message}"),
        }
    }
}
