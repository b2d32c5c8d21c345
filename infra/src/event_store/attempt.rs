//! One attempt at a command: stand, decide, append.

use domain::TenantId;
use uuid::Uuid;

use super::append::{Answer, Append, Reached};
use super::draft::Draft;
use super::executor::{Executor, Inner};
use super::queue::Unanswered;
use super::step::Standing;
use super::streams::Sight;
use super::{ExecuteError, LoadError, Receipt, Request, ReservationChange, Step};
use crate::keyring::RequestMacs;

/// What one attempt came to.
pub(super) enum Attempt {
    Done(Receipt),
    /// Decided on what the cache had: to be decided again before it is told.
    Stale,
    Conflict,
    /// Decided on the newest state. Told, unless the command was answered before.
    Refused(ExecuteError),
    Unchanged(Vec<i64>),
}

/// A stream that a command touches.
struct Touched {
    stream: Uuid,
    before: i64,
    fresh: bool,
    standing: Standing,
}

impl Executor {
    pub(super) async fn attempt(
        &self,
        request: &Request,
        steps: &[Step],
        macs: Option<RequestMacs>,
        sight: Sight,
    ) -> Result<Attempt, ExecuteError> {
        let Inner { streams, keyring, .. } = &*self.0;
        let mut draft = Draft { keyring, request, events: Vec::with_capacity(steps.len()) };
        let mut touched: Vec<Touched> = Vec::with_capacity(steps.len());
        for step in steps {
            if !touched.iter().any(|known| known.stream == step.stream) {
                let standing = step.ask.stand(streams, request.tenant, step.stream, sight).await?;
                let (standing, fresh) = standing;
                let (stream, before) = (step.stream, standing.version);
                touched.push(Touched { stream, before, fresh, standing });
            }
            let known = touched.iter_mut().find(|known| known.stream == step.stream);
            let Some(known) = known else { return Ok(Attempt::Conflict) };
            let refused = match step.expecting {
                Some(version) if version != known.before => {
                    Err(ExecuteError::Stale { version: known.before })
                }
                _ => {
                    let decided =
                        step.ask.decide(&mut draft, step.stream, known.before, &mut known.standing);
                    decided.await
                }
            };
            if let Err(refused) = refused {
                let fresh = touched.iter().all(|known| known.fresh);
                return Ok(if fresh { Attempt::Refused(refused) } else { Attempt::Stale });
            }
        }
        if draft.events.is_empty() {
            let fresh = touched.iter().all(|known| known.fresh);
            let versions = versions(steps, &touched, &[]);
            return Ok(if fresh { Attempt::Unchanged(versions) } else { Attempt::Stale });
        }
        let append = draft.append(macs)?;
        self.append(request, steps, append, touched).await
    }

    async fn append(
        &self,
        request: &Request,
        steps: &[Step],
        append: Append,
        touched: Vec<Touched>,
    ) -> Result<Attempt, ExecuteError> {
        match self.0.queue.append(append).await? {
            Answer::Appended { first, last } => {
                let versions = versions(steps, &touched, &[]);
                self.keep(request.tenant, steps, touched);
                Ok(Attempt::Done(Receipt { first, last, versions, replayed: false }))
            }
            Answer::Replayed { first, last, streams } => {
                let versions = versions(steps, &touched, &streams);
                Ok(Attempt::Done(Receipt { first, last, versions, replayed: true }))
            }
            Answer::Reused => Err(ExecuteError::Reused),
            Answer::Fenced => Err(ExecuteError::Fenced),
            Answer::Conflict => Ok(Attempt::Conflict),
            Answer::Reserved => Err(self.reserved(request).await?),
        }
    }

    fn keep(&self, tenant: TenantId, steps: &[Step], touched: Vec<Touched>) {
        for Touched { stream, before, standing, .. } in touched {
            let events = standing.version - before;
            if let Some(step) = steps.iter().find(|step| step.stream == stream) {
                step.ask.keep(&self.0.streams, tenant, stream, events, standing);
            }
        }
    }

    /// Which reservation another owner has.
    async fn reserved(&self, request: &Request) -> Result<ExecuteError, LoadError> {
        let mut taken = None;
        for reservation in &request.reservations {
            if let ReservationChange::Take { kind, blind_index, owner } = reservation {
                let other = self.reservation_owner(kind, blind_index).await?;
                if other.is_some_and(|other| other != *owner) {
                    return Ok(ExecuteError::Reserved { kind: kind.clone() });
                }
                taken = taken.or(Some(kind));
            }
        }
        Ok(ExecuteError::Reserved { kind: taken.cloned().unwrap_or_default() })
    }
}

impl From<Unanswered> for ExecuteError {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Overloaded => Self::Overloaded,
            Unanswered::Unavailable(reason) => Self::Unavailable(reason),
        }
    }
}

/// For each step its stream's version: what it `reached` then, else where it stands now.
fn versions(steps: &[Step], touched: &[Touched], reached: &[Reached]) -> Vec<i64> {
    let version = |step: &Step| {
        let then = reached.iter().find(|known| known.stream_id == step.stream);
        let now = touched.iter().find(|known| known.stream == step.stream);
        then.map(|known| known.version).or(now.map(|known| known.standing.version))
    };
    steps.iter().map(|step| version(step).unwrap_or_default()).collect()
}
