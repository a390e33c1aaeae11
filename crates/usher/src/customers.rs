//! `usher customers …`.

use std::path::Path;

use crate::cli::{CustomersCommand, Failure};
use crate::config::{self, DirectoryRules};

/// Runs the command.
///
/// # Errors
/// Bad rows, a database that refuses.
pub(crate) fn run(command: &CustomersCommand) -> Result<(), Failure> {
    match command {
        CustomersCommand::Import { file, skip_bad, config } => {
            let rules = config::load_directory_rules(&config.config).map_err(Failure::Findings)?;
            import(&rules, file, *skip_bad)
        }
        CustomersCommand::Sample { count } => sample(*count),
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the command's answer")]
fn import(known: &DirectoryRules, file: &Path, skip_bad: bool) -> Result<(), Failure> {
    let shown = file.display().to_string();
    let opened = std::fs::File::open(file).map_err(|error| Failure::Usage(format!("{shown}: {error}")))?;
    let rules = store::ImportRules {
        file: &shown,
        tiers: &known.tiers,
        languages: &known.languages,
        agents: &known.agents,
        normalise: &|number| known.numbers.apply(number),
    };
    crate::block_on(async {
        let opening = store::Store::open(&known.store_url).await;
        let store = opening.map_err(|error| Failure::System(error.to_string()))?;
        let report = store::import_csv(&store, std::io::BufReader::new(opened), &rules, skip_bad).await;
        store.close().await;
        match report {
            Ok(report) => {
                for finding in &report.findings {
                    eprintln!("{finding} (left out)");
                }
                println!("{} customers imported, {} rows left out.", report.imported, report.skipped);
                Ok(())
            }
            Err(store::ImportError::Findings(findings)) => Err(Failure::Findings(findings)),
            Err(store::ImportError::Store(error)) => Err(Failure::System(error.to_string())),
        }
    })
}

fn sample(count: u32) -> Result<(), Failure> {
    let stdout = std::io::stdout().lock();
    store::sample::write_csv(count, stdout).map_err(|error| Failure::System(error.to_string()))
}
