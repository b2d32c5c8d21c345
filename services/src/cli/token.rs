//! `lethe token`: what an operator shows to the API.

use chrono::TimeDelta;
use clap::{Subcommand, ValueEnum};
use domain::operator::{Operator, OperatorCommand, Scope};
use domain::{TenantId, TokenId};
use infra::operators::{OperatorToken, Operators};
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::CliError;
use super::terminal::{complain, say};
use crate::operations::system_command::SystemCommand;
use crate::wiring::App;

#[derive(Subcommand)]
pub enum TokenSubcommand {
    /// Make a token and print it, once.
    Create {
        /// What it may do.
        #[arg(long, value_enum, default_value = "admin")]
        scope: ScopeArg,
        /// Days until it expires.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=3650))]
        days: u16,
    },
    /// Revoke a token by its id.
    Revoke { id: Uuid },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum ScopeArg {
    /// Everything.
    Admin,
    /// Read the audit trail and export it.
    Audit,
}

pub async fn run(subcommand: TokenSubcommand, app: &App) -> Result<(), CliError> {
    match subcommand {
        TokenSubcommand::Create { scope, days } => {
            let scope = match scope {
                ScopeArg::Admin => Scope::Admin,
                ScopeArg::Audit => Scope::Audit,
            };
            create(scope, days, app).await
        }
        TokenSubcommand::Revoke { id } => revoke(TokenId(id), app).await,
    }
}

/// The token stands alone on standard output, so that a script can take it.
async fn create(scope: Scope, days: u16, app: &App) -> Result<(), CliError> {
    let drawn = Operators::draw_token().map_err(CliError::failed)?;
    let id = TokenId(app.ids.uuid());
    let expires_at = app.clock.now() + TimeDelta::days(days.into());
    execute(app, id, OperatorCommand::IssueToken { scope, expires_at }).await?;
    app.operators.insert(&OperatorToken { id, scope, expires_at }, drawn.hash).await?;
    complain(&format!("token {id}, until {expires_at:.0}; it is shown only now:"));
    say(drawn.secret.expose_secret());
    Ok(())
}

/// The row is revoked first, so that the token is refused once the event is in the log.
async fn revoke(id: TokenId, app: &App) -> Result<(), CliError> {
    app.operators.revoke(id).await?;
    execute(app, id, OperatorCommand::RevokeToken).await?;
    say(format_args!("token {id} is revoked"));
    Ok(())
}

async fn execute(app: &App, id: TokenId, command: OperatorCommand) -> Result<(), CliError> {
    let command =
        SystemCommand::with_id(TenantId(id.0), app.ids.uuid()).step::<Operator>(id.0, command);
    command.execute(&app.executor, |_| false).await?;
    Ok(())
}
