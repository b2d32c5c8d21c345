//! The functions of the databases: one a file in `migrations/functions`, applied where the
//! database has none, or an older revision.

use std::collections::HashMap;

use ring::digest::{SHA256, digest};
use tokio_postgres::{Client, GenericClient};

use super::PgError;

const READ: &str = include_str!("read_functions.sql");
const RECORD: &str = "\
    insert into {table} (name, revision, sha256) values ($1, $2, $3) \
    on conflict (name) do update set revision = excluded.revision, sha256 = excluded.sha256";

/// The functions of one database.
pub(super) struct Functions {
    /// The table that says which revision of each the database has. The application's role cannot
    /// write it.
    table: &'static str,
    pub all: &'static [Function],
}

pub(super) struct Function {
    /// With its schema.
    pub name: &'static str,
    /// Raised with each change of the text: an older programme leaves a newer revision alone.
    pub revision: i32,
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
pub(super) const LOG: Functions = Functions {
    table: "event_log.function_revisions",
    all: functions! {
        event_log.lock 1,
        event_log.lock_holder 1,
        event_log.record_stream 1,
        event_log.recent_from 1,
        event_log.older_version 1,
        event_log.moved_earlier 1,
        event_log.moved 2,
        event_log.append_guarded 1,
        event_log.append_one_guarded 1,
        event_log.append 3,
        event_log.append_one 3,
        event_log.fence 2,
        event_log.fence_at 1,
        event_log.keep 2,
        event_log.create_partition 1,
        event_log.partitions_end 1,
        event_log.move_recent_from 1,
        event_log.create_partitions_ahead 2,
        event_log.reserve_again 1,
        event_log.move_reservations 1,
        event_log.delete_unreadable_reservation 1,
        event_log.delete_reservations 1,
        event_log.delete_reservations_after 1,
        working.create_sample_partitions 1,
        working.drop_sample_partitions 1,
        working.claim_run_tasks_fair 2,
        working.create_run_log_partitions 1,
        working.drop_run_log_partitions 1,
        working.note_failover 2,
        working.guard_mails 1,
    },
};

/// Of the keyring's database.
pub(super) const KEYRING: Functions = Functions {
    table: "keyring.function_revisions",
    all: functions! {
        keyring.refuse_return 1,
        keyring.standbys 1,
        keyring.note_change 2,
        keyring.shard_of 2,
        keyring.find_keys 1,
        keyring.make_keys 1,
        keyring.history 1,
        keyring.taint_shard 1,
        keyring.refuse_rewrap 1,
    },
};

/// Those that the database lacks or has of an older revision.
///
/// # Errors
/// The database does not answer, or has a function of the same revision with another text.
pub(super) async fn due(
    client: &impl GenericClient,
    functions: &Functions,
) -> Result<Vec<&'static Function>, PgError> {
    let rows = client.query(&READ.replace("{table}", functions.table), &[]).await?;
    let mut stamps: HashMap<String, Stamp> = HashMap::new();
    for row in rows {
        let stamp = Stamp { revision: row.try_get(1)?, hash: row.try_get(2)? };
        stamps.insert(row.try_get(0)?, stamp);
    }
    let mut due = Vec::new();
    for function in functions.all {
        if function.is_due(stamps.get(function.name))? {
            due.push(function);
        }
    }
    Ok(due)
}

/// Applies, in one transaction, those that are due, and answers their names. The caller holds the
/// lock of the migrations.
pub(super) async fn apply(
    client: &mut Client,
    functions: &Functions,
) -> Result<Vec<&'static str>, PgError> {
    let transaction = client.transaction().await?;
    let record = RECORD.replace("{table}", functions.table);
    let mut applied = Vec::new();
    for function in due(&transaction, functions).await? {
        transaction.batch_execute(function.text).await?;
        let Stamp { revision, hash } = function.stamp();
        transaction.execute(&record, &[&function.name, &revision, &hash]).await?;
        applied.push(function.name);
    }
    transaction.commit().await?;
    Ok(applied)
}

/// The revision and the text that a function of the database was made from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub revision: i32,
    /// The SHA-256 of the text in hexadecimal digits.
    pub hash: String,
}

impl Function {
    pub fn stamp(&self) -> Stamp {
        let hash = hex::encode(digest(&SHA256, self.text.as_bytes()));
        Stamp { revision: self.revision, hash }
    }

    /// `present`: none for a function that is missing, or that a numbered migration made.
    fn is_due(&self, present: Option<&Stamp>) -> Result<bool, PgError> {
        let Some(present) = present else { return Ok(true) };
        if present.revision == self.revision && *present != self.stamp() {
            return Err(PgError::FunctionDiffers { name: self.name, revision: self.revision });
        }
        Ok(present.revision < self.revision)
    }
}
