//! Events that this programme does not know, since a newer one has written them.

use uuid::Uuid;

use super::work::Poisoned;
use super::{Poison, Reader, Recorded};

/// The newest version of an event type's shape that a programme knows; `None` for a type that it does
/// not know.
pub type NewestVersion = fn(&str) -> Option<i16>;

/// The event that a reader has come to and that this programme may not pass over: it cannot say
/// whether the reader of the newer programme wants it.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "the event at position {position} ({event_type}, version {version}) is not known to this version of \
     Lethe: a newer node reads it"
)]
pub(super) struct UnknownEvent {
    pub position: i64,
    pub event_type: String,
    pub version: i16,
}

impl UnknownEvent {
    /// A parked stream that an operator has released too early stays parked, from this event on.
    pub(super) fn poisons(self, stream: Uuid) -> Poisoned {
        let poison = Poison::Unfit(format!("{self}: release the stream again when one runs"));
        Poisoned { stream, position: self.position, poison }
    }
}

/// Whether the event has a type, or a version of it, that the programme does not know.
pub(super) fn newer_than(event: &Recorded, newest_version: NewestVersion) -> bool {
    newest_version(event.event_type()).is_none_or(|newest| event.schema_version() > newest)
}

impl Reader {
    /// The events up to the first that the reader has to leave to newer nodes: one of an unknown type, or
    /// of an unknown version of a type that it wants.
    pub(super) fn known<'e>(
        &self,
        events: &'e [Recorded],
        newest_version: NewestVersion,
    ) -> (&'e [Recorded], Option<UnknownEvent>) {
        let stops = |event: &Recorded| {
            newer_than(event, newest_version)
                && (self.reads(event) || newest_version(event.event_type()).is_none())
        };
        let first = events.iter().position(|event| !self.takes_unknown() && stops(event));
        let Some((known, rest)) = first.and_then(|first| events.split_at_checked(first)) else {
            return (events, None);
        };
        let unknown = rest.first().map(|event| UnknownEvent {
            position: event.position(),
            event_type: event.event_type().to_owned(),
            version: event.schema_version(),
        });
        (known, unknown)
    }
}
