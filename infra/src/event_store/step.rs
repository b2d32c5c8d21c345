//! One aggregate's part of a command.

use std::sync::Arc;

use async_trait::async_trait;
use domain::TenantId;
use uuid::Uuid;

use super::append::draft::{Draft, Place};
use super::error::ExecuteError;
use super::load::state::{LoadError, Loaded, Stored, StreamState};
use super::load::streams::{Freshness, Known, Streams};

/// A command for one aggregate. Several steps are one append: all of them, or none.
pub struct Step {
    pub(super) stream: Uuid,
    /// One of these versions; `None`: any.
    pub(super) expecting: Option<Vec<i64>>,
    pub(super) command: Box<dyn StepCommand>,
}

impl Step {
    /// A command for the aggregate of this stream, at any version.
    pub fn new<A: Stored>(stream: Uuid, command: A::Command) -> Self {
        Self { stream, expecting: None, command: Box::new(CommandOf::<A>(command)) }
    }

    /// Refused with `ExecuteError::Stale` when the stream is at another version; 0 expects that it
    /// has no event.
    #[must_use]
    pub fn expecting(self, version: i64) -> Self {
        self.expecting_one_of(Some(vec![version]))
    }

    /// As [`Self::expecting`], of several versions; `None` expects nothing.
    #[must_use]
    pub fn expecting_one_of(mut self, versions: Option<Vec<i64>>) -> Self {
        self.expecting = versions;
        self
    }
}

/// A stream that a command is decided on.
pub(super) struct LoadedStream {
    pub stream: Uuid,
    /// Its version before the command.
    pub before: i64,
    /// Whether `before` is the newest version.
    pub fresh: bool,
    /// The state after the steps that are decided so far.
    pub state: StreamState,
}

/// The command of a step, for an aggregate of any type.
#[async_trait]
pub(super) trait StepCommand: Send + Sync {
    async fn load(
        &self,
        streams: &Streams,
        tenant: TenantId,
        stream: Uuid,
        freshness: Freshness,
    ) -> Result<LoadedStream, LoadError>;

    /// Decides, drafts the events, and applies them to the state.
    async fn decide(
        &self,
        draft: &mut Draft<'_>,
        loaded: &mut LoadedStream,
    ) -> Result<(), ExecuteError>;

    /// Decides, for a guard: it may answer no event.
    fn check(&self, loaded: &LoadedStream) -> Result<(), ExecuteError>;

    /// Puts the state into the cache, once its events are appended.
    fn cache(&self, streams: &Streams, tenant: TenantId, loaded: LoadedStream);
}

pub(super) struct CommandOf<A: Stored>(pub A::Command);

#[async_trait]
impl<A: Stored> StepCommand for CommandOf<A> {
    async fn load(
        &self,
        streams: &Streams,
        tenant: TenantId,
        stream: Uuid,
        freshness: Freshness,
    ) -> Result<LoadedStream, LoadError> {
        let Known { loaded, fresh, through } = streams.load::<A>(tenant, stream, freshness).await?;
        let before = loaded.version;
        let state = StreamState { through, ..loaded.into() };
        Ok(LoadedStream { stream, before, fresh, state })
    }

    async fn decide(
        &self,
        draft: &mut Draft<'_>,
        loaded: &mut LoadedStream,
    ) -> Result<(), ExecuteError> {
        let LoadedStream { stream, before, .. } = *loaded;
        let known = loaded.state.clone().typed::<A>();
        let Loaded { mut state, mut version, position } =
            known.ok_or(LoadError::WrongType { stream, stream_type: A::TYPE })?;
        for event in state.decide(self.0.clone()).map_err(Into::into)? {
            let expected = (version == before).then_some(before);
            version += 1;
            let place = Place { stream_type: A::TYPE, stream, version, expected };
            let event = draft.add(place, event).await?;
            Arc::make_mut(&mut state).apply(event);
        }
        loaded.state = Loaded { state, version, position }.into();
        Ok(())
    }

    fn check(&self, loaded: &LoadedStream) -> Result<(), ExecuteError> {
        let LoadedStream { stream, .. } = *loaded;
        let known = loaded.state.clone().typed::<A>();
        let known = known.ok_or(LoadError::WrongType { stream, stream_type: A::TYPE })?;
        if known.state.decide(self.0.clone()).map_err(Into::into)?.is_empty() {
            return Ok(());
        }
        Err(ExecuteError::Unavailable("a guard must be a command without events".to_owned()))
    }

    fn cache(&self, streams: &Streams, tenant: TenantId, loaded: LoadedStream) {
        let LoadedStream { stream, before, state, .. } = loaded;
        let events = state.version - before;
        streams.cache.put(tenant, A::TYPE, stream, state.clone());
        if let Some(loaded) = state.typed::<A>() {
            streams.snapshots.take_after_append((tenant, stream), &loaded, events);
        }
    }
}
