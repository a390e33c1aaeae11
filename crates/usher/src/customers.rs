//! `usher customers …`.

use crate::cli::{CustomersCommand, Failure};
use crate::config;

/// Runs the command.
///
/// # Errors
/// Bad rows, a database that refuses.
pub(crate) fn run(command: &CustomersCommand) -> Result<(), Failure> {
    match command {
        CustomersCommand::Import { file, skip_bad, config } => {
            let main = config::load_main(&config.config).map_err(Failure::Findings)?;
            let tiers = config::load_tiers(&config.config).map_err(Failure::Findings)?;
            let languages = main.voices.iter().map(|(language, _)| language.clone()).collect();
            let rules = store::ImportRules { tiers, languages, skip_bad: *skip_bad };
            import(&main.store.url, file, &rules)
        }
        CustomersCommand::Sample { count } => sample(*count),
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the command's answer")]
fn import(url: &str, file: &std::path::Path, rules: &store::ImportRules) -> Result<(), Failure> {
    let named = |error: std::io::Error| Failure::Usage(format!("{}: {error}", file.display()));
    let reader = std::io::BufReader::new(std::fs::File::open(file).map_err(named)?);
    crate::block_on(async {
        let store = store::Store::open(url).await.map_err(|error| Failure::System(error.to_string()))?;
        let report = store::import_csv(&store, reader, rules).await;
        store.close().await;
        match report {
            Ok(report) => {
                for bad in &report.bad {
                    eprintln!("{}:{bad} (left out)", file.display());
                }
                println!("{} customers imported, {} rows left out.", report.imported, report.bad_rows);
                Ok(())
            }
            Err(error) => Err(Failure::Usage(format!("{}: {error}", file.display()))),
        }
    })
}

fn sample(count: u32) -> Result<(), Failure> {
    let stdout = std::io::stdout().lock();
    store::sample::write_csv(stdout, count).map_err(|error| Failure::System(error.to_string()))
}
