//! `lethe keys`: the root key and what it wraps.

use std::sync::Arc;

use clap::Subcommand;
use infra::keyring::{RootId, state_copy_lost};

use super::CliError;
use super::terminal::{count, say, seconds};
use super::with_app::with_app;
use crate::config::Config;
use crate::databases::Databases;
use crate::installation;
use crate::wiring::{self, App, Creation};

#[derive(Subcommand)]
pub enum KeysSubcommand {
    #[command(flatten)]
    Of(KeyringSubcommand),
    /// State that the copy of the keyring is lost for good: a new one is begun. Refused while its folder in
    /// `copy_dir` has a file, or cannot be read.
    CopyLost,
}

/// What needs a keyring that starts.
#[derive(Subcommand)]
pub enum KeyringSubcommand {
    /// Replace the root key now, and erase or escrow the old ones that nothing holds.
    Rotate,
    /// Say which root key is current, how many keys there are, and what old root keys wait for.
    Status,
    /// State that every copy of an old root key in the escrow is destroyed: for an escrow that was switched
    /// off. Refused while the folder of the escrow has one.
    EscrowDestroyed {
        /// The number of the root key, as `lethe keys status` shows it.
        root: i64,
    },
    /// State that an old root key is lost for good. Refused if keys are wrapped under it, or if the store
    /// has it or cannot be read.
    Lost {
        /// The number of the root key, as `lethe keys status` shows it.
        root: i64,
    },
}

pub async fn run(config: Arc<Config>, subcommand: KeysSubcommand) -> Result<(), CliError> {
    match subcommand {
        KeysSubcommand::Of(subcommand) => {
            with_app(config, async |app| carry_out(subcommand, app).await).await
        }
        KeysSubcommand::CopyLost => state_that_copy_is_lost(&config).await,
    }
}

/// For a keyring that refuses to start without its copy.
async fn state_that_copy_is_lost(config: &Config) -> Result<(), CliError> {
    let Some(copies) = &config.copy_dir else {
        return Err(CliError::Input("copy_dir is empty, so no copy is kept".to_owned()));
    };
    let databases = Databases::existing(config).await?;
    let stated = async {
        databases.check_schema().await?;
        installation::open(&databases, Creation::Nothing).await?;
        let pool = wiring::keyring_pool(config, &databases).await?;
        state_copy_lost(&pool, copies).await?;
        Ok(())
    };
    let stated: Result<(), CliError> = stated.await;
    databases.close().await;
    stated?;
    say("noted: the copy of the keyring is lost, and a new one is begun");
    Ok(())
}

async fn carry_out(subcommand: KeyringSubcommand, app: &App) -> Result<(), CliError> {
    match subcommand {
        KeyringSubcommand::Rotate => {
            let rotation = app.keyring.root_rotation.rotate().await?;
            say(format_args!(
                "root {} is current, {} wrapped again, {} moved under another one, {} erased",
                rotation.current,
                count(rotation.shards, "shard key was", "shard keys were"),
                count(rotation.keys, "key was", "keys were"),
                count(rotation.erased, "old root was", "old roots were")
            ));
            say_held(app).await?;
        }
        KeyringSubcommand::Status => {
            let status = app.keyring.status().await?;
            say(format_args!("root       {} since {}", status.root, seconds(status.root_since)));
            say(format_args!("keys       {} live, {} erased", status.live, status.erased));
            say(format_args!(
                "shard keys {} live, {} to be replaced; keys without one: {}",
                status.live_shards, status.tainted_shards, status.under_roots
            ));
            say(format_args!("escrowed   {}", count(status.escrowed, "root", "roots")));
            for escrowed in app.keyring.root_rotation.escrowed().await? {
                let (id, until) = (escrowed.id, seconds(escrowed.until));
                say(format_args!("root {id} is held by the escrow until {until}"));
            }
            say(format_args!(
                "e-mail     generation {} of the index since {}",
                status.email_generation,
                seconds(status.email_generation_since)
            ));
            say_held(app).await?;
        }
        KeyringSubcommand::EscrowDestroyed { root } => {
            let rotation = &app.keyring.root_rotation;
            rotation.state_escrow_destroyed(RootId(root), &app.config.escrow_dir).await?;
            say(format_args!("noted: every copy of root {root} in the escrow is destroyed"));
        }
        KeyringSubcommand::Lost { root } => {
            app.keyring.root_rotation.state_lost(RootId(root)).await?;
            say(format_args!("noted: root {root} is lost for good"));
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
