//! An append being drafted: its events are numbered, sealed and encoded as they are added.

use domain::privacy::take_apart;
use domain::{Event, EventId};
use uuid::Uuid;

use super::rows::{Append, GuardedStream, Json, NewEvent};
use crate::event_store::error::ExecuteError;
use crate::event_store::request::Request;
use crate::ids::derived;
use crate::keyring::{RequestMacs, Sealer};

pub struct Draft<'a> {
    sealer: &'a Sealer,
    pub request: &'a Request,
    pub events: Vec<NewEvent>,
    pub guards: Vec<GuardedStream>,
}

/// The stream and the version that an event gets.
#[derive(Clone, Copy)]
pub struct Place {
    pub stream_type: &'static str,
    pub stream: Uuid,
    pub version: i64,
    /// On the first event of the stream in its append.
    pub expected: Option<i64>,
}

impl<'a> Draft<'a> {
    pub fn new(sealer: &'a Sealer, request: &'a Request, capacity: usize) -> Self {
        Self { sealer, request, events: Vec::with_capacity(capacity), guards: Vec::new() }
    }

    /// Adds an event; returns it sealed, as the log will hold it.
    pub async fn add<E: Event>(&mut self, place: Place, mut event: E) -> Result<E, ExecuteError> {
        let request = self.request;
        // A repeated command gets the same ids.
        let number = self.events.len() + 1;
        let event_id = derived(request.command, &format!("event/{number}"));
        let sealing = self.sealer.seal(request.tenant, place.stream, EventId(event_id), &mut event);
        let mut subjects: Vec<Uuid> = sealing.await?.into_iter().map(|subject| subject.0).collect();
        let about = event.subject(request.tenant, place.stream).0;
        if !subjects.contains(&about) {
            subjects.push(about);
        }
        let sealed_event = event.clone();
        let sealed = take_apart(&mut event).map_err(unwritable)?;
        let (event_type, schema_version) = event.type_and_version();
        self.events.push(NewEvent {
            append: 0,
            expected: place.expected,
            tenant_id: request.tenant.0,
            stream_type: place.stream_type,
            stream_id: place.stream,
            version: place.version,
            event_id,
            event_type,
            schema_version,
            data: Json(event.encode().map_err(unwritable)?),
            sealed,
            subjects,
            actor: request.actor.map(|actor| actor.0),
            session: request.session.map(|session| session.0),
            request: request.request,
            correlation: request.correlation,
            causation: request.causation.map(|event| event.0),
            command_id: None,
            request_mac: None,
            request_mac_before: None,
            events: None,
        });
        Ok(sealed_event)
    }

    /// The append, its first event marked with the command.
    pub fn finish(self, macs: Option<RequestMacs>) -> Result<Append, ExecuteError> {
        let mut guards = self.guards;
        guards.retain(|guard| !self.events.iter().any(|event| event.expects(guard)));
        let mut events = self.events;
        let count = i16::try_from(events.len()).map_err(unwritable)?;
        if let Some(first) = events.first_mut() {
            first.command_id = Some(self.request.command.0);
            first.request_mac = macs.map(|macs| macs.today.to_vec());
            first.request_mac_before = macs.and_then(|macs| macs.before).map(|mac| mac.to_vec());
            first.events = Some(count);
        }
        let reservations = self.request.reservations.iter().cloned().map(Into::into).collect();
        Ok(Append { events, reservations, guards })
    }
}

fn unwritable(error: impl std::fmt::Display) -> ExecuteError {
    ExecuteError::Unavailable(format!("an event cannot be written: {error}"))
}
