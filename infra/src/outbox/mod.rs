//! The queue of mails: a row is written in one commit with the checkpoint of the worker that reads its
//! cause, then claimed, sent and marked. An event causes at most one mail of a kind to a subject.

mod failover;
mod kind;
mod restored;
#[cfg(test)]
mod tests;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::privacy::Sealed;
use domain::{EventId, SubjectId, TenantId};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

pub use failover::may_have_gone;
pub use kind::{MailKind, MailReference};

use crate::clock::Clock;
use crate::cluster::Lease;
use crate::ids::hashed;
use crate::mail::{RefusalKind, SendOutcome, Via};
use crate::postgres::{PgError, Pool, Transaction};
use crate::statement::{execute, query};
use failover::{AT_ONCE, LookedAt, give_up_in_doubt, note_failover};

const PUT: &str = include_str!("put.sql");
const CLAIM: &str = include_str!("claim.sql");
const MARK: &str = include_str!("mark.sql");
const WITHDRAW: &str = include_str!("withdraw.sql");
const DELETE: &str = "delete from working.outbox
where mail_id = any ($1) and (state <> 'sending' or lease_until <= clock_timestamp())";
const DELETE_CLAIMED: &str = "delete from working.outbox where mail_id = $1";
const EXPIRE_LEASES: &str = include_str!("expire_leases.sql");
const LIST_FINISHED: &str = "select mail_id, via from working.outbox
where finished_at < $1 order by finished_at limit $2";
const COUNT_OF_SUBJECT: &str = "select count(*) from working.outbox where subject_id = $1";
const COUNT_SUBJECTS: &str = include_str!("count_subjects.sql");
const EXISTING: &str = "select mail_id from working.outbox where mail_id = any ($1)";

/// Longer than a mail may take to be handed over.
const SMTP_LEASE: Duration = Duration::from_mins(3);
/// Writing a file again does no harm.
const FOLDER_LEASE: Duration = Duration::from_secs(10);
const ATTEMPTS_MAX: i32 = 12;

/// A mail that an event causes.
#[derive(Clone, Debug)]
pub struct MailRequest {
    /// A cause has one mail of a kind for a subject.
    pub cause: EventId,
    /// Which text is sent.
    pub kind: MailKind,
    /// Whose event the cause is.
    pub tenant: TenantId,
    /// Whose key seals the address: an account's, or an invitation's.
    pub subject: SubjectId,
    /// The recipient's address; decrypted only when the mail is sent.
    pub address: Sealed,
    /// `None` where the text names nothing.
    pub reference: Option<MailReference>,
    /// When the link expires, the erasure is due, or the sign-in was.
    pub until: Option<DateTime<Utc>>,
}

/// A mail that this node has claimed and sends now.
#[derive(Clone, Debug)]
pub struct ClaimedMail {
    /// The id by which a mail server can recognise a repeated mail.
    pub mail: Uuid,
    /// What was queued.
    pub request: MailRequest,
    lease: Lease,
    attempt: i32,
}

/// What a claim has come to.
#[derive(Debug)]
pub struct MailClaim {
    /// They are this node's, until their lease ends.
    pub mails: Vec<ClaimedMail>,
    /// How many others are unknown now: they may have gone before a failover.
    pub given_up: u64,
    /// Whether to claim again at once.
    pub may_have_more: bool,
}

domain::named_enum! {
    /// The state of a mail after an attempt to send it.
    pub enum MarkOutcome {
        /// It was accepted.
        Sent = "sent",
        /// It is queued again, with a pause.
        Again = "again",
        /// It was refused for good, or too often.
        Failed = "failed",
        /// It is unknown whether it was sent; it is not sent again.
        Unknown = "unknown",
        /// The lease was over before the end of this attempt: the row says what another one has done.
        LeaseLost = "lease_lost",
        /// Its row was deleted meanwhile: the person was erased.
        Deleted = "gone",
    }
}

/// A mail that nobody sends any more, and that may have a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedMail {
    /// Also the name of its file.
    pub mail: Uuid,
    /// How it was sent last; `None`: it never was.
    pub via: Option<Via>,
}

/// Mails that are to be sent, and those that were sent lately.
#[derive(Clone)]
pub struct Outbox {
    pool: Pool,
    clock: Clock,
}

