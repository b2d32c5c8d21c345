//! An append: the events and reservations of one command, as `event_log.append_guarded` takes them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use domain::EventId;
use postgres_types::ToSql;
use uuid::Uuid;

use super::outcome::StreamVersion;
use crate::event_store::receipt::AppendedEvent;
use crate::event_store::request::ReservationChange;
use crate::log::json::JsonText;

/// `event_log.new_event`.
#[derive(Debug, ToSql)]
#[postgres(name = "new_event")]
pub struct NewEvent {
    pub append: i32,
    /// On the first event of each stream: the version that the stream must be at.
    pub expected: Option<i64>,
    pub tenant_id: Uuid,
    pub stream_type: &'static str,
    pub stream_id: Uuid,
    pub version: i64,
    pub event_id: Uuid,
    pub event_type: &'static str,
    pub schema_version: i16,
    pub data: Json,
    pub sealed: Option<Vec<u8>>,
    pub subjects: Vec<Uuid>,
    pub actor: Option<Uuid>,
    pub session: Option<Uuid>,
    pub request: Option<Uuid>,
    pub correlation: Option<Uuid>,
    pub causation: Option<Uuid>,
    pub command_id: Option<Uuid>,
    pub request_mac: Option<Vec<u8>>,
    pub request_mac_before: Option<Vec<u8>>,
    pub events: Option<i16>,
}

/// `event_log.new_reservation`.
#[derive(Debug, ToSql)]
#[postgres(name = "new_reservation")]
pub struct NewReservation {
    pub append: i32,
    pub kind: String,
    pub blind_index: Vec<u8>,
    pub owner: Uuid,
    pub taken: bool,
}

impl From<ReservationChange> for NewReservation {
    fn from(change: ReservationChange) -> Self {
        let (taken, (kind, blind_index, owner)) = match change {
            ReservationChange::Take { kind, blind_index, owner } => {
                (true, (kind, blind_index, owner))
            }
            ReservationChange::Release { kind, blind_index, owner } => {
                (false, (kind, blind_index, owner))
            }
        };
        Self { append: 0, kind, blind_index, owner, taken }
    }
}

/// A stream that must have no event after this version when the append is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardedStream {
    /// Its id.
    pub stream: Uuid,
    /// That a guard was decided on.
    pub version: i64,
    /// The log has no other event of the stream at or before this position.
    pub after: i64,
}

/// `event_log.new_guard`: a guard of one append or more.
#[derive(Debug, PartialEq, Eq, ToSql)]
#[postgres(name = "new_guard")]
pub struct NewGuard {
    pub appends: Vec<i32>,
    pub stream_id: Uuid,
    pub version: i64,
    pub after: i64,
}

impl NewGuard {
    /// The guards of a batch: what several of its appends expect is asked once.
    pub fn of<'a>(batch: impl Iterator<Item = (i32, &'a Append)>) -> Vec<Self> {
        let mut guards: BTreeMap<(Uuid, i64), Self> = BTreeMap::new();
        for (append, guard) in batch
            .flat_map(|(number, append)| append.guards.iter().map(move |guard| (number, guard)))
        {
            let GuardedStream { stream: stream_id, version, after } = *guard;
            let new = Self { appends: Vec::new(), stream_id, version, after };
            let known = guards.entry((stream_id, version)).or_insert(new);
            known.after = known.after.max(after);
            known.appends.push(append);
        }
        guards.into_values().collect()
    }
}

/// The events and reservations of one command, and what it expects of other streams. All of them are
/// written, or none.
#[derive(Debug, Default)]
pub struct Append {
    pub events: Vec<NewEvent>,
    pub reservations: Vec<NewReservation>,
    pub guards: Vec<GuardedStream>,
}

impl NewEvent {
    /// Whether its append is refused anyway where this guard's stream has moved.
    pub fn expects(&self, guard: &GuardedStream) -> bool {
        self.stream_id == guard.stream && self.expected == Some(guard.version)
    }
}

impl Append {
    /// Its events as recorded, if they are appended after this position.
    pub fn appended_after(&self, position: i64) -> Vec<AppendedEvent> {
        let events = self.events.iter().zip(position + 1..);
        let appended = events.map(|(event, position)| AppendedEvent {
            id: EventId(event.event_id),
            position,
            stream: event.stream_id,
            version: event.version,
        });
        appended.collect()
    }

    /// One event and no reservations: what `event_log.append_one_guarded` takes.
    pub fn single(&self) -> Option<&NewEvent> {
        match (self.events.as_slice(), self.reservations.as_slice()) {
            ([event], []) => Some(event),
            _ => None,
        }
    }

    /// The event that stands last in the log once it is appended.
    pub fn last_event(&self) -> Option<EventId> {
        self.events.last().map(|event| EventId(event.event_id))
    }

    /// Whether it leads a stream to exactly this version.
    pub fn reaches(&self, reached: &StreamVersion) -> bool {
        let of = self.events.iter().filter(|event| event.stream_id == reached.stream_id);
        of.map(|event| event.version).max() == Some(reached.version)
    }

    pub fn number(&mut self, append: i32) {
        self.events.iter_mut().for_each(|event| event.append = append);
        self.reservations.iter_mut().for_each(|reservation| reservation.append = append);
    }

    /// Its number in the batch that it was last written in, from 0.
    #[cfg(feature = "testing")]
    pub fn place(&self) -> i32 {
        self.events.first().map_or(0, |event| event.append)
    }

    /// Hashes of the streams, reservations and command that no other append in the batch may have. After
    /// a collision one of the two waits for the next batch.
    pub fn keys(&self) -> impl Iterator<Item = u64> {
        let streams = self.events.iter().filter(|event| event.expected.is_some());
        let streams = streams.map(|event| stream_key(event.stream_id));
        let commands = self.events.iter().filter_map(|event| event.command_id);
        let commands = commands.map(|command| hash(&(1, command)));
        let reservations = self
            .reservations
            .iter()
            .map(|reservation| hash(&(2, &reservation.kind, &reservation.blind_index)));
        streams.chain(commands).chain(reservations)
    }

    /// Hashes of the streams that it guards, as [`Self::keys`] has those that it writes to: no other append
    /// in the batch may write to one of them.
    pub fn guarded_keys(&self) -> impl Iterator<Item = u64> {
        self.guards.iter().map(|guard| stream_key(guard.stream))
    }
}

fn stream_key(stream: Uuid) -> u64 {
    hash(&(0, stream))
}

fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// The text of `Event::encode`.
#[derive(Debug)]
pub struct Json(pub String);

impl ToSql for Json {
    fn to_sql(
        &self,
        of: &postgres_types::Type,
        out: &mut bytes::BytesMut,
    ) -> Result<postgres_types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
        JsonText(&self.0).to_sql(of, out)
    }

    postgres_types::accepts!(JSON);
    postgres_types::to_sql_checked!();
}
