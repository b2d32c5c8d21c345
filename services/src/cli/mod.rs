//! The subcommands of the programme.

mod backup;
mod config;
mod doctor;
mod erase;
mod error;
mod folders;
mod generations;
mod help;
mod keys;
mod listener;
mod migrate;
mod places;
mod replay;
mod restore;
mod serve;
mod sockets;
mod stop;
mod terminal;
#[cfg(test)]
mod tests;
mod token;
mod usage_error;
mod with_app;
mod workspace;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use infra::keyring::LEASE_LOG_TARGET;

pub use error::CliError;

/// What `lethe serve` says of the settings once it serves.
#[cfg(test)]
pub fn lines_at_start(config: &Config) -> Vec<(&'static str, String)> {
    let limits = infra::descriptors::DescriptorLimits::current();
    places::lines(config, limits, None, config.metrics_listen, Some(config.listen))
}

use crate::config::{Config, Flags};
use crate::logging;

/// Lethe remembers every action and can forget any person.
#[derive(Parser)]
#[command(name = "lethe", version, disable_help_subcommand = true, after_help = help::SEE_SETTINGS)]
struct Cli {
    #[command(subcommand)]
    subcommand: Option<Subcommand>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(clap::Subcommand)]
enum Subcommand {
    /// Serve the API and run the readers (the default).
    #[command(after_help = help::SEE_SETTINGS)]
    Serve,
    /// Serve the API, without readers.
    #[command(after_help = help::SEE_SETTINGS)]
    Api,
    /// Run the readers, without the API.
    #[command(after_help = help::SEE_SETTINGS)]
    Work,
    /// Bring both databases up to date.
    Migrate(migrate::MigrateArgs),
    /// Write a backup of the events' database, while everything goes on.
    Backup(backup::BackupArgs),
    /// Restore a backup of the events, and the keyring of its copy. No node may run.
    Restore(restore::RestoreArgs),
    /// Build a projection again from the log, while everything goes on; compare what was built, take it back.
    Replay(replay::ReplayArgs),
    /// Create, list and revoke the tokens of operators.
    #[command(subcommand)]
    Token(token::TokenSubcommand),
    /// Enter a request for erasure that came by mail.
    Erase(erase::EraseArgs),
    /// List workspaces that nobody owns, appoint an owner, have a deletion come sooner.
    #[command(subcommand)]
    Workspace(workspace::WorkspaceSubcommand),
    /// Show and replace the root key.
    #[command(subcommand)]
    Keys(keys::KeysSubcommand),
    /// Check the installation, and say what an erasure reaches.
    Doctor,
    /// Print the settings in force and where each came from.
    Config,
    /// Explain a subcommand, or all settings: `lethe help settings`.
    Help(help::HelpArgs),
}

impl Subcommand {
    /// What is logged unless the settings say otherwise. A subcommand that ends prints its own
    /// results.
    fn log_filter(&self) -> String {
        match self {
            Self::Serve | Self::Api | Self::Work => "info".to_owned(),
            Self::Migrate(_)
            | Self::Replay(_)
            | Self::Backup(_)
            | Self::Restore(_)
            | Self::Token(_)
            | Self::Erase(_)
            | Self::Workspace(_)
            | Self::Keys(_)
            | Self::Doctor
            | Self::Config
            // Its lease on keys may end with it.
            | Self::Help(_) => format!("warn,{LEASE_LOG_TARGET}=error"),
        }
    }
}

/// The subcommands with their arguments, for tests that run every one of them.
pub fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Exit codes: 0 done, 1 failed, 2 the request cannot be carried out as it was given, 3 the log or the
/// keyring went back: the next start deals with it, or says what to do.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help or the version.
        Err(answer) if !answer.use_stderr() => {
            terminal::say(answer.to_string().trim_end());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            let arguments: Vec<_> = std::env::args_os().collect();
            return CliError::Input(usage_error::one_line(&error, &arguments)).report();
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}

fn run(cli: Cli) -> Result<(), CliError> {
    let subcommand = cli.subcommand.unwrap_or(Subcommand::Serve);
    if let Subcommand::Help(args) = &subcommand {
        return help::print(args);
    }
    let config = Arc::new(Config::load(&cli.flags)?);
    logging::start(&config, &subcommand.log_filter())?;
    if !matches!(subcommand, Subcommand::Config) {
        folders::refuse(&config)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(carry_out(subcommand, config));
    // What still works in the background, such as a download, is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

async fn carry_out(subcommand: Subcommand, config: Arc<Config>) -> Result<(), CliError> {
    match subcommand {
        Subcommand::Serve => Box::pin(serve::run(config, serve::Parts::ALL)).await,
        Subcommand::Api => Box::pin(serve::run(config, serve::Parts::API)).await,
        Subcommand::Work => Box::pin(serve::run(config, serve::Parts::WORK)).await,
        Subcommand::Migrate(args) => migrate::run(&config, args).await,
        Subcommand::Replay(args) => replay::run(&config, args).await,
        Subcommand::Backup(args) => backup::run(&config, args).await,
        Subcommand::Restore(args) => restore::run(&config, args).await,
        Subcommand::Token(subcommand) => {
            with_app::with_app(config, async |app| token::run(subcommand, app).await).await
        }
        Subcommand::Erase(args) => {
            with_app::with_app(config, async |app| erase::run(args, app).await).await
        }
        Subcommand::Workspace(subcommand) => {
            with_app::with_app(config, async |app| workspace::run(subcommand, app).await).await
        }
        Subcommand::Keys(subcommand) => keys::run(config, subcommand).await,
        Subcommand::Doctor => doctor::run(config).await,
        Subcommand::Config => {
            config::print(&config);
            Ok(())
        }
        Subcommand::Help(args) => help::print(&args),
    }
}
