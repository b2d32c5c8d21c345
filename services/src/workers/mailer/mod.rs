//! Writes a mail into the outbox for each event that needs one, and sends the outbox.

mod letters;
mod members;
mod new_sign_in;
mod sender;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::account::{AccountEvent, Proof};
use domain::privacy::{AccountEmail, Personal, Sealed};
use domain::workspace::WorkspaceEvent;
use infra::log::{Poison, Recorded, Worker, WorkerError};
use infra::mail::Via;
use infra::outbox::{MailKind, MailReference, MailRequest, may_have_gone};
use infra::postgres::Transaction;

#[cfg(test)]
pub(super) use sender::send;
pub(super) use sender::send_due;

use super::timer::Wake;
use super::unverified::UNVERIFIED_ACCOUNTS;
use crate::wiring::App;

const ADDRESS_BEFORE: &str = include_str!("address_before.sql");

pub(super) struct Mailer {
    app: App,
    wake: Wake,
}

/// A mail that an account's event causes.
struct AccountMail {
    kind: MailKind,
    /// `None`: the address that the account had before the event.
    to: Option<Personal<AccountEmail>>,
    reference: Option<MailReference>,
    until: Option<DateTime<Utc>>,
}

impl Mailer {
    pub(super) fn new(app: &App, wake: &Wake) -> Self {
        Self { app: app.clone(), wake: wake.clone() }
    }

    /// Why the mails of the event may have gone before; `None`: they have not.
    async fn why_gone(
        &self,
        event: &Recorded,
        tx: &Transaction<'_>,
    ) -> Result<Option<&'static str>, WorkerError> {
        if event.position() <= self.app.watermark.restored_through() {
            return Ok(Some("the log was restored"));
        }
        // A file that is written again is the same mail.
        let by_smtp = self.app.transport.via() == Via::Smtp;
        let in_doubt = by_smtp && may_have_gone(tx, self.name(), event).await?;
        Ok(in_doubt.then_some("the database failed over"))
    }
}

#[async_trait]
impl Worker for Mailer {
    fn name(&self) -> &'static str {
        "mailer"
    }

    fn event_types(&self) -> &'static [&'static str] {
        &[
            "account.registered",
            "account.verification_requested",
            "account.email_change_requested",
            "account.email_changed",
            "account.password_changed",
            "account.password_reset_requested",
            "account.erasure_requested",
            "account.erasure_cancelled",
            "account.login_succeeded",
            "workspace.member_invited",
            "workspace.role_changed",
            "workspace.member_removed",
            "workspace.api_token_issued",
            "workspace.api_token_rotated",
            "workspace.succession_agreed",
            "workspace.restricted",
            "workspace.deletion_requested",
            "workspace.deletion_hastened",
            "workspace.deletion_cancelled",
            "server.host_key_mismatched",
            "server.watch_stopped",
        ]
    }

    async fn react(&self, event: &Recorded, tx: &Transaction<'_>) -> Result<(), WorkerError> {
        let (outbox, executor) = (&self.app.outbox, &self.app.executor);
        let requests: Vec<MailRequest> = match event.stream_type() {
            "workspace" if event.event_type() == "workspace.member_invited" => {
                invitation_request(event)?.into_iter().collect()
            }
            "workspace" => members::of_workspace(executor, event).await?,
            "server" => members::of_server(executor, event).await?,
            _ if event.event_type() == "account.login_succeeded" => {
                new_sign_in::request(&self.app, event).await?.into_iter().collect()
            }
            // The notice said it, and is the one mail about it.
            _ if event.event_type() == "account.erasure_requested"
                && event.actor() == Some(UNVERIFIED_ACCOUNTS) =>
            {
                vec![]
            }
            _ => account_requests(event, tx).await?,
        };
        if requests.is_empty() {
            return Ok(());
        }
        for request in requests {
            outbox.put(tx, &request).await?;
            self.wake.notify_one();
        }
        if let Some(why) = self.why_gone(event, tx).await? {
            let given_up = outbox.give_up(tx, event.event_id(), why).await?;
            self.app.metrics.mails_handled.with_label_values(&["unknown"]).inc_by(given_up);
        }
        Ok(())
    }
}