impl Outbox {
    /// `pool` leads to the log's database.
    pub const fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }

    /// Queues a mail in the reader's transaction. `false`: there is a mail of this cause and kind to
    /// the subject already, or the subject is erased. Of more than [`MailKind::a_day_max`] says, the last one is
    /// sent, once a day has passed since the first.
    pub async fn put(&self, tx: &Transaction<'_>, request: &MailRequest) -> Result<bool, PgError> {
        let kind = request.kind.as_str();
        let to = request.subject.0.as_bytes();
        let mail = hashed(&[b"mail", request.cause.0.as_bytes(), kind.as_bytes(), to]);
        let (address, now) = (request.address.to_bytes(), self.clock.now());
        let reference = request.reference.map(MailReference::id);
        let put = tx
            .execute(
                PUT,
                &[
                    &mail,
                    &request.cause.0,
                    &kind,
                    &request.tenant.0,
                    &request.subject.0,
                    &address,
                    &reference,
                    &request.until,
                    &now,
                    &request.kind.a_day_max(),
                    &request.kind.is_counted_by_reference(),
                ],
            )
            .await?;
        Ok(put == 1)
    }

    /// Claims at most `limit` mails that are due; each attempt is counted. In one transaction, so that a failover is
    /// noted on the server that claims: by SMTP no mail of before the last one is claimed that was due then. A page of
    /// these are unknown instead.
    pub async fn claim(&self, node: Uuid, via: Via, limit: i64) -> Result<MailClaim, PgError> {
        let (now, lease) = (self.clock.now(), lease_of(via).as_secs_f64());
        let kinds: Vec<&str> = MailKind::ALL.iter().map(|kind| kind.as_str()).collect();
        let values: [&(dyn ToSql + Sync); 6] = [&node, &via.as_str(), &now, &lease, &limit, &kinds];
        let mut client = self.pool.get().await?;
        let tx = client.transaction().await?;
        note_failover(&tx).await?;
        let LookedAt { looked_at, given_up } = match via {
            Via::Smtp => give_up_in_doubt(&tx, now).await?,
            Via::Folder => LookedAt::default(),
        };
        let claim = tx.prepare_cached(CLAIM).await?;
        let rows = tx.query(&claim, &values).await?;
        tx.commit().await?;
        let mails: Vec<_> =
            rows.iter().map(|row| claimed(row, node)).collect::<Result<_, PgError>>()?;
        let may_have_more = !mails.is_empty() || looked_at == AT_ONCE;
        Ok(MailClaim { mails, given_up, may_have_more })
    }

    /// Records the outcome of a claimed mail.
    pub async fn mark(
        &self,
        mail: &ClaimedMail,
        outcome: &SendOutcome,
    ) -> Result<MarkOutcome, PgError> {
        let now = self.clock.now();
        let marked = match outcome {
            SendOutcome::Accepted => MarkOutcome::Sent,
            SendOutcome::Unknown { .. } => MarkOutcome::Unknown,
            SendOutcome::Refused { for_good: true, .. } => MarkOutcome::Failed,
            SendOutcome::Refused { .. } if mail.attempt >= ATTEMPTS_MAX => MarkOutcome::Failed,
            SendOutcome::Refused { .. } => MarkOutcome::Again,
        };
        let state = if marked == MarkOutcome::Again { "queued" } else { marked.as_str() };
        let finished = (marked != MarkOutcome::Again).then_some(now);
        let next = now + backoff(mail.attempt);
        let (trouble, refusal) = (outcome.trouble(), outcome.refusal().map(RefusalKind::as_str));
        let values: [&(dyn ToSql + Sync); 8] = [
            &mail.mail,
            &mail.lease.node,
            &mail.lease.fence,
            &state,
            &next,
            &finished,
            &trouble,
            &refusal,
        ];
        let updated = execute(&self.pool, MARK, &values).await?;
        if updated == 1 {
            return Ok(marked);
        }
        let is_there = !self.existing(&[mail.mail]).await?.is_empty();
        Ok(if is_there { MarkOutcome::LeaseLost } else { MarkOutcome::Deleted })
    }

    /// Deletes the row of a claimed mail whose person is erased. Call it once its file is deleted.
    pub async fn delete_claimed(&self, mail: &ClaimedMail) -> Result<(), PgError> {
        execute(&self.pool, DELETE_CLAIMED, &[&mail.mail]).await.map(drop)
    }

    /// Ends the leases of nodes that died while they sent. Mails for a folder are queued again. Mails
    /// by SMTP may have been sent, and are not sent again; returns the number of these.
    pub async fn expire_leases(&self) -> Result<u64, PgError> {
        let (folder, smtp) = (FOLDER_LEASE.as_secs_f64(), SMTP_LEASE.as_secs_f64());
        let rows = query(&self.pool, EXPIRE_LEASES, &[&self.clock.now(), &folder, &smtp]).await?;
        let unknown =
            rows.iter().filter(|row| row.try_get(0).is_ok_and(|state: &str| state == "unknown"));
        Ok(unknown.count() as u64)
    }

    /// Ends the subject's mails, except those that a node sends at this moment.
    pub async fn withdraw(&self, subject: SubjectId) -> Result<Vec<EndedMail>, PgError> {
        let rows = query(&self.pool, WITHDRAW, &[&subject.0, &self.clock.now()]).await?;
        rows.iter().map(ended).collect()
    }

    /// How many mails of the subject there are.
    pub async fn count_of_subject(&self, subject: SubjectId) -> Result<i64, PgError> {
        let rows = query(&self.pool, COUNT_OF_SUBJECT, &[&subject.0]).await?;
        Ok(rows.first().map_or(Ok(0), |row| row.try_get(0))?)
    }

    /// How many of these subjects have mails; a workspace's are those to whom it has invited.
    pub async fn count_subjects(&self, subjects: &[Uuid]) -> Result<i64, PgError> {
        let rows = query(&self.pool, COUNT_SUBJECTS, &[&subjects]).await?;
        Ok(rows.first().map_or(Ok(0), |row| row.try_get(0))?)
    }

    /// At most `limit` mails that were finished before `until`.
    pub async fn finished(
        &self,
        until: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<EndedMail>, PgError> {
        let rows = query(&self.pool, LIST_FINISHED, &[&until, &limit]).await?;
        rows.iter().map(ended).collect()
    }

    /// Deletes the rows of mails that have ended. Call it once their files are deleted: the rows are
    /// the list of them.
    pub async fn delete(&self, mails: &[Uuid]) -> Result<(), PgError> {
        execute(&self.pool, DELETE, &[&mails]).await.map(drop)
    }

    /// Those of these mails that still have a row.
    pub async fn existing(&self, mails: &[Uuid]) -> Result<Vec<Uuid>, PgError> {
        ids(&query(&self.pool, EXISTING, &[&mails]).await?)
    }
}

