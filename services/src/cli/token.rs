//! `lethe token`: what an operator shows to the API.

use chrono::TimeDelta;
use clap::builder::PossibleValue;
use clap::{Subcommand, ValueEnum};
use domain::operator::{Operator, OperatorCommand, Scope};
use domain::{TenantId, TokenId};
use infra::operators::{OperatorToken, Operators};
use infra::postgres::TimeOrder;
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
        #[arg(long, value_enum, default_value = "audit")]
        scope: ScopeArg,
        /// Days until it expires: 1 to 3650.
        #[arg(long, default_value_t = 90, value_parser = days)]
        days: u16,
        /// What it is for, such as "support desk": no person's name.
        #[arg(long, value_parser = name)]
        name: Option<String>,
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

/// The longest name of a token.
const NAME_CHARACTERS_MAX: usize = 64;

fn name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || " .-_".contains(c);
    let text = text.trim();
    if (1..=NAME_CHARACTERS_MAX).contains(&text.len()) && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "use 1 to {NAME_CHARACTERS_MAX} letters and digits of ASCII, spaces, dots, dashes or underscores"
    ))
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
        TokenSubcommand::Create { scope, days, name } => {
            create(scope.into(), days, name.as_deref(), app).await
        }
        TokenSubcommand::List => list(app).await,
        TokenSubcommand::Revoke { id } => revoke(TokenId(id), app).await,
    }
}

/// The token stands alone on standard output, so that a script can take it.
async fn create(scope: Scope, days: u16, name: Option<&str>, app: &App) -> Result<(), CliError> {
    let drawn = Operators::draw_token().map_err(CliError::failed)?;
    let id = TokenId(app.ids.uuid());
    let expires_at = app.clock.now() + TimeDelta::days(days.into());
    execute(app, id, OperatorCommand::IssueToken { scope, expires_at }).await?;
    app.operators.insert(&OperatorToken { id, scope, expires_at }, drawn.hash, name).await?;
    complain(&format!("token {id}, until {}; it is shown only now:", seconds(expires_at)));
    say(drawn.secret.expose_secret());
    Ok(())
}

async fn list(app: &App) -> Result<(), CliError> {
    for token in app.operators.list(None, (TimeOrder::Oldest, None), i64::MAX).await? {
        let scope = ScopeArg::from(token.scope).to_possible_value();
        let scope = scope.as_ref().map_or("", PossibleValue::get_name);
        let revoked = token.revoked_at.map(|at| format!("  revoked {}", seconds(at)));
        let name = token.name.map(|name| format!("  {name}"));
        say(format_args!(
            "{}  {scope:<5}  created {}  expires {}{}{}",
            token.id,
            seconds(token.issued_at),
            seconds(token.expires_at),
            revoked.unwrap_or_default(),
            name.unwrap_or_default()
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