/// The mails to a person who has an account.
async fn account_requests(
    event: &Recorded,
    tx: &Transaction<'_>,
) -> Result<Vec<MailRequest>, WorkerError> {
    let mut requests = Vec::new();
    for mail in account_mails(event.decode()?) {
        let address = match mail.to {
            Some(address) => address.sealed().cloned(),
            None => address_before(event, tx).await?,
        };
        requests.push(MailRequest {
            cause: event.event_id(),
            kind: mail.kind,
            tenant: event.tenant(),
            subject: domain::SubjectId(event.stream_id()),
            address: address.ok_or_else(no_address)?,
            reference: mail.reference,
            until: mail.until,
        });
    }
    Ok(requests)
}

/// A mail to an address that may have no account.
fn invitation_request(event: &Recorded) -> Result<Option<MailRequest>, WorkerError> {
    let decoded: WorkspaceEvent = event.decode()?;
    let WorkspaceEvent::MemberInvited { invitation, email, until, .. } = decoded else {
        return Ok(None);
    };
    Ok(Some(MailRequest {
        cause: event.event_id(),
        kind: MailKind::Invitation,
        tenant: event.tenant(),
        subject: invitation.into(),
        address: email.sealed().cloned().ok_or_else(no_address)?,
        reference: Some(MailReference::Invitation(invitation)),
        until: Some(until),
    }))
}

fn account_mails(event: AccountEvent) -> Vec<AccountMail> {
    let link = |kind, to, proof: Proof| {
        let reference = Some(MailReference::Proof(proof.id));
        vec![AccountMail { kind, to, reference, until: Some(proof.until) }]
    };
    let notice = |kind, until| vec![AccountMail { kind, to: None, reference: None, until }];
    match event {
        AccountEvent::Registered { email, verification, .. } => {
            link(MailKind::Verification, Some(email), verification)
        }
        AccountEvent::VerificationRequested { verification } => {
            link(MailKind::Verification, None, verification)
        }
        AccountEvent::EmailChangeRequested { email, verification } => {
            let mut mails = link(MailKind::EmailChange, Some(email), verification);
            mails.extend(notice(MailKind::EmailChangeRequested, Some(verification.until)));
            mails
        }
        AccountEvent::PasswordResetRequested { proof } => {
            link(MailKind::PasswordReset, None, proof)
        }
        AccountEvent::EmailChanged { .. } => notice(MailKind::EmailChanged, None),
        AccountEvent::PasswordChanged { .. } => notice(MailKind::PasswordChanged, None),
        AccountEvent::ErasureRequested { due, .. } => notice(MailKind::ErasureRequested, Some(due)),
        AccountEvent::ErasureCancelled {} => notice(MailKind::ErasureCancelled, None),
        AccountEvent::EmailVerified {}
        | AccountEvent::EmailChangeCancelled {}
        | AccountEvent::SessionsEnded {}
        | AccountEvent::ApiTokensEnded {}
        | AccountEvent::Rectified { .. }
        | AccountEvent::UsernameRemoved {}
        | AccountEvent::LoginSucceeded { .. }
        | AccountEvent::LoginFailed { .. }
        | AccountEvent::LoginsFailed { .. }
        | AccountEvent::ConsentGiven { .. }
        | AccountEvent::ConsentWithdrawn { .. }
        | AccountEvent::ErasureCompleted { .. }
        | AccountEvent::ErasureBackupProven {} => vec![],
    }
}

/// Reads the log, since the aggregate keeps only the current address.
async fn address_before(
    event: &Recorded,
    tx: &Transaction<'_>,
) -> Result<Option<Sealed>, WorkerError> {
    let row = tx.query_opt(ADDRESS_BEFORE, &[&event.stream_id(), &event.version()]).await?;
    let Some(row) = row else { return Ok(None) };
    let (AccountEvent::Registered { email, .. } | AccountEvent::EmailChanged { email }) =
        Recorded::try_from(row).map_err(|error| Poison::Unfit(error.to_string()))?.decode()?
    else {
        return Ok(None);
    };
    Ok(email.sealed().cloned())
}

fn no_address() -> WorkerError {
    Poison::Unfit("the log holds no address for this mail".to_owned()).into()
}
