//! The result of a command: which events were appended, and at which positions.

use domain::EventId;
use uuid::Uuid;

/// An event that a command appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendedEvent {
    /// The event's id. No other place derives one.
    pub id: EventId,
    /// Its number in the whole log, from 1.
    pub position: i64,
    /// The stream that it belongs to.
    pub stream: Uuid,
    /// Its number in its stream, from 1.
    pub version: i64,
}

/// The result of a command. A repeated command gets the same events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// No step changed anything: nothing was appended.
    Unchanged {
        /// For each step, its stream's version.
        versions: Vec<i64>,
    },
    /// One append, of one event or more.
    Appended {
        /// For each step, its stream's version after the append.
        versions: Vec<i64>,
        /// In the order of their positions, which are dense.
        events: Vec<AppendedEvent>,
        /// `true` when an earlier call with this command id appended them.
        replayed: bool,
    },
}

impl Receipt {
    pub(super) fn of_earlier(events: Vec<AppendedEvent>) -> Self {
        let mut last: Vec<(Uuid, i64)> = Vec::new();
        for event in &events {
            match last.iter_mut().find(|(stream, _)| *stream == event.stream) {
                Some((_, version)) => *version = event.version,
                None => last.push((event.stream, event.version)),
            }
        }
        let versions = last.into_iter().map(|(_, version)| version).collect();
        Self::Appended { versions, events, replayed: true }
    }

    /// The appended events, in the order of their positions; empty when nothing changed.
    pub fn events(&self) -> &[AppendedEvent] {
        match self {
            Self::Unchanged { .. } => &[],
            Self::Appended { events, .. } => events,
        }
    }

    /// For each step, its stream's version afterwards.
    pub fn versions(&self) -> &[i64] {
        match self {
            Self::Unchanged { versions } | Self::Appended { versions, .. } => versions,
        }
    }

    /// The version of the first step's stream afterwards, as an `ETag` shows it; 0 without a step.
    pub fn version(&self) -> i64 {
        self.versions().first().copied().unwrap_or_default()
    }

    /// The position of the last appended event, which `Lethe-Position` stands for; `None` when nothing
    /// changed.
    pub fn position(&self) -> Option<i64> {
        self.events().last().map(|event| event.position)
    }

    /// Whether an earlier call with this command id appended the events.
    pub fn replayed(&self) -> bool {
        matches!(self, Self::Appended { replayed: true, .. })
    }

    /// The first event that the command appended to a stream: use it as the cause of later commands.
    /// `None`: it appended none.
    pub fn first_of(&self, stream: Uuid) -> Option<&AppendedEvent> {
        self.events().iter().find(|event| event.stream == stream)
    }

    /// The last event that the command appended to a stream; `None`: it appended none.
    pub fn last_of(&self, stream: Uuid) -> Option<&AppendedEvent> {
        self.events().iter().rfind(|event| event.stream == stream)
    }
}
