//! The generations of the e-mail index: one key each, and the state that each is in.

use crate::postgres::GenericClient;
use chrono::{DateTime, Utc};

use super::KeyringError;

const BEGIN_INDEX: &str = include_str!("sql/begin_email_index.sql");
const BEGIN: &str = include_str!("sql/begin_email_generation.sql");
const READ: &str = "select generation, state, created_at from keyring.email_generations
where state <> 'destroyed' order by generation";
const CHANGE: &str = "update keyring.email_generations set state = $3, changed_at = $4
where generation = $1 and state = $2";

#[derive(Clone, Copy)]
pub(super) struct EmailGeneration {
    pub number: i64,
    pub since: DateTime<Utc>,
}

/// The generations that are not erased, by their state.
#[derive(Default)]
pub(super) struct EmailGenerations {
    /// Written in addition to the live one, until every account is reserved under it.
    pub writing: Option<EmailGeneration>,
    pub live: Option<EmailGeneration>,
    /// No longer written. Its reservations are deleted, then its key is erased.
    pub retiring: Option<EmailGeneration>,
}

/// Creates the first generation if there is none.
pub(super) async fn begin_index(
    client: &impl GenericClient,
    now: DateTime<Utc>,
) -> Result<(), KeyringError> {
    client.execute(BEGIN_INDEX, &[&now]).await?;
    Ok(())
}

pub(super) async fn read(client: &impl GenericClient) -> Result<EmailGenerations, KeyringError> {
    let mut generations = EmailGenerations::default();
    let read = client.prepare_cached(READ).await?;
    for row in client.query(&read, &[]).await? {
        let generation = EmailGeneration {
            number: row.try_get("generation")?,
            since: row.try_get("created_at")?,
        };
        match row.try_get("state")? {
            "writing" => generations.writing = Some(generation),
            "live" => generations.live = Some(generation),
            "retiring" => generations.retiring = Some(generation),
            _ => return Err(KeyringError::Damaged),
        }
    }
    Ok(generations)
}

/// `false` when another node has begun it.
pub(super) async fn begin(
    client: &impl GenericClient,
    new: i64,
    now: DateTime<Utc>,
) -> Result<bool, KeyringError> {
    Ok(client.execute(BEGIN, &[&new, &now]).await? == 1)
}

/// `false` when it is not in the state `from`.
pub(super) async fn change(
    client: &impl GenericClient,
    generation: i64,
    (from, to): (&str, &str),
    now: DateTime<Utc>,
) -> Result<bool, KeyringError> {
    Ok(client.execute(CHANGE, &[&generation, &from, &to, &now]).await? == 1)
}
