//! Mails to be sent: put down with the checkpoint of the worker that reads their cause, then claimed,
//! sent and marked. Each cause has one mail of a kind to a subject, ever.

#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use domain::privacy::Sealed;
use domain::{EventId, ProofId, SubjectId, TenantId};
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

use crate::clock::Clock;
use crate::ids::hashed;
use crate::mail::{Outcome, Via};
use crate::postgres::{PgError, Pool};
use crate::statement::{execute, query};

const PUT: &str = include_str!("put.sql");
const CLAIM: &str = include_str!("claim.sql");
const MARK: &str = include_str!("mark.sql");
const DROP: &str = include_str!("drop.sql");
const LAPSE: &str = include_str!("lapse.sql");
const OF_SUBJECT: &str = include_str!("of_subject.sql");
const ERASE: &str = include_str!("erase.sql");
const FORGET: &str = include_str!("forget.sql");
const KNOWN: &str = include_str!("known.sql");
const COUNT: &str = include_str!("count.sql");

/// Longer than a mail may take to be handed over.
const SMTP_LEASE: TimeDelta = TimeDelta::minutes(3);
/// Writing a file again does no harm.
const FOLDER_LEASE: TimeDelta = TimeDelta::seconds(10);
const ATTEMPTS_MAX: i32 = 12;

macro_rules! kinds {
    ($($kind:ident $name:literal)*) => {
        /// What a mail says.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum MailKind { $($kind),* }

        impl MailKind {
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }

            fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$kind),)* _ => None }
            }
        }
    };
}

kinds! {
    Verification "verification"
    EmailChange "email_change"
    EmailChanged "email_changed"
    PasswordReset "password_reset"
    PasswordChanged "password_changed"
    ErasureRequested "erasure_requested"
    ErasureCancelled "erasure_cancelled"
    Invitation "invitation"
    HostKeyMismatched "host_key_mismatched"
}

/// A mail that an event asks for.
#[derive(Clone, Debug)]
pub struct Request {
    pub cause: EventId,
    pub kind: MailKind,
    pub tenant: TenantId,
    /// Whose key seals the address: an account's, or an invitation's.
    pub subject: SubjectId,
    /// Where it goes; opened only when it is sent.
    pub address: Sealed,
    /// What its link proves, or what a mail without a link is about.
    pub proof: Option<ProofId>,
    /// When the link expires, or the erasure is due.
    pub until: Option<DateTime<Utc>>,
}

/// A mail that this node is to send, now.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub mail: Uuid,
    pub request: Request,
    node: Uuid,
    attempt: i32,
}

/// What became of a mail that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    Sent,
    Again,
    Failed,
    Unknown,
    /// Its row is gone: the person was erased meanwhile.
    Gone,
}

impl Marked {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Again => "again",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Gone => "gone",
        }
    }
}

#[derive(Clone)]
pub struct Outbox {
    pool: Pool,
    clock: Clock,
}

