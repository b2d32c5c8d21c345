//! The state of a stream: typed for its readers, untyped for the cache.

use std::any::Any;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{AggregateRoot, DecodeError, Event, Refused};
use uuid::Uuid;

use crate::postgres::PgError;

/// An aggregate that the event store keeps. Every aggregate of `domain` is one: the trait only
/// gathers the bounds.
pub trait Stored:
    AggregateRoot<Event: Event, Command: Clone + Send + Sync, Error: Into<Refused>> + Clone + 'static
{
}

impl<A> Stored for A where
    A: AggregateRoot<Event: Event, Command: Clone + Send + Sync, Error: Into<Refused>>
        + Clone
        + 'static
{
}

/// The state of an aggregate after the first `version` events of its stream. Its personal fields
/// are sealed.
#[derive(Clone, Debug)]
pub struct Loaded<A> {
    /// The state; the aggregate's default when the stream has no event.
    pub state: Arc<A>,
    /// The number of the stream's newest event, from 1; 0 when the stream has no event.
    pub version: i64,
    /// The position of that event in the log; 0 when the stream has no event.
    pub position: i64,
}

impl<A: Stored> Loaded<A> {
    /// The state of a stream without events.
    pub(in crate::event_store) fn empty() -> Self {
        Self { state: Arc::new(A::default()), version: 0, position: 0 }
    }
}

/// How much of a stream is read.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// The events that were recorded by then.
    Time(DateTime<Utc>),
    /// The events up to and with this version.
    Version(i64),
}

/// A state of any aggregate. The step that loaded it knows the type.
pub type AnyState = Arc<dyn Any + Send + Sync>;

/// The untyped form of `Loaded`.
#[derive(Clone)]
pub struct StreamState {
    pub state: AnyState,
    pub version: i64,
    pub position: i64,
    /// The log has no other event of the stream at or before this position.
    pub through: i64,
}

impl StreamState {
    /// `None` when it is the state of another aggregate.
    pub fn typed<A: Stored>(self) -> Option<Loaded<A>> {
        let state = self.state.downcast::<A>().ok()?;
        Some(Loaded { state, version: self.version, position: self.position })
    }
}

impl<A: Stored> From<Loaded<A>> for StreamState {
    fn from(loaded: Loaded<A>) -> Self {
        let Loaded { state, version, position } = loaded;
        Self { state, version, position, through: position }
    }
}

/// Why a stream cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The database cannot be reached, or refused the statement.
    #[error(transparent)]
    Postgres(#[from] PgError),
    /// An event of the stream has a type, a version or a shape that this version of Lethe does not know.
    #[error("stream {stream} cannot be read at version {version}: {reason}")]
    Undecodable {
        /// The stream.
        stream: Uuid,
        /// The event's number in its stream.
        version: i64,
        /// What is wrong with the event.
        reason: DecodeError,
    },
    /// A version is missing between two others: the log is damaged.
    #[error("stream {stream} lacks version {version}")]
    Missing {
        /// The stream.
        stream: Uuid,
        /// The first version that is missing.
        version: i64,
    },
    /// Two steps of one command name the same stream, but different aggregates.
    #[error("stream {stream} is of another aggregate than {stream_type}")]
    WrongType {
        /// The stream.
        stream: Uuid,
        /// The aggregate that the step names.
        stream_type: &'static str,
    },
}

impl LoadError {
    /// Whether this stream cannot be read, whatever is tried: others can.
    pub const fn is_of_stream(&self) -> bool {
        match self {
            Self::Undecodable { .. } | Self::Missing { .. } | Self::WrongType { .. } => true,
            Self::Postgres(_) => false,
        }
    }
}

impl From<tokio_postgres::Error> for LoadError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error.into())
    }
}

impl From<crate::postgres::PoolError> for LoadError {
    fn from(error: crate::postgres::PoolError) -> Self {
        Self::Postgres(error.into())
    }
}
