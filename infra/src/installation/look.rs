//! What the two databases say. Either may be missing, or of an older schema.

use tokio_postgres::Client;
use uuid::Uuid;

use super::{InstallationError, InstallationId, Relation, connected, keyring_error, log_error};
use crate::postgres::{DatabaseUrl, PgError};

const IS_THERE: &str = "select to_regclass($1) is not null";
const READ_LOG_ID: &str = "select id from event_log.installation";
const HAS_EVENTS: &str = "select exists (select from event_log.events)";
const HAS_EVENT: &str =
    "select exists (select from event_log.events where position = $1 and event_id = $2)";
const LIST_SUBJECTS: &str = include_str!("list_subjects.sql");
/// The column is younger than the table.
const READ_KEYRING_ID: &str = "select keyring,
    coalesce((to_jsonb(c) ->> 'has_log')::boolean, false) as has_log from keyring.copy c";
const READ_WATERMARK: &str = "select position, event_id from keyring.watermark where position > 0";
const HAS_KEYS: &str = "select (
    select true from keyring.keys where kind = 'subject' order by subject, class, number limit 1) is not null";
const KNOWS_ANY: &str = "select exists (
    select from keyring.keys where kind = 'subject' and subject = any($1))";

/// What tells whose a log and a keyring are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    log: Option<InstallationId>,
    has_events: bool,
    keyring: Option<InstallationId>,
    /// The keyring says that a log names it.
    has_log: bool,
    /// The keyring has keys of people, or knows an event.
    is_used: bool,
    /// What a log that names no keyring holds.
    kinship: Kinship,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kinship {
    /// The newest event that the keyring knows, or a person of whom it has, or had, a key.
    Known,
    /// Nothing that would need a key.
    Nothing,
    /// People of whom the keyring knows nothing.
    Strangers,
}

struct KeyringState {
    id: Option<InstallationId>,
    has_log: bool,
    newest: Option<(i64, Uuid)>,
    has_keys: bool,
}

impl Seen {
    pub async fn of(log: &DatabaseUrl, keyring: &DatabaseUrl) -> Result<Self, InstallationError> {
        let log = existing(log).await.map_err(InstallationError::Log)?;
        let keyring = existing(keyring).await.map_err(InstallationError::Keyring)?;
        let state = match &keyring {
            Some(client) => KeyringState::read(client).await.map_err(keyring_error)?,
            None => KeyringState { id: None, has_log: false, newest: None, has_keys: false },
        };
        let (mut id, mut has_events, mut kinship) = (None, false, Kinship::Nothing);
        if let Some(log) = &log {
            id = log_id(log).await.map_err(log_error)?;
            has_events = holds(log, "event_log.events", HAS_EVENTS).await.map_err(log_error)?;
            if id.is_none() && has_events {
                kinship = kin(log, keyring.as_ref(), state.newest).await?;
            }
        }
        let is_used = state.has_keys || state.newest.is_some();
        let (keyring, has_log) = (state.id, state.has_log);
        Ok(Self { log: id, has_events, keyring, has_log, is_used, kinship })
    }

    /// `None`: they are not of one installation.
    pub fn judge(&self) -> Option<Relation> {
        match self.log {
            Some(log) if self.keyring == Some(log) && self.has_log => Some(Relation::Paired),
            // A start was ended between the two.
            Some(log) if self.keyring == Some(log) => Some(Relation::Related),
            Some(_) => None,
            None if self.has_events => self.knows_log().then_some(Relation::Related),
            None => (!self.has_log && !self.is_used).then_some(Relation::New),
        }
    }

    fn knows_log(&self) -> bool {
        match self.kinship {
            Kinship::Known => true,
            Kinship::Nothing => !self.has_log && !self.is_used,
            Kinship::Strangers => false,
        }
    }

    pub fn refusal(&self, log: &DatabaseUrl, keyring: &DatabaseUrl) -> InstallationError {
        let (log, keyring) = (log.to_string(), keyring.to_string());
        match (self.log, self.keyring) {
            (Some(installation), Some(other)) if self.has_log || self.is_used => {
                InstallationError::OtherKeyring { log, installation, keyring, other }
            }
            (Some(installation), _) => {
                InstallationError::KeyringLost { log, installation, keyring }
            }
            (None, _) if self.has_events => InstallationError::Unrelated { log, keyring },
            (None, _) => InstallationError::LogLost { log, keyring },
        }
    }
}

