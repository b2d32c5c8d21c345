//! The words of the programme.

mod error;
mod migrate;
mod places;
mod serve;
mod settings;
mod stop;
mod terminal;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

pub use error::CliError;

use crate::config::{Config, Flags};
use crate::logging;

/// Lethe remembers every action and can forget any person.
#[derive(Parser)]
#[command(name = "lethe", version)]
struct Cli {
    #[command(subcommand)]
    word: Option<Word>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Subcommand)]
enum Word {
    /// Serve the API and run the readers (the default).
    Serve,
    /// Serve the API, without readers.
    Api,
    /// Run the readers, without the API.
    Work,
    /// Bring both databases up to date.
    Migrate,
    /// Print the settings in force and where each came from.
    Config,
}

/// Exit codes: 0 done, 1 failed, 2 asked for something that cannot be.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) if !told.use_stderr() => {
            terminal::say(told.to_string().trim_end());
            return ExitCode::SUCCESS;
        }
        Err(refused) => {
            let text = refused.to_string();
            let line = text.lines().next().unwrap_or_default();
            return CliError::Input(line.trim_start_matches("error: ").to_owned()).told();
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.told(),
    }
}

fn run(cli: Cli) -> Result<(), CliError> {
    let config = Arc::new(Config::load(cli.flags)?);
    logging::start(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match cli.word.unwrap_or(Word::Serve) {
            Word::Serve => serve::run(config, serve::Parts::ALL).await,
            Word::Api => serve::run(config, serve::Parts::API).await,
            Word::Work => serve::run(config, serve::Parts::WORK).await,
            Word::Migrate => migrate::run(&config).await,
            Word::Config => {
                settings::print(&config);
                Ok(())
            }
        }
    })
}
