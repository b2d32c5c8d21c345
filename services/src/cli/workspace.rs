//! `lethe workspace`: workspaces that nobody owns, and what an operator does about them.

use clap::Subcommand;
use domain::workspace::Hastening;
use domain::{AccountId, ActorId, CommandId, WorkspaceId};
use infra::event_store::Request;
use projections::workspaces::restricted;
use uuid::Uuid;

use super::CliError;
use super::terminal::{say, seconds};
use crate::operations::hasten_deletion;
use crate::operations::owners::appoint;
use crate::wiring::App;

/// In the trail: an operator, on the command line. No person and no token has this id.
const COMMAND_LINE: ActorId = ActorId(Uuid::from_u128(0x8000_8000_0000_0000_0001));

/// So many are read at once.
const AT_ONCE: i64 = 200;

#[derive(Subcommand)]
pub enum WorkspaceSubcommand {
    /// List the workspaces that nobody owns, the longest restricted first.
    Restricted,
    /// Make a member the owner of a workspace that nobody owns.
    Appoint {
        /// The id of the workspace.
        #[arg(value_parser = id)]
        workspace: Uuid,
        /// The id of the member's account. Find out first whom the others want.
        #[arg(value_parser = id)]
        account: Uuid,
    },
    /// Cancel a requested deletion, and make the account the owner.
    Keep {
        /// The id of the workspace.
        #[arg(value_parser = id)]
        workspace: Uuid,
        /// The id of a member's account, or of somebody who was removed since a day before the request.
        #[arg(value_parser = id)]
        account: Uuid,
    },
    /// Have a requested deletion come at once, or as soon as the settings allow.
    Hasten {
        /// The id of the workspace. Verify who wants it: soon nobody can cancel it.
        #[arg(value_parser = id)]
        workspace: Uuid,
    },
}

fn id(text: &str) -> Result<Uuid, String> {
    text.parse().map_err(|_| "this is not an id (a UUID)".to_owned())
}

pub async fn run(subcommand: WorkspaceSubcommand, app: &App) -> Result<(), CliError> {
    match subcommand {
        WorkspaceSubcommand::Restricted => list(app).await,
        WorkspaceSubcommand::Appoint { workspace, account } => {
            appoint_owner(WorkspaceId(workspace), AccountId(account), app).await
        }
        WorkspaceSubcommand::Keep { workspace, account } => {
            keep(WorkspaceId(workspace), AccountId(account), app).await
        }
        WorkspaceSubcommand::Hasten { workspace } => hasten(WorkspaceId(workspace), app).await,
    }
}

async fn list(app: &App) -> Result<(), CliError> {
    let mut after = None;
    loop {
        let page = restricted(&app.pool, after, AT_ONCE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.since, last.workspace));
        for found in page {
            let (since, members) = (seconds(found.since), found.members);
            say(format_args!("{}  since {since}  members {members}", found.workspace));
        }
    }
}

fn request(app: &App, workspace: WorkspaceId) -> Request {
    let request = Request::new(workspace.into(), CommandId(app.ids.uuid()));
    Request { actor: Some(COMMAND_LINE), ..request }
}

async fn appoint_owner(
    workspace: WorkspaceId,
    account: AccountId,
    app: &App,
) -> Result<(), CliError> {
    let (step, stays) = appoint(workspace, account);
    let mut request = request(app, workspace);
    request.guards.push(stays);
    app.executor.execute(&request, &[step]).await?;
    say(format_args!("account {account} owns workspace {workspace}"));
    Ok(())
}

async fn keep(workspace: WorkspaceId, owner: AccountId, app: &App) -> Result<(), CliError> {
    hasten_deletion::keep(app, workspace, owner, request(app, workspace)).await?;
    say(format_args!("workspace {workspace} stays, and account {owner} owns it"));
    Ok(())
}

async fn hasten(workspace: WorkspaceId, app: &App) -> Result<(), CliError> {
    let request = request(app, workspace);
    hasten_deletion::hasten(app, workspace, Hastening::Operator, None, &request).await?;
    say(format_args!("workspace {workspace} is deleted as soon as the settings allow"));
    Ok(())
}
