//! The `usher` command. See `usher --help`.

fn main() -> std::process::ExitCode {
    usher::cli::run()
}
