//! `lethe keys`: the root key and what it wraps.

use clap::Subcommand;

use super::CliError;
use super::terminal::{count, say, seconds};
use crate::wiring::App;

#[derive(Subcommand)]
pub enum KeysSubcommand {
    /// Replace the root key now, and erase or escrow the old ones that nothing holds.
    Rotate,
    /// Say which root key is current, and how many keys it wraps.
    Status,
}

pub async fn run(subcommand: KeysSubcommand, app: &App) -> Result<(), CliError> {
    match subcommand {
        KeysSubcommand::Rotate => {
            let rotation = app.keyring.root_rotation.rotate().await?;
            say(format_args!(
                "root {} is current, {} wrapped again, {} erased",
                rotation.current,
                count(rotation.rewrapped, "key was", "keys were"),
                count(rotation.erased, "old root was", "old roots were")
            ));
            say_held(app).await?;
        }
        KeysSubcommand::Status => {
            let status = app.keyring.status().await?;
            say(format_args!("root       {} since {}", status.root, seconds(status.root_since)));
            say(format_args!("keys       {} live, {} erased", status.live, status.erased));
            say(format_args!("escrowed   {}", count(status.escrowed, "root", "roots")));
            say(format_args!(
                "e-mail     generation {} of the index since {}",
                status.email_generation,
                seconds(status.email_generation_since)
            ));
            say_held(app).await?;
        }
    }
    Ok(())
}

async fn say_held(app: &App) -> Result<(), CliError> {
    for held in app.keyring.root_rotation.held().await? {
        for hold in &held.holds {
            say(format_args!("root {} is not erased yet: {hold}", held.id));
        }
    }
    Ok(())
}
