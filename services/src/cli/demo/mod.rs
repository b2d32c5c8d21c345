//! `lethe demo`: the whole story, told and checked. Somebody comes, and is forgotten.

mod api;
mod drill;
mod events;
mod far;
mod home;
mod mailbox;
mod person;
mod replayed;
mod residue;
mod rows;
mod story;
mod team;
mod told;
mod tools;

use std::path::{Path, PathBuf};

use clap::Args;
use infra::ids::Ids;
use infra::remote::sshd::Sshd;

use self::drill::Before;
use self::far::Far;
use self::home::{Home, Node};
use self::mailbox::Mailbox;
use self::rows::Opened;
use self::story::Story;
use self::team::Team;
use self::told::Told;
use self::tools::{Tools, url};
use super::CliError;
use super::terminal::say;
use crate::config::Config;
use crate::databases::{KEYRING, LOG};

#[derive(Args)]
pub struct Asked {
    /// Play against a Lethe that runs here, as far as the API goes; needs --token.
    #[arg(long, requires = "token")]
    url: Option<String>,
    /// An operator's token of that Lethe, of scope audit.
    #[arg(long, env = "LETHE_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Leave everything behind, to be looked at.
    #[arg(long)]
    keep: bool,
}

pub async fn run(config: &Config, asked: Asked) -> Result<(), CliError> {
    let mut told = Told::begin();
    match (&asked.url, &asked.token) {
        (Some(url), Some(token)) => elsewhere(&mut told, config, url, token).await?,
        _ => own(&mut told, asked.keep).await?,
    }
    match told.broken() {
        [] => {
            say(format_args!("\nAll {} claims hold.", told.held()));
            Ok(())
        }
        broken => Err(CliError::Failed(format!("not so: {}", broken.join("; ")))),
    }
}

/// Values that nothing else holds, so that a search for them finds nothing else.
fn mark() -> String {
    let id = Ids::system().uuid().simple().to_string();
    // The first half of a version 7 id is the time.
    id.get(20..).unwrap_or_default().to_owned()
}

async fn elsewhere(
    told: &mut Told,
    config: &Config,
    url: &str,
    token: &str,
) -> Result<(), CliError> {
    let mailbox = Mailbox::new(config.mail_dir.clone());
    let mut story = Story::new(url, token, mailbox, &mark());
    let device = story.begin(told).await?;
    story.trail(told).await?;
    story.erase(told, &device).await?;
    let grace = story.serves_grace(None).await?;
    told.holds("Grace is served as before", grace);
    told.see("dumps, replay and restore drill: only on a Lethe of the demo's own (without --url)");
    Ok(())
}

async fn own(told: &mut Told, keep: bool) -> Result<(), CliError> {
    let scratch = Scratch::new(keep)?;
    let played = play(told, &scratch.0).await;
    if keep || played.is_err() {
        say(format_args!("\nEverything is left in {}", scratch.0.display()));
        std::mem::forget(scratch);
    }
    played
}

async fn play(told: &mut Told, scratch: &Path) -> Result<(), CliError> {
    told.chapter("A Lethe of its own starts");
    let sshd = Sshd::start();
    let home = Home::new(scratch.join("lethe"))?;
    let home = match &sshd {
        Ok(sshd) => home.reaching(sshd.port()),
        Err(_) => home,
    };
    let node = home.serve().await?;
    for (name, place) in node.places() {
        told.see(format_args!("{name:<9}{place}"));
    }
    let tools = Tools::find(&home).await?;
    let token = home.done(&["token", "create"]).await?;
    let mut story = Story::new(node.api(), &token, Mailbox::new(home.mail()), &mark());
    let device = story.begin(told).await?;
    let team = Team::gather(told, &mut story, &device).await?;
    let node = match &sshd {
        Ok(sshd) => work(told, (&home, node), &mut story, &team, sshd).await?,
        Err(error) => {
            told.see(format_args!("servers and runs are left out: {error}"));
            node
        }
    };
    story.trail(told).await?;
    told.chapter("Her rows in the log, and what opens of them");
    let rows = rows_of_ada(told, &home, &story).await?;
    told.holds("sealed in the log, every field opens for who may", rows.all());

    let (node, before) = back_up(told, &home, node, &tools, scratch, &mut story).await?;
    let device = device.at(node.api());
    let code = story.erase(told, &device).await?;
    told.chapter("The same rows again");
    let again = rows_of_ada(told, &home, &story).await?;
    told.holds("they are as they were, to the byte", again.sealed.starts_with(&rows.sealed));
    told.holds("and no field opens", again.none());
    residue::search(told, &home, &tools, &story.ada.said(), scratch).await?;
    replayed::compare(told, &home).await?;

    told.chapter("The root key is replaced, and the old one destroyed");
    told.see(home.done(&["keys", "rotate"]).await?);
    let now = tools.dump(&home, &scratch.join("now")).await?;
    let grace = story.serves_grace(None).await?;
    told.holds("Grace is served as before", grace);
    story.proven(told, &code).await?;
    node.stop().await?;

    let old = Home::new(scratch.join("old-keys"))?;
    drill::old_keys(told, &tools, &before, &home, &old).await?;
    let drilled = Home::new(scratch.join("drill"))?;
    drill::current_keys(told, &tools, (&before, &now), (&home, &drilled), &mut story).await?;
    drill::whole_disk(told, &before, &mut story).await
}

/// Answers the Lethe that was started again.
async fn work(
    told: &mut Told,
    (home, node): (&Home, Node),
    story: &mut Story,
    team: &Team,
    sshd: &Sshd,
) -> Result<Node, CliError> {
    let far = Far::register(told, team, sshd).await?;
    far.watched(told, team).await?;
    far.cancelled(told, team).await?;
    far.survives(told, (home, node), story, team).await
}

async fn rows_of_ada(told: &Told, home: &Home, story: &Story) -> Result<Opened, CliError> {
    let keyring = rows::keyring(&url(home, KEYRING)?, &home.roots()).await?;
    rows::show(told, &url(home, LOG)?, &keyring, &story.ada.account).await
}

/// The dump is taken while Lethe runs, the copy of the disk while it does not.
async fn back_up(
    told: &mut Told,
    home: &Home,
    node: Node,
    tools: &Tools,
    scratch: &Path,
    story: &mut Story,
) -> Result<(Node, Before), CliError> {
    told.chapter("Backups are taken");
    let dumps = tools.dump(home, &scratch.join("before")).await?;
    told.see(format_args!("events and keys are dumped to {}", scratch.join("before").display()));
    node.stop().await?;
    let before = drill::copy_disk(told, home, scratch, dumps).await?;
    let node = home.serve().await?;
    story.at(node.api());
    told.holds("started again, Lethe finds its data", story.serves_grace(None).await?);
    Ok((node, before))
}

/// A folder that goes with the demo.
struct Scratch(PathBuf);

impl Scratch {
    fn new(keep: bool) -> Result<Self, CliError> {
        let kind = if keep { "kept" } else { "demo" };
        let folder = std::env::temp_dir().join(format!("lethe-{kind}-{}", std::process::id()));
        Home::new(folder.clone())?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "the demo's folder stays");
        }
    }
}
