//! `lethe keys`: the root key and what it wraps.

use clap::Subcommand;

use super::CliError;
use super::terminal::say;
use crate::wiring::App;

#[derive(Subcommand)]
pub enum KeysSubcommand {
    /// Replace the root key now, and destroy or escrow the old one.
    Rotate,
    /// Say which root key is current, and how many keys it wraps.
    Status,
}

pub async fn run(subcommand: KeysSubcommand, app: &App) -> Result<(), CliError> {
    match subcommand {
        KeysSubcommand::Rotate => {
            let rotation = app.keyring.root_rotation.rotate().await?;
            say(format_args!(
                "root {} is current, {} keys were wrapped again",
                rotation.current, rotation.rewrapped
            ));
        }
        KeysSubcommand::Status => {
            let status = app.keyring.status().await?;
            say(format_args!("root       {} since {:.0}", status.root, status.root_since));
            say(format_args!("keys       {} live, {} destroyed", status.live, status.erased));
            say(format_args!("escrowed   {} roots", status.escrowed));
            say(format_args!(
                "e-mail     generation {} of the index since {:.0}",
                status.email_generation, status.email_generation_since
            ));
        }
    }
    Ok(())
}
