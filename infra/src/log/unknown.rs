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
    /// Whether a programme that knows these versions has to leave the reader to newer nodes at such an event:
    /// its type is unknown, or it is an unknown version of a type that the reader wants.
    pub(super) fn has_to_leave(
        &self,
        event_type: &str,
        version: i16,
        newest_version: NewestVersion,
    ) -> bool {
        let leaves = match newest_version(event_type) {
            None => true,
            Some(newest) => version > newest && self.reads_type(event_type),
        };
        leaves && !self.takes_unknown()
    }

    /// The events up to the first at which the reader has to be left to newer nodes.
    pub(super) fn known<'e>(
        &self,
        events: &'e [Recorded],
        newest_version: NewestVersion,
    ) -> (&'e [Recorded], Option<UnknownEvent>) {
        let first = events.iter().position(|event| {
            self.has_to_leave(event.event_type(), event.schema_version(), newest_version)
        });
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
