//! A command of Lethe itself, because of an event, a timer or an operator.

use domain::{ActorId, CommandId, EventId, Refused, TenantId};
use infra::event_store::{ExecuteError, Executor, Guard, Receipt, Request, Step, Stored};
use infra::ids::hashed;
use uuid::Uuid;

/// One append, without an actor unless one is given. Its command id is derived from its cause, so that it is appended once,
/// also if several nodes try it.
#[must_use]
pub(crate) struct SystemCommand {
    request: Request,
    steps: Vec<Step>,
}

impl SystemCommand {
    /// `cause` is hashed to the command id: a name for the command, and the ids that cause it. Never
    /// change it: the id of an earlier release would not be recognised.
    pub(crate) fn new(tenant: TenantId, cause: &[&[u8]]) -> Self {
        Self::with_id(tenant, hashed(cause))
    }

    /// For a command that may be appended each time.
    pub(crate) const fn with_id(tenant: TenantId, id: Uuid) -> Self {
        Self { request: Request::new(tenant, CommandId(id)), steps: Vec::new() }
    }

    /// The event that is recorded as the cause of the new events.
    pub(crate) const fn caused_by(mut self, event: Option<EventId>) -> Self {
        self.request.causation = event;
        self
    }

    /// As who it is recorded; `None`: as nobody.
    pub(crate) const fn by(mut self, actor: Option<ActorId>) -> Self {
        self.request.actor = actor;
        self
    }

    pub(crate) fn step<A: Stored>(self, stream: Uuid, command: A::Command) -> Self {
        self.with_step(Step::new::<A>(stream, command))
    }

    /// Adds a step that is refused as stale unless its stream is at `version`.
    pub(crate) fn step_at<A: Stored>(
        self,
        stream: Uuid,
        version: i64,
        command: A::Command,
    ) -> Self {
        self.with_step(Step::new::<A>(stream, command).expecting(version))
    }

    /// A decision on another stream that must hold when it is appended.
    pub(crate) fn guarded_by(mut self, guard: Guard) -> Self {
        self.request.guards.push(guard);
        self
    }

    fn with_step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Appends. `None`: there is nothing to do, since the subject is erased, or the command is
    /// refused for a reason that `is_settled` accepts.
    ///
    /// # Errors
    /// Any other refusal, and every failure of the append.
    pub(crate) async fn execute(
        self,
        executor: &Executor,
        is_settled: impl FnOnce(&Refused) -> bool,
    ) -> Result<Option<Receipt>, ExecuteError> {
        match executor.execute(&self.request, &self.steps).await {
            Ok(receipt) => Ok(Some(receipt)),
            Err(ExecuteError::Fenced) => Ok(None),
            Err(ExecuteError::Refused(refused)) if is_settled(&refused) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_id_depends_on_every_part_of_the_cause_and_stays_as_it_was() {
        let tenant = TenantId(Uuid::from_u128(1));
        let id = |cause: &[&[u8]]| SystemCommand::new(tenant, cause).request.command.0;
        let event = Uuid::from_u128(2);
        assert_eq!(id(&[b"seat.vacate", event.as_bytes()]), EXPECTED);
        assert_ne!(id(&[b"seat.vacate", tenant.0.as_bytes()]), EXPECTED);
        assert_ne!(id(&[b"seat.vacat", b"e", event.as_bytes()]), EXPECTED);
    }

    /// From the previous release: a changed id would append the same events twice.
    const EXPECTED: Uuid = Uuid::from_u128(0x8a45_4e2b_441f_8201_90b6_5627_8a9d_07ba);
}
