//! `lethe workspace`: workspaces that nobody owns, and what an operator does about them.

use clap::Subcommand;
use domain::workspace::Hastening;
use domain::{AccountId, CommandId, WorkspaceId};
use infra::event_store::Request;
use projections::workspaces::restricted;
use uuid::Uuid;

use super::CliError;
use super::terminal::{say, seconds};
use crate::operations::hasten_deletion;
use crate::operations::owners::appoint;
use crate::wiring::App;

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
        WorkspaceSubcommand::Hasten { workspace } => hasten(WorkspaceId(workspace), app).await,
    }
}

async fn list(app: &App) -> Result<(), CliError> {
    for found in restricted(&app.pool, None, i64::MAX).await? {
        let (since, members) = (seconds(found.since), found.members);
        say(format_args!("{}  since {since}  members {members}", found.workspace));
    }
    Ok(())
}

fn request(app: &App, workspace: WorkspaceId) -> Request {
    Request::new(workspace.into(), CommandId(app.ids.uuid()))
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

async fn hasten(workspace: WorkspaceId, app: &App) -> Result<(), CliError> {
    let request = request(app, workspace);
    hasten_deletion::hasten(app, workspace, Hastening::Operator, None, &request).await?;
    say(format_args!("workspace {workspace} is deleted as soon as the settings allow"));
    Ok(())
}
