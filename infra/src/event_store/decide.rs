//! One attempt at a command: load its streams, decide, append.

use domain::TenantId;
use uuid::Uuid;

use super::append::draft::Draft;
use super::append::lookup::look_up;
use super::append::outcome::AppendOutcome;
use super::append::queue::Queue;
use super::error::ExecuteError;
use super::guard::Decided;
use super::load::state::LoadError;
use super::load::streams::{Freshness, Streams};
use super::receipt::{AppendedEvent, Receipt};
use super::request::{Request, ReservationChange};
use super::step::{LoadedStream, Step};
use crate::keyring::{RequestMacs, Sealer};

const RESERVATION_OWNER: &str =
    "select owner from event_log.reservations where kind = $1 and blind_index = $2";
/// The decisions of a command's steps, each on the states after the earlier steps.
pub(super) struct Decision<'a> {
    pub draft: Draft<'a>,
    pub loaded: Vec<LoadedStream>,
    /// Whether all guards were decided on the newest states.
    guarded_fresh: bool,
    /// Why a guard or a step was refused; those after it were not decided.
    pub refused: Option<ExecuteError>,
}

impl Decision<'_> {
    pub fn appends(&self) -> bool {
        self.refused.is_none() && !self.draft.events.is_empty()
    }

    /// Whether it was decided on the newest states. A refusal that was not is decided again.
    pub fn is_fresh(&self) -> bool {
        self.guarded_fresh && self.loaded.iter().all(|known| known.fresh)
    }

    fn guard(&mut self, decided: Decided) {
        self.guarded_fresh &= decided.fresh;
        self.refused = decided.refused;
        self.draft.guards.push(decided.on);
    }

    async fn add(&mut self, step: &Step, mut loaded: LoadedStream) {
        let decided = match &step.expecting {
            Some(versions) if !versions.contains(&loaded.before) => {
                Err(ExecuteError::Stale { version: loaded.before })
            }
            Some(_) | None => step.command.decide(&mut self.draft, &mut loaded).await,
        };
        self.refused = decided.err();
        self.loaded.push(loaded);
    }
}

/// What one attempt at a command uses.
pub(super) struct Appender {
    pub streams: Streams,
    pub queue: Queue,
    pub sealer: Sealer,
}

impl Appender {
    pub async fn decide<'a>(
        &'a self,
        request: &'a Request,
        steps: &[Step],
        freshness: Freshness,
    ) -> Result<Decision<'a>, LoadError> {
        let draft = Draft::new(&self.sealer, request, steps.len());
        let loaded = Vec::with_capacity(steps.len());
        let mut decision = Decision { draft, loaded, guarded_fresh: true, refused: None };
        for guard in &request.guards {
            decision.guard(guard.decide(&self.streams, freshness).await?);
            if decision.refused.is_some() {
                return Ok(decision);
            }
        }
        for step in steps {
            let known = decision.loaded.iter().position(|known| known.stream == step.stream);
            let loaded = if let Some(at) = known {
                decision.loaded.swap_remove(at)
            } else {
                let (tenant, stream) = (request.tenant, step.stream);
                step.command.load(&self.streams, tenant, stream, freshness).await?
            };
            decision.add(step, loaded).await;
            if decision.refused.is_some() {
                break;
            }
        }
        Ok(decision)
    }

    /// Appends the decided events. `None`: the streams have changed since.
    pub async fn append(
        &self,
        draft: Draft<'_>,
        macs: Option<RequestMacs>,
    ) -> Result<Option<(Vec<AppendedEvent>, bool)>, ExecuteError> {
        let request = draft.request;
        let append = draft.finish(macs)?;
        let mut events = append.appended_after(0);
        match self.queue.append(append).await? {
            AppendOutcome::Appended { first, .. } => {
                for event in &mut events {
                    event.position += first - 1;
                }
                Ok(Some((events, false)))
            }
            AppendOutcome::Replayed { .. } => {
                let earlier = look_up(&self.streams.pool, request, macs).await?;
                Ok(earlier.map(|events| (events, true)))
            }
            AppendOutcome::Reused => Err(ExecuteError::Reused),
            AppendOutcome::Fenced => Err(ExecuteError::Fenced),
            AppendOutcome::Conflict => Ok(None),
            AppendOutcome::Reserved => match self.reserved_kind(request).await? {
                Some(kind) => Err(ExecuteError::Reserved { kind }),
                None => Ok(None),
            },
        }
    }

    /// Puts the states after an append into the cache.
    pub fn cache(
        &self,
        tenant: TenantId,
        steps: &[Step],
        loaded: Vec<LoadedStream>,
        receipt: &Receipt,
    ) {
        for mut loaded in loaded {
            if let Some(step) = steps.iter().find(|step| step.stream == loaded.stream) {
                if let Some(last) = receipt.last_of(loaded.stream) {
                    loaded.state.position = last.position;
                    loaded.state.through = last.position;
                }
                step.command.cache(&self.streams, tenant, loaded);
            }
        }
    }

    pub async fn reservation_owner(
        &self,
        kind: &str,
        blind_index: &[u8],
    ) -> Result<Option<Uuid>, LoadError> {
        let client = self.streams.pool.get().await?;
        let owner = client.prepare_cached(RESERVATION_OWNER).await?;
        let found = client.query_opt(&owner, &[&kind, &blind_index]).await?;
        Ok(found.map(|row| row.try_get(0)).transpose()?)
    }

    /// The first kind that the request takes and another owner has; `None` if it was released in the
    /// meantime.
    async fn reserved_kind(&self, request: &Request) -> Result<Option<String>, LoadError> {
        for reservation in &request.reservations {
            if let ReservationChange::Take { kind, blind_index, owner } = reservation {
                let other = self.reservation_owner(kind, blind_index).await?;
                if other.is_some_and(|other| other != *owner) {
                    return Ok(Some(kind.clone()));
                }
            }
        }
        Ok(None)
    }
}

/// The receipt of an append of these events, or of no events.
pub(super) fn receipt(
    steps: &[Step],
    loaded: &[LoadedStream],
    appended: Option<(Vec<AppendedEvent>, bool)>,
) -> Receipt {
    let (events, replayed) = appended.unwrap_or_default();
    let before = |stream: Uuid| loaded.iter().find(|known| known.stream == stream);
    let version = |step: &Step| {
        let last = events.iter().rfind(|event| event.stream == step.stream);
        let before = || before(step.stream).map(|known| known.before);
        last.map(|event| event.version).or_else(before).unwrap_or_default()
    };
    let versions = steps.iter().map(version).collect();
    if events.is_empty() {
        Receipt::Unchanged { versions }
    } else {
        Receipt::Appended { versions, events, replayed }
    }
}
