//! Claims mails in a transaction, sends them, and records the outcome of each.

use std::time::Duration;

use domain::privacy::{AccountEmail, InvitationEmail};
use domain::{AccountId, SubjectId};
use futures_util::future::join_all;
use infra::failpoint;
use infra::keyring::OpenError;
use infra::log::watermark::CompareError;
use infra::mail::{Letter, MailError, RefusalKind, SendOutcome, Via};
use infra::outbox::{ClaimedMail, MailKind, MailReference, MarkOutcome};
use infra::postgres::PgError;
use tokio::time::timeout;

use super::letters;
use crate::operations::delete_mails::delete_files;
use crate::operations::service_tokens::known_to;
use crate::unseal::Unsealer;
use crate::wiring::App;

const AT_ONCE: i64 = 16;
/// A warning about a new password waits so long for the tokens that it names.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);

/// Why a mail cannot be composed.
enum ComposeError {
    /// The recipient is erased: the mail is deleted.
    Erased,
    Temporary(String),
    Permanent(String),
}

/// Sends a batch of the mails that are due; `true`: there may be more.
pub(crate) async fn send_due(app: App) -> Result<bool, PgError> {
    let claim = app.outbox.claim(app.node, app.transport.via(), AT_ONCE).await?;
    if claim.given_up > 0 {
        let unknown = claim.given_up;
        app.metrics.mails_handled.with_label_values(&["unknown"]).inc_by(unknown);
        tracing::error!(
            unknown,
            "the database failed over: these mails may have been sent, and are not sent again"
        );
    }
    let claimed = &claim.mails;
    if !claimed.is_empty()
        && let Err(error) = app.watermark.secure().await
    {
        return put_off(&app, claimed, error).await;
    }
    for sent in join_all(claimed.iter().map(|mail| send(&app, mail))).await {
        sent?;
    }
    Ok(claim.may_have_more)
}

/// Before a mail goes, its cause is noted outside the log: else a restore of the log might send it again.
async fn put_off(app: &App, claimed: &[ClaimedMail], why: CompareError) -> Result<bool, PgError> {
    // The rows of a log that went back say nothing about the mails.
    if !matches!(why, CompareError::WentBack(_)) {
        let put_off = refused(false, "watermark".to_owned());
        for mail in claimed {
            app.outbox.mark(mail, &put_off).await?;
        }
    }
    Err(why.into())
}

pub(crate) async fn send(app: &App, mail: &ClaimedMail) -> Result<(), PgError> {
    let outcome = match compose(app, mail).await {
        Ok(letter) => {
            failpoint!(MailSending);
            app.transport.send(&letter).await
        }
        Err(ComposeError::Temporary(trouble)) => refused(false, trouble),
        Err(ComposeError::Permanent(trouble)) => refused(true, trouble),
        Err(ComposeError::Erased) => {
            count(app, "dropped");
            if !delete_file(app, mail).await {
                // Its row is the list of what is left: it is claimed again when its lease expires.
                return Ok(());
            }
            return app.outbox.delete_claimed(mail).await;
        }
    };
    failpoint!(MailSent if outcome.trouble().is_none());
    let marked = app.outbox.mark(mail, &outcome).await?;
    count(app, marked.as_str());
    log_outcome(mail, marked, &outcome);
    if marked == MarkOutcome::Deleted {
        delete_file(app, mail).await;
    }
    Ok(())
}

/// By this node: no server was asked.
const fn refused(for_good: bool, trouble: String) -> SendOutcome {
    SendOutcome::Refused { for_good, kind: RefusalKind::Other, trouble }
}

async fn compose(app: &App, mail: &ClaimedMail) -> Result<Letter, ComposeError> {
    let request = &mail.request;
    let (tenant, address) = (request.tenant, &request.address);
    let sealed = Unsealer::new(&app.keyring.sealer, tenant, request.subject);
    // All others go to an account.
    let address = if request.kind == MailKind::Invitation {
        sealed.required::<InvitationEmail>(address).await?
    } else {
        sealed.required::<AccountEmail>(address).await?
    };
    let link = request.reference.and_then(MailReference::link);
    let link = match letters::link_of(request.kind).zip(link) {
        // The page mails a link to whoever is signed in.
        None if request.kind == MailKind::AccountUnverified => {
            format!("{}/verify-email", app.public_url)
        }
        None if request.kind == MailKind::PasswordChanged => {
            staying(app, AccountId(request.subject.0)).await
        }
        None => request.reference.map(|of| of.id().to_string()).unwrap_or_default(),
        Some(((purpose, page), id)) => {
            let token = app.keyring.link_tokens.make(purpose, SubjectId(tenant.0), id).await;
            let token = token.map_err(|error| ComposeError::Temporary(error.to_string()))?;
            format!("{}/{page}?token={token}", app.public_url)
        }
    };
    let text = letters::text(request.kind, &link, request.until);
    let now = app.clock.now();
    Ok(Letter::compose(mail.mail, &app.mail_from, &address, now, text.subject, text.body)?)
}

/// The warning goes in any case, and soon: where it is not known which tokens stay, it says that.
async fn staying(app: &App, account: AccountId) -> String {
    let why = match timeout(KNOWN_WITHIN, known_to(app, account)).await {
        Ok(Ok(tokens)) => return letters::staying(&tokens),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it took too long".to_owned(),
    };
    tracing::warn!(%why, "a mail about a new password does not name the tokens that stay");
    letters::NOT_KNOWN.to_owned()
}

fn count(app: &App, outcome: &str) {
    app.metrics.mails_handled.with_label_values(&[outcome]).inc();
}

fn log_outcome(mail: &ClaimedMail, marked: MarkOutcome, outcome: &SendOutcome) {
    let (id, kind) = (mail.mail, mail.request.kind.as_str());
    let trouble = outcome.trouble().unwrap_or_default();
    match marked {
        MarkOutcome::Sent | MarkOutcome::Deleted => tracing::debug!(%id, kind, "mail sent"),
        MarkOutcome::LeaseLost => {
            tracing::warn!(%id, kind, trouble, "sending a mail took longer than its lease");
        }
        MarkOutcome::Again => {
            tracing::info!(%id, kind, trouble, "a mail was not accepted: tried again later");
        }
        MarkOutcome::Failed => {
            tracing::warn!(%id, kind, trouble, "a mail was refused: it is not sent again");
        }
        MarkOutcome::Unknown => {
            tracing::error!(%id, kind, trouble, "a mail may have been sent: it is not sent again");
        }
    }
}

/// An earlier attempt, or this one, may have written it. `false`: it may still be there.
async fn delete_file(app: &App, mail: &ClaimedMail) -> bool {
    let written = app.transport.via() == Via::Folder;
    let deleted = delete_files(app, &[mail.mail], written).await;
    if let Err(error) = &deleted {
        tracing::warn!(id = %mail.mail, %error, "the file of a mail to an erased person was not deleted: it is tried again");
    }
    deleted.is_ok()
}

impl From<OpenError> for ComposeError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Erased | OpenError::Expired => Self::Erased,
            OpenError::Damaged => Self::Permanent(error.to_string()),
            OpenError::Unavailable(_) => Self::Temporary(error.to_string()),
        }
    }
}

impl From<MailError> for ComposeError {
    fn from(error: MailError) -> Self {
        Self::Permanent(error.to_string())
    }
}
