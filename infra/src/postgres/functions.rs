//! The functions of the databases: one a file in `migrations/functions`, applied where the
//! database has none, or an older revision.

use std::collections::HashMap;

use ring::digest::{SHA256, digest};
use tokio_postgres::{Client, GenericClient};

use super::PgError;

const READ: &str = include_str!("read_functions.sql");

pub(super) struct Function {
    /// With its schema.
    pub name: &'static str,
    /// Raised with each change of the text: an older programme leaves a newer revision alone.
    pub revision: u32,
    pub text: &'static str,
}

macro_rules! functions {
    ($($schema:ident.$name:ident $revision:literal),* $(,)?) => {
        &[$(Function {
            name: concat!(stringify!($schema), ".", stringify!($name)),
            revision: $revision,
            text: include_str!(concat!(
                "../../../migrations/functions/", stringify!($schema), "/", stringify!($name), ".sql"
            )),
        }),*]
    };
}

/// Of the events' database, those that others call first.
pub(super) const LOG: &[Function] = functions! {
    event_log.lock 1,
    event_log.lock_holder 1,
    event_log.append 1,
    event_log.append_one 1,
    event_log.fence 1,
    event_log.keep 1,
    event_log.create_partition 1,
    event_log.partitions_end 1,
    event_log.create_partitions_ahead 1,
    event_log.reserve_again 1,
    event_log.delete_reservations 1,
    working.create_sample_partitions 1,
    working.drop_sample_partitions 1,
    working.claim_run_tasks 1,
    working.create_run_log_partitions 1,
    working.drop_run_log_partitions 1,
};

/// Of the keyring's database.
pub(super) const KEYRING: &[Function] = functions! {
    keyring.refuse_return 1,
};

/// Those that the database lacks or has of an older revision.
///
/// # Errors
/// The database does not answer, or has a function of the same revision with another text.
pub(super) async fn due<'f>(
    client: &impl GenericClient,
    functions: &'f [Function],
) -> Result<Vec<&'f Function>, PgError> {
    let names: Vec<&str> = functions.iter().map(|function| function.name).collect();
    let rows = client.query(READ, &[&names]).await?;
    let mut stamps: HashMap<String, Option<Stamp>> = HashMap::new();
    for row in rows {
        let comment: Option<String> = row.try_get(1)?;
        stamps.insert(row.try_get(0)?, comment.as_deref().and_then(Stamp::read));
    }
    let mut due = Vec::new();
    for function in functions {
        let present = stamps.get(function.name).and_then(Option::as_ref);
        if function.is_due(present)? {
            due.push(function);
        }
    }
    Ok(due)
}

/// Applies, in one transaction, those that are due, and answers their names. The caller holds the
/// lock of the migrations.
pub(super) async fn apply(
    client: &mut Client,
    functions: &[Function],
) -> Result<Vec<&'static str>, PgError> {
    let transaction = client.transaction().await?;
    let mut applied = Vec::new();
    for function in due(&transaction, functions).await? {
        transaction.batch_execute(function.text).await?;
        let name = function.name;
        let comment = function.stamp().comment();
        let statement = format!("comment on function {name} is '{comment}'");
        transaction.batch_execute(&statement).await?;
        applied.push(name);
    }
    transaction.commit().await?;
    Ok(applied)
}

/// What the comment of a function in the database says of the text that it was made from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub revision: u32,
    /// The SHA-256 of the text in hexadecimal digits.
    pub hash: String,
}

impl Stamp {
    /// None for a function that a numbered migration made.
    fn read(comment: &str) -> Option<Self> {
        let (revision, hash) = comment.strip_prefix("revision ")?.split_once(", sha256 ")?;
        Some(Self { revision: revision.parse().ok()?, hash: hash.to_owned() })
    }

    fn comment(&self) -> String {
        format!("revision {}, sha256 {}", self.revision, self.hash)
    }
}

impl Function {
    pub fn stamp(&self) -> Stamp {
        let hash = hex::encode(digest(&SHA256, self.text.as_bytes()));
        Stamp { revision: self.revision, hash }
    }

    fn is_due(&self, present: Option<&Stamp>) -> Result<bool, PgError> {
        let Some(present) = present else { return Ok(true) };
        if present.revision == self.revision && *present != self.stamp() {
            return Err(PgError::FunctionDiffers { name: self.name, revision: self.revision });
        }
        Ok(present.revision < self.revision)
    }
}
