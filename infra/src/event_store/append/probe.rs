//! A write that leaves nothing behind: whether the server takes appends again.

use std::hash::{BuildHasher, RandomState};

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error};
use uuid::Uuid;

use super::rows::{Json, NewEvent, NewReservation};

/// What an idle node asks: the rights are looked at, and whether the server is read-only.
const NOTHING: &str = "select from event_log.append_guarded($1, $2, '{}')";
const ONE: &str = "select from event_log.append_one_guarded($1, '{}')";
/// Its commit waits for the WAL, as that of an append does.
const FLUSH: &str = "select pg_logical_emit_message(true, 'lethe.probe', '')";
/// A full disk takes a short event where a page has room for it, and a message while the present file of the WAL
/// has. This is more than what is left of any page, and is not compressed.
const BYTES: usize = 64 << 10;

/// Appends no event.
pub(super) async fn ask(client: &Client) -> Result<(), Error> {
    let (events, reservations): (Vec<NewEvent>, Vec<NewReservation>) = (Vec::new(), Vec::new());
    let nothing: [&(dyn ToSql + Sync); 2] = [&events, &reservations];
    client.query(NOTHING, &nothing).await.map(drop)
}

/// Appends a large event and rolls it back, then commits a message. In this order: on a full disk, what goes
/// into the WAL brings the server nearer to a PANIC.
pub(super) async fn write(client: &mut Client) -> Result<(), Error> {
    let transaction = client.transaction().await?;
    transaction.query(ONE, &[&event()]).await?;
    transaction.rollback().await?;
    client.query(FLUSH, &[]).await.map(drop)
}

fn event() -> NewEvent {
    NewEvent {
        append: 0,
        expected: Some(0),
        tenant_id: Uuid::nil(),
        stream_type: "probe",
        stream_id: Uuid::nil(),
        version: 1,
        event_id: Uuid::nil(),
        event_type: "log.probed",
        schema_version: 1,
        data: Json("{}".to_owned()),
        sealed: Some(noise()),
        subjects: Vec::new(),
        actor: None,
        session: None,
        request: None,
        correlation: None,
        causation: None,
        command_id: None,
        request_mac: None,
        request_mac_before: None,
        events: None,
    }
}

/// Bytes that do not repeat.
fn noise() -> Vec<u8> {
    let drawn = RandomState::new();
    (0..BYTES / 8).flat_map(|place| drawn.hash_one(place).to_le_bytes()).collect()
}
