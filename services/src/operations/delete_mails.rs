//! Deletes mails: their files first, since the rows are the list of the files.

use std::io::ErrorKind;

use domain::SubjectId;
use infra::mail::{MailError, Via};
use infra::outbox::EndedMail;
use infra::postgres::PgError;
use uuid::Uuid;

use crate::wiring::App;

/// Some mails are left: whoever deletes them tries again.
#[derive(Debug, thiserror::Error)]
pub enum DeleteMailsError {
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error(transparent)]
    Folder(#[from] MailError),
    #[error("a mail to this person is being sent: waiting for its end, at most three minutes")]
    BeingSent,
}

/// Deletes the mails of a subject whose keys are erased. Succeeds once no mail of it is left, neither
/// in the outbox, nor in the folder, nor on its way.
pub async fn delete_mails_of(app: &App, subject: SubjectId) -> Result<(), DeleteMailsError> {
    delete_ended(app, &app.outbox.withdraw(subject).await?).await?;
    match app.outbox.count_of_subject(subject).await? {
        0 => Ok(()),
        _ => Err(DeleteMailsError::BeingSent),
    }
}

/// Deletes mails that nobody sends any more.
pub async fn delete_ended(app: &App, mails: &[EndedMail]) -> Result<(), DeleteMailsError> {
    let ids: Vec<Uuid> = mails.iter().map(|ended| ended.mail).collect();
    let written = mails.iter().any(|ended| ended.via == Some(Via::Folder));
    delete_files(app, &ids, written).await?;
    Ok(app.outbox.delete(&ids).await?)
}

/// `written`: whether one of them went into the folder, so that it must be there. An installation that
/// always sent by SMTP has none.
pub async fn delete_files(app: &App, mails: &[Uuid], written: bool) -> Result<(), MailError> {
    match app.mail_folder.delete(mails).await {
        Err(MailError::Folder(error)) if error.kind() == ErrorKind::NotFound && !written => Ok(()),
        deleted => deleted,
    }
}