const fn lease_of(via: Via) -> Duration {
    match via {
        Via::Smtp => SMTP_LEASE,
        Via::Folder => FOLDER_LEASE,
    }
}

/// The pause doubles after each attempt, from five seconds to two hours: about six hours in all.
fn backoff(attempt: i32) -> TimeDelta {
    let doubled = u32::try_from(attempt - 1).unwrap_or(0).min(11);
    TimeDelta::seconds((5 << doubled).min(7200))
}

fn ids(rows: &[Row]) -> Result<Vec<Uuid>, PgError> {
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

fn ended(row: &Row) -> Result<EndedMail, PgError> {
    let via: Option<&str> = row.try_get("via")?;
    Ok(EndedMail { mail: row.try_get("mail_id")?, via: via.and_then(Via::parse) })
}

fn claimed(row: &Row, node: Uuid) -> Result<ClaimedMail, PgError> {
    let damaged = || PgError::Database("a row of the outbox cannot be read".to_owned());
    let address: &[u8] = row.try_get("address")?;
    let kind = MailKind::parse(row.try_get("kind")?).ok_or_else(damaged)?;
    let reference: Option<Uuid> = row.try_get("proof_id")?;
    Ok(ClaimedMail {
        mail: row.try_get("mail_id")?,
        request: MailRequest {
            cause: EventId(row.try_get("cause")?),
            kind,
            tenant: TenantId(row.try_get("tenant_id")?),
            subject: SubjectId(row.try_get("subject_id")?),
            address: Sealed::from_bytes(address).ok_or_else(damaged)?,
            reference: reference.map(|id| MailReference::stored(kind, id)),
            until: row.try_get("until")?,
        },
        lease: Lease { node, fence: row.try_get("fence")? },
        attempt: row.try_get("attempts")?,
    })
}
