//! `lethe erase`: a request to be erased that came by mail, entered by an operator.

use clap::Args;
use domain::account::Account;
use domain::{AccountId, CommandId};
use infra::event_store::Request;
use uuid::Uuid;

use super::CliError;
use super::terminal::{count, say, seconds};
use crate::operations::erase_account::{LeftWorkspaces, request_of_account};
use crate::operations::request_erasure::grace;
use crate::operations::sign_out::SignedOut;
use crate::wiring::App;

#[derive(Args)]
pub struct EraseArgs {
    /// The id of the account. Verify who sent the request: after the grace nothing can be undone.
    #[arg(value_parser = account_id)]
    account: Uuid,
    /// Days in which the request can be taken back; by default the setting `erasure_grace_days`.
    #[arg(long, value_parser = days)]
    grace_days: Option<u16>,
    /// Also where others belong to a workspace that nobody else owns or inherits: nothing begins there until an admin
    /// agrees to own it, or `lethe workspace appoint` names an owner.
    #[arg(long)]
    leave_workspaces: bool,
}

fn account_id(text: &str) -> Result<Uuid, String> {
    text.parse().map_err(|_| "this is not an account id (a UUID)".to_owned())
}

/// Which of these numbers are allowed depends on the settings.
fn days(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "use a whole number of days, such as 7".to_owned())
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
        let due = seconds(erasure.due);
        return Err(CliError::Input(format!(
            "the erasure of {account} has been requested already, and is due at {due}"
        )));
    }
    let request = Request::new(account.into(), CommandId(app.ids.uuid()));
    let with = (grace, LeftWorkspaces::of(args.leave_workspaces));
    let (requested, signed_out) = request_of_account(app, account, live, with, &request).await?;
    let (due, sessions) = (seconds(requested.due), describe(&signed_out));
    say(format_args!("{sessions}; account {account} will be erased on {due}"));
    if let Some(code) = requested.claim_code {
        say(format_args!("claim code, for the person: {code}"));
    }
    Ok(())
}

fn describe(signed_out: &SignedOut) -> String {
    match signed_out {
        SignedOut::Closed(sessions) => closed(*sessions),
        SignedOut::NotAppended(sessions, error) => format!(
            "{}, and a running node has yet to record it in the log ({error})",
            closed(*sessions)
        ),
        SignedOut::NotClosed(error) => {
            format!("the sessions are open until a running node closes them ({error})")
        }
    }
}

fn closed(sessions: usize) -> String {
    count(sessions, "session is closed", "sessions are closed")
}