impl KeyringState {
    async fn read(client: &Client) -> Result<Self, tokio_postgres::Error> {
        let (mut id, mut has_log, mut newest) = (None, false, None);
        if is_there(client, "keyring.copy").await?
            && let Some(row) = client.query_opt(READ_KEYRING_ID, &[]).await?
        {
            id = Some(InstallationId(row.try_get("keyring")?));
            has_log = row.try_get("has_log")?;
        }
        if is_there(client, "keyring.watermark").await?
            && let Some(row) = client.query_opt(READ_WATERMARK, &[]).await?
        {
            newest = Some((row.try_get("position")?, row.try_get("event_id")?));
        }
        let has_keys = holds(client, "keyring.keys", HAS_KEYS).await?;
        Ok(Self { id, has_log, newest, has_keys })
    }
}

async fn kin(
    log: &Client,
    keyring: Option<&Client>,
    newest: Option<(i64, Uuid)>,
) -> Result<Kinship, InstallationError> {
    if let Some((position, event)) = newest
        && has_event(log, position, event).await.map_err(log_error)?
    {
        return Ok(Kinship::Known);
    }
    let rows = log.query(LIST_SUBJECTS, &[]).await.map_err(log_error)?;
    let subjects: Vec<Uuid> =
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(log_error)?;
    if subjects.is_empty() {
        return Ok(Kinship::Nothing);
    }
    let Some(keyring) = keyring else { return Ok(Kinship::Strangers) };
    let has_keys = is_there(keyring, "keyring.keys").await.map_err(keyring_error)?;
    if has_keys && is(keyring, KNOWS_ANY, &[&subjects]).await.map_err(keyring_error)? {
        return Ok(Kinship::Known);
    }
    Ok(Kinship::Strangers)
}

pub(super) async fn log_id(
    client: &Client,
) -> Result<Option<InstallationId>, tokio_postgres::Error> {
    if !is_there(client, "event_log.installation").await? {
        return Ok(None);
    }
    let row = client.query_opt(READ_LOG_ID, &[]).await?;
    row.map(|row| row.try_get(0).map(InstallationId)).transpose()
}

pub(super) async fn keyring_id(
    keyring: &DatabaseUrl,
) -> Result<Option<InstallationId>, InstallationError> {
    match existing(keyring).await.map_err(InstallationError::Keyring)? {
        Some(client) => Ok(KeyringState::read(&client).await.map_err(keyring_error)?.id),
        None => Ok(None),
    }
}

pub(super) async fn is_empty(log: &DatabaseUrl) -> Result<bool, InstallationError> {
    let Some(client) = existing(log).await.map_err(InstallationError::Log)? else {
        return Ok(true);
    };
    let looked = async {
        if is_there(&client, "event_log.events").await? {
            return Ok(!is(&client, HAS_EVENTS, &[]).await?);
        }
        Ok(!is_there(&client, "refinery_schema_history").await?)
    };
    looked.await.map_err(log_error)
}

pub(super) async fn has_event(
    log: &Client,
    position: i64,
    event: Uuid,
) -> Result<bool, tokio_postgres::Error> {
    is(log, HAS_EVENT, &[&position, &event]).await
}

/// `None`: there is no such database.
async fn existing(url: &DatabaseUrl) -> Result<Option<Client>, PgError> {
    match connected(url).await {
        Err(PgError::NoDatabase(_)) => Ok(None),
        client => client.map(Some),
    }
}

async fn is_there(client: &Client, table: &str) -> Result<bool, tokio_postgres::Error> {
    is(client, IS_THERE, &[&table]).await
}

async fn holds(client: &Client, table: &str, sql: &str) -> Result<bool, tokio_postgres::Error> {
    Ok(is_there(client, table).await? && is(client, sql, &[]).await?)
}

async fn is(
    client: &Client,
    sql: &str,
    values: crate::statement::Values<'_>,
) -> Result<bool, tokio_postgres::Error> {
    client.query_one(sql, values).await?.try_get(0)
}
