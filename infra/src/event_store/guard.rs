//! A decision on a stream that a command does not write to, which must still hold when its events are appended.

use std::fmt;
use std::sync::Arc;

use domain::TenantId;
use uuid::Uuid;

pub use super::append::rows::GuardedStream;
use super::error::ExecuteError;
use super::load::state::{LoadError, Stored};
use super::load::streams::{Freshness, Streams};
use super::step::{CommandOf, LoadedStream, StepCommand};

/// A command that answers no event, or a reason against the whole request. The append expects that its
/// stream has no later event; where it has, the guard is decided again.
#[derive(Clone)]
pub struct Guard {
    tenant: TenantId,
    stream: Uuid,
    check: Arc<dyn StepCommand>,
}

impl Guard {
    /// A command for the aggregate of this stream, which may be of another tenant than the request's.
    pub fn new<A: Stored>(tenant: TenantId, stream: Uuid, command: A::Command) -> Self {
        Self { tenant, stream, check: Arc::new(CommandOf::<A>(command)) }
    }

    pub(super) async fn decide(
        &self,
        streams: &Streams,
        freshness: Freshness,
    ) -> Result<Decided, LoadError> {
        let loaded = self.check.load(streams, self.tenant, self.stream, freshness).await?;
        let refused = self.check.check(&loaded).err();
        let LoadedStream { stream, before, fresh, state } = loaded;
        let on = GuardedStream { stream, version: before, after: state.through };
        Ok(Decided { on, fresh, refused })
    }

    /// Decides on the newest state, and says which it was.
    pub(super) async fn decided_on(
        &self,
        streams: &Streams,
    ) -> Result<GuardedStream, ExecuteError> {
        let Decided { on, refused, .. } = self.decide(streams, Freshness::Fresh).await?;
        refused.map_or(Ok(on), Err)
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Guard({})", self.stream)
    }
}

/// A guard, as it was decided.
pub(super) struct Decided {
    pub on: GuardedStream,
    /// Whether it was decided on the newest state.
    pub fresh: bool,
    pub refused: Option<ExecuteError>,
}
