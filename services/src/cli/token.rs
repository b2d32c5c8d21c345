//! `lethe token`: what an operator shows to the API.

use chrono::TimeDelta;
use clap::builder::PossibleValue;
use clap::{Subcommand, ValueEnum};
use domain::operator::{Operator, OperatorCommand, Scope};
use domain::{TenantId, TokenId};
use infra::operators::{OperatorToken, Operators};
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::CliError;
use super::terminal::{complain, say, seconds};
use crate::operations::system_command::SystemCommand;
use crate::wiring::App;

#[derive(Subcommand)]
pub enum TokenSubcommand {
    /// Make a token and print it, once.
    Create {
        /// What it may do.
        #[arg(long, value_enum, default_value = "admin")]
        scope: ScopeArg,
        /// Days until it expires: 1 to 3650.
        #[arg(long, default_value_t = 90, value_parser = days)]
        days: u16,
    },
    /// List all tokens with their ids, without their secrets.
    List,
    /// Revoke a token.
    Revoke {
        /// The id of the token, from `lethe token list`.
        #[arg(value_parser = token_id)]
        id: Uuid,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum ScopeArg {
    /// Everything.
    Admin,
    /// Read the audit trail and export it.
    Audit,
}

fn days(text: &str) -> Result<u16, String> {
    let days = text.parse().ok().filter(|days| (1..=3650).contains(days));
    days.ok_or_else(|| "use a whole number from 1 to 3650".to_owned())
}

fn token_id(text: &str) -> Result<Uuid, String> {
    let parsed = text.parse();
    parsed.map_err(|_| "this is not the id of a token (a UUID): see `lethe token list`".to_owned())
}

impl From<ScopeArg> for Scope {
    fn from(scope: ScopeArg) -> Self {
        match scope {
            ScopeArg::Admin => Self::Admin,
            ScopeArg::Audit => Self::Audit,
        }
    }
}

impl From<Scope> for ScopeArg {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Admin => Self::Admin,
            Scope::Audit => Self::Audit,
        }
    }
}

pub async fn run(subcommand: TokenSubcommand, app: &App) -> Result<(), CliError> {
    match subcommand {
        TokenSubcommand::Create { scope, days } => create(scope.into(), days, app).await,
        TokenSubcommand::List => list(app).await,
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
    complain(&format!("token {id}, until {}; it is shown only now:", seconds(expires_at)));
    say(drawn.secret.expose_secret());
    Ok(())
}

async fn list(app: &App) -> Result<(), CliError> {
    for token in app.operators.list().await? {
        let scope = ScopeArg::from(token.scope).to_possible_value();
        let scope = scope.as_ref().map_or("", PossibleValue::get_name);
        let revoked = token.revoked_at.map(|at| format!("  revoked {}", seconds(at)));
        say(format_args!(
            "{}  {scope:<5}  created {}  expires {}{}",
            token.id,
            seconds(token.issued_at),
            seconds(token.expires_at),
            revoked.unwrap_or_default()
        ));
    }
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
