//! `lethe erase`: a request to be erased that came by mail, entered by an operator.

use clap::Args;
use domain::account::{Account, AccountCommand};
use domain::session::CloseReason;
use domain::{AccountId, CommandId};
use infra::event_store::{Request, Step};
use infra::keyring::SubjectKind;
use uuid::Uuid;

use super::CliError;
use super::terminal::say;
use crate::operations::request_erasure::{enter, grace};
use crate::wiring::App;

#[derive(Args)]
pub struct EraseArgs {
    /// The id of the account. Verify who sent the request: after the grace nothing can be undone.
    account: Uuid,
    /// Days in which the request can be taken back; by default the setting `erasure_grace_days`.
    #[arg(long)]
    grace_days: Option<u16>,
}

/// As if the person had asked: signed out everywhere at once, erased after the grace.
pub async fn run(args: EraseArgs, app: &App) -> Result<(), CliError> {
    let grace = grace(&app.config, args.grace_days.map(Into::into));
    let grace = grace.map_err(|detail| CliError::Input(format!("--grace-days: {detail}")))?;
    let account = AccountId(args.account);
    let loaded = app.executor.load::<Account>(account.into(), account.0).await;
    let loaded = loaded.map_err(CliError::failed)?;
    let Account::Live(live) = &*loaded.state else {
        return Err(CliError::Input(format!("there is no account {account}: check the id")));
    };
    if let Some(erasure) = live.erasure {
        let due = erasure.due;
        return Err(CliError::Input(format!(
            "the erasure of {account} has been requested already, and is due at {due:.0}"
        )));
    }
    let now = app.clock.now();
    let due = now + grace;
    let code =
        enter(app, SubjectKind::Account, account.into(), due).await.map_err(CliError::failed)?;
    let command = CommandId(app.ids.uuid());
    let step = Step::new::<Account>(account.0, AccountCommand::RequestErasure { now, due });
    let receipt = app.executor.execute(&Request::new(account.into(), command), &[step]).await?;
    let cause = receipt.first_of(account.0).map(|event| event.id);
    let reason = CloseReason::ErasureRequested;
    let closed = app.sessions.close_all(account, None, reason, cause).await?;
    say(format_args!("{} sessions are closed; account {account} is erased {due:.0}", closed.len()));
    say(format_args!("claim code, for the person: {code}"));
    Ok(())
}
