//! `lethe erase`: a request to be erased that came by mail, entered by an operator.

use clap::Args;
use domain::account::Account;
use domain::{AccountId, CommandId};
use infra::event_store::Request;
use uuid::Uuid;

use super::CliError;
use super::terminal::say;
use crate::operations::request_erasure::{grace, request_of_account};
use crate::operations::sign_out::SignedOut;
use crate::wiring::App;

#[derive(Args)]
pub struct EraseArgs {
    /// The id of the account. Verify who sent the request: after the grace nothing can be undone.
    account: Uuid,
    /// Days in which the request can be taken back; by default the setting `erasure_grace_days`.
    #[arg(long)]
    grace_days: Option<u16>,
}

/// As if the person had requested it: signed out everywhere at once, erased after the grace.
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
    let request = Request::new(account.into(), CommandId(app.ids.uuid()));
    let (requested, signed_out) = request_of_account(app, account, live, grace, &request).await?;
    let (due, sessions) = (requested.due, describe(&signed_out));
    say(format_args!("{sessions}; account {account} is erased {due:.0}"));
    if let Some(code) = requested.claim_code {
        say(format_args!("claim code, for the person: {code}"));
    }
    Ok(())
}

fn describe(signed_out: &SignedOut) -> String {
    match signed_out {
        SignedOut::Closed(count) => format!("{count} sessions are closed"),
        SignedOut::NotAppended(count, error) => format!(
            "{count} sessions are closed, and a running node has yet to record it in the log ({error})"
        ),
        SignedOut::NotClosed(error) => {
            format!("the sessions are open until a running node closes them ({error})")
        }
    }
}