impl Outbox {
    pub const fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }

    /// In the reader's transaction. The same cause and kind to the same subject again, and an
    /// erased subject, put none.
    pub async fn put(&self, tx: &Transaction<'_>, request: &Request) -> Result<bool, PgError> {
        let kind = request.kind.name();
        let to = request.subject.0.as_bytes();
        let mail = hashed(&[b"mail", request.cause.0.as_bytes(), kind.as_bytes(), to]);
        let (address, now) = (request.address.to_bytes(), self.clock.now());
        let proof = request.proof.map(|proof| proof.0);
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
                    &proof,
                    &request.until,
                    &now,
                ],
            )
            .await?;
        Ok(put == 1)
    }

    /// Mails for this node to send. They are its own, and counted as tried, once this answers.
    pub async fn claim(&self, node: Uuid, via: Via, limit: i64) -> Result<Vec<Claimed>, PgError> {
        let now = self.clock.now();
        let lease = now + lease(via);
        let rows = query(&self.pool, CLAIM, &[&node, &via.name(), &now, &lease, &limit]).await?;
        rows.iter().map(|row| claimed(row, node)).collect()
    }

    pub async fn mark(&self, mail: &Claimed, outcome: &Outcome) -> Result<Marked, PgError> {
        let now = self.clock.now();
        let marked = match outcome {
            Outcome::Taken => Marked::Sent,
            Outcome::Unknown { .. } => Marked::Unknown,
            Outcome::Refused { for_good: true, .. } => Marked::Failed,
            Outcome::Refused { .. } if mail.attempt >= ATTEMPTS_MAX => Marked::Failed,
            Outcome::Refused { .. } => Marked::Again,
        };
        let state = if marked == Marked::Again { "queued" } else { marked.name() };
        let finished = (marked != Marked::Again).then_some(now);
        let next = now + backoff(mail.attempt);
        let trouble = outcome.trouble();
        let updated = execute(
            &self.pool,
            MARK,
            &[&mail.mail, &mail.node, &mail.attempt, &state, &next, &finished, &trouble],
        )
        .await?;
        Ok(if updated == 1 { marked } else { Marked::Gone })
    }

    /// The person cannot be written to any more.
    pub async fn drop_mail(&self, mail: &Claimed) -> Result<(), PgError> {
        execute(&self.pool, DROP, &[&mail.mail]).await.map(drop)
    }

    /// Mails whose node died while it sent them: into a folder they are written again; by SMTP
    /// nobody knows, and they are never sent again. Answers how many of those there are.
    pub async fn lapse(&self) -> Result<u64, PgError> {
        let rows = query(&self.pool, LAPSE, &[&self.clock.now()]).await?;
        let unknown =
            rows.iter().filter(|row| row.try_get(0).is_ok_and(|state: &str| state == "unknown"));
        Ok(unknown.count() as u64)
    }

    /// The subject's mails, with the names of their files, before they are destroyed.
    pub async fn of_subject(&self, subject: SubjectId) -> Result<Vec<Uuid>, PgError> {
        ids(&query(&self.pool, OF_SUBJECT, &[&subject.0]).await?)
    }

    /// Destroys every mail of the subject; answers how many there were.
    pub async fn erase(&self, subject: SubjectId) -> Result<u64, PgError> {
        execute(&self.pool, ERASE, &[&subject.0]).await
    }

    /// Forgets mails that came to their end before `until`.
    pub async fn forget(&self, until: DateTime<Utc>, limit: i64) -> Result<u64, PgError> {
        execute(&self.pool, FORGET, &[&until, &limit]).await
    }

    /// Which of these mails there still are.
    pub async fn known(&self, mails: &[Uuid]) -> Result<Vec<Uuid>, PgError> {
        ids(&query(&self.pool, KNOWN, &[&mails]).await?)
    }

    /// How many mails there are in each state.
    pub async fn count(&self) -> Result<Vec<(String, i64)>, PgError> {
        let rows = query(&self.pool, COUNT, &[]).await?;
        let counted = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        counted.collect()
    }
}

const fn lease(via: Via) -> TimeDelta {
    match via {
        Via::Smtp => SMTP_LEASE,
        Via::Folder => FOLDER_LEASE,
    }
}

/// Twice as long after each attempt: from five seconds to two hours, and about six hours in all.
fn backoff(attempt: i32) -> TimeDelta {
    let doubled = u32::try_from(attempt - 1).unwrap_or(0).min(11);
    TimeDelta::seconds((5 << doubled).min(7200))
}

fn ids(rows: &[Row]) -> Result<Vec<Uuid>, PgError> {
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

fn claimed(row: &Row, node: Uuid) -> Result<Claimed, PgError> {
    let damaged = || PgError::Database("a row of the outbox cannot be read".to_owned());
    let address: &[u8] = row.try_get("address")?;
    Ok(Claimed {
        mail: row.try_get("mail_id")?,
        request: Request {
            cause: EventId(row.try_get("cause")?),
            kind: MailKind::named(row.try_get("kind")?).ok_or_else(damaged)?,
            tenant: TenantId(row.try_get("tenant_id")?),
            subject: SubjectId(row.try_get("subject_id")?),
            address: Sealed::from_bytes(address).ok_or_else(damaged)?,
            proof: row.try_get::<_, Option<Uuid>>("proof_id")?.map(ProofId),
            until: row.try_get("until")?,
        },
        node,
        attempt: row.try_get("attempts")?,
    })
}
