//! One aggregate's part of a command.

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use domain::{Event, Refused, Root, TenantId};
use uuid::Uuid;

use super::draft::{Draft, Place};
use super::streams::{Sight, Streams};
use super::{ExecuteError, LoadError, Loaded};

/// An aggregate that the event store keeps.
pub trait Stored:
    Root<Event: Event, Command: Clone + Send + Sync, Error: Into<Refused>> + Clone + 'static
{
}

impl<A> Stored for A where
    A: Root<Event: Event, Command: Clone + Send + Sync, Error: Into<Refused>> + Clone + 'static
{
}

/// What one aggregate is asked. Several steps are one append: all of them, or none.
pub struct Step {
    pub(super) stream: Uuid,
    pub(super) expecting: Option<i64>,
    pub(super) ask: Box<dyn Ask>,
}

impl Step {
    pub fn new<A: Stored>(stream: Uuid, command: A::Command) -> Self {
        Self { stream, expecting: None, ask: Box::new(Asked::<A> { command }) }
    }

    /// Refused as stale when the stream stands at another version.
    #[must_use]
    pub fn expecting(mut self, version: i64) -> Self {
        self.expecting = Some(version);
        self
    }
}

/// A state whose type only its step knows.
pub(super) type AnyState = Arc<dyn Any + Send + Sync>;

/// Where a stream stands: its state after `version` events.
#[derive(Clone)]
pub(super) struct Standing {
    pub state: AnyState,
    pub version: i64,
}

#[async_trait]
pub(super) trait Ask: Send + Sync {
    /// Answers also whether it is as fresh as the call.
    async fn stand(
        &self,
        streams: &Streams,
        tenant: TenantId,
        stream: Uuid,
        sight: Sight,
    ) -> Result<(Standing, bool), LoadError>;

    /// Decides on `standing`, moves it on, and drafts what happened.
    async fn decide(
        &self,
        draft: &mut Draft<'_>,
        stream: Uuid,
        before: i64,
        standing: &mut Standing,
    ) -> Result<(), ExecuteError>;

    /// What stands by now: `events` of it are new.
    fn keep(
        &self,
        streams: &Streams,
        tenant: TenantId,
        stream: Uuid,
        events: i64,
        standing: Standing,
    );
}

struct Asked<A: Stored> {
    command: A::Command,
}

#[async_trait]
impl<A: Stored> Ask for Asked<A> {
    async fn stand(
        &self,
        streams: &Streams,
        tenant: TenantId,
        stream: Uuid,
        sight: Sight,
    ) -> Result<(Standing, bool), LoadError> {
        let (loaded, fresh) = streams.load::<A>(tenant, stream, sight).await?;
        Ok((Standing { state: loaded.state, version: loaded.version }, fresh))
    }

    async fn decide(
        &self,
        draft: &mut Draft<'_>,
        stream: Uuid,
        before: i64,
        standing: &mut Standing,
    ) -> Result<(), ExecuteError> {
        let state = Arc::clone(&standing.state).downcast::<A>();
        let mut state = state.map_err(|_| ExecuteError::Conflict)?;
        let told = state.decide(self.command.clone()).map_err(Into::into)?;
        for event in told {
            let version = standing.version + 1;
            let expected = (standing.version == before).then_some(before);
            let place = Place { stream_type: A::TYPE, stream, version, expected };
            let event = draft.tell(place, event).await?;
            Arc::make_mut(&mut state).apply(event);
            standing.version = version;
        }
        standing.state = state;
        Ok(())
    }

    fn keep(
        &self,
        streams: &Streams,
        tenant: TenantId,
        stream: Uuid,
        events: i64,
        standing: Standing,
    ) {
        let version = standing.version;
        streams.cache.put(tenant, A::TYPE, stream, standing.clone());
        if let Ok(state) = standing.state.downcast::<A>() {
            streams.snapshots.consider(stream, events, &Loaded { state, version });
        }
    }
}
