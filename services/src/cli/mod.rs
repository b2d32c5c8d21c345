//! The words of the programme.

mod doctor;
mod erase;
mod error;
mod here;
mod keys;
mod listener;
mod migrate;
mod places;
mod replay;
mod serve;
mod settings;
mod stop;
mod terminal;
mod token;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

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
    /// Build a projection anew from the log, while everything goes on.
    Replay(replay::Asked),
    /// Operators' tokens.
    #[command(subcommand)]
    Token(token::TokenWord),
    /// Enter a request to be erased that came by mail.
    Erase(erase::Asked),
    /// Root keys.
    #[command(subcommand)]
    Keys(keys::KeysWord),
    /// Look at everything that can be wrong, and say what an erasure reaches.
    Doctor,
    /// Print the settings in force and where each came from.
    Config,
}

impl Word {
    /// What its log says unless the settings do: a word that ends speaks for itself.
    const fn says(&self) -> &'static str {
        match self {
            Self::Serve | Self::Api | Self::Work => "info",
            Self::Migrate
            | Self::Replay(_)
            | Self::Token(_)
            | Self::Erase(_)
            | Self::Keys(_)
            | Self::Doctor
            // Its lease on keys may end with it.
            | Self::Config => "warn,infra::keyring::lease=error",
        }
    }
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
    let word = cli.word.unwrap_or(Word::Serve);
    logging::start(&config, word.says())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        match word {
            Word::Serve => Box::pin(serve::run(config, serve::Parts::ALL)).await,
            Word::Api => Box::pin(serve::run(config, serve::Parts::API)).await,
            Word::Work => Box::pin(serve::run(config, serve::Parts::WORK)).await,
            Word::Migrate => migrate::run(&config).await,
            Word::Replay(asked) => replay::run(&config, asked).await,
            Word::Token(word) => {
                here::with_app(config, async |app| token::run(word, app).await).await
            }
            Word::Erase(asked) => {
                here::with_app(config, async |app| erase::run(asked, app).await).await
            }
            Word::Keys(word) => {
                here::with_app(config, async |app| keys::run(word, app).await).await
            }
            Word::Doctor => doctor::run(config).await,
            Word::Config => {
                settings::print(&config);
                Ok(())
            }
        }
    });
    // What still works in the background, such as a download, is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}
