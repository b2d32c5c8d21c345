//! The log as an event store of `cqrs_es`, for code that is written against its traits.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use cqrs_es::{AggregateContext, AggregateError, EventEnvelope, EventStore};
use domain::{ActorId, CommandId, EventId, SessionId, TenantId};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::append::draft::{Draft, Place};
use super::error::ExecuteError;
use super::executor::Executor;
use super::load::state::{LoadError, Stored};
use super::load::streams::{LOAD_AFTER, decode};
use super::request::Request;

/// One tenant's streams of one aggregate, as an `EventStore` of `cqrs_es`: see `Executor::cqrs`.
///
/// Aggregate ids are the text of the stream's UUID. Events are returned as the log has them: their
/// personal fields are sealed.
#[derive(Clone)]
pub struct CqrsStore<A> {
    executor: Executor,
    tenant: TenantId,
    of: PhantomData<fn() -> A>,
}

/// An aggregate between its load and its commit, at the version that the commit expects.
pub struct CqrsContext<A> {
    stream: Uuid,
    aggregate: A,
    version: i64,
}

type Refusal<A> = AggregateError<<A as cqrs_es::Aggregate>::Error>;

impl<A: Stored> AggregateContext<A> for CqrsContext<A> {
    fn aggregate(&mut self) -> &mut A {
        &mut self.aggregate
    }
}

impl Executor {
    /// A tenant's streams of the aggregate `A` for the framework of `cqrs_es`. It commits one
    /// aggregate, does not try again after a conflict, and returns no positions; `execute` does.
    ///
    /// The metadata must hold `command_id`, and may hold `actor`, `session`, `request`,
    /// `correlation` and `causation`; each is a UUID. Another version than the loaded one is an
    /// `AggregateConflict`.
    ///
    /// ```no_run
    /// use std::collections::HashMap;
    ///
    /// use cqrs_es::{AggregateError, CqrsFramework};
    /// use domain::TenantId;
    /// use domain::operator::{Operator, OperatorCommand, OperatorError};
    /// use infra::event_store::Executor;
    /// use uuid::Uuid;
    ///
    /// async fn revoke(
    ///     executor: &Executor,
    ///     tenant: TenantId,
    ///     token: Uuid,
    ///     command: Uuid,
    /// ) -> Result<(), AggregateError<OperatorError>> {
    ///     let operators = CqrsFramework::new(executor.cqrs::<Operator>(tenant), vec![], ());
    ///     let metadata = HashMap::from([("command_id".to_owned(), command.to_string())]);
    ///     let revoke = OperatorCommand::RevokeToken;
    ///     operators.execute_with_metadata(&token.to_string(), revoke, metadata).await
    /// }
    /// ```
    pub fn cqrs<A: Stored>(&self, tenant: TenantId) -> CqrsStore<A> {
        CqrsStore { executor: self.clone(), tenant, of: PhantomData }
    }
}

impl<A: Stored> EventStore<A> for CqrsStore<A> {
    type AC = CqrsContext<A>;

    async fn load_events(&self, aggregate_id: &str) -> Result<Vec<EventEnvelope<A>>, Refusal<A>> {
        let stream = parse::<A>(aggregate_id)?;
        self.read(stream).await.map_err(unreadable::<A>)
    }

    async fn load_aggregate(&self, aggregate_id: &str) -> Result<CqrsContext<A>, Refusal<A>> {
        let stream = parse::<A>(aggregate_id)?;
        let loaded = self.executor.load::<A>(self.tenant, stream).await.map_err(unreadable::<A>)?;
        let (state, version) = (loaded.state, loaded.version);
        Ok(CqrsContext { stream, aggregate: Arc::unwrap_or_clone(state), version })
    }

    async fn commit(
        &self,
        events: Vec<A::Event>,
        context: CqrsContext<A>,
        metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<A>>, Refusal<A>> {
        let request = request::<A>(self.tenant, &metadata)?;
        let appended = self.append(&request, events, &context).await.map_err(refused::<A>)?;
        let envelopes = appended.into_iter();
        Ok(envelopes
            .map(|(version, event)| envelope(context.stream, version, event, &metadata))
            .collect())
    }
}

impl<A: Stored> CqrsStore<A> {
    async fn read(&self, stream: Uuid) -> Result<Vec<EventEnvelope<A>>, LoadError> {
        let client = self.executor.0.appender.streams.pool.get().await?;
        let query = client.prepare_cached(LOAD_AFTER).await?;
        let of: [&(dyn ToSql + Sync); 5] = [&stream, &self.tenant.0, &A::TYPE, &0_i64, &0_i64];
        let rows = client.query(&query, &of).await?;
        let events = rows.iter().map(|row| {
            let event = decode(stream, row)?;
            Ok(envelope(stream, row.try_get(0)?, event, &HashMap::new()))
        });
        events.collect()
    }

    /// Returns the events as the log has them, sealed, with their versions.
    async fn append(
        &self,
        request: &Request,
        events: Vec<A::Event>,
        context: &CqrsContext<A>,
    ) -> Result<Vec<(i64, A::Event)>, ExecuteError> {
        let mut draft = Draft::new(&self.executor.0.appender.sealer, request, events.len());
        let mut sealed = Vec::with_capacity(events.len());
        for (event, version) in events.into_iter().zip(context.version + 1..) {
            let expected = sealed.is_empty().then_some(context.version);
            let place = Place { stream_type: A::TYPE, stream: context.stream, version, expected };
            sealed.push(draft.add(place, event).await?);
        }
        if sealed.is_empty() {
            return Ok(Vec::new());
        }
        let appended = self.executor.0.appender.append(draft, None).await?;
        let (appended, _) = appended.ok_or(ExecuteError::Conflict)?;
        Ok(appended.iter().map(|event| event.version).zip(sealed).collect())
    }
}

fn envelope<A: Stored>(
    stream: Uuid,
    version: i64,
    payload: A::Event,
    metadata: &HashMap<String, String>,
) -> EventEnvelope<A> {
    let sequence = usize::try_from(version).unwrap_or_default();
    EventEnvelope {
        aggregate_id: stream.to_string(),
        sequence,
        payload,
        metadata: metadata.clone(),
    }
}

fn request<A: Stored>(
    tenant: TenantId,
    metadata: &HashMap<String, String>,
) -> Result<Request, Refusal<A>> {
    let id = |key: &str| metadata.get(key).map(|id| parse::<A>(id)).transpose();
    let command = id("command_id")?.ok_or_else(|| unexpected::<A>("metadata has no command_id"))?;
    Ok(Request {
        actor: id("actor")?.map(ActorId),
        session: id("session")?.map(SessionId),
        request: id("request")?,
        correlation: id("correlation")?,
        causation: id("causation")?.map(EventId),
        ..Request::new(tenant, CommandId(command))
    })
}

fn parse<A: Stored>(id: &str) -> Result<Uuid, Refusal<A>> {
    id.parse().map_err(unexpected::<A>)
}

fn unexpected<A: Stored>(
    reason: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Refusal<A> {
    AggregateError::UnexpectedError(reason.into())
}

fn unreadable<A: Stored>(error: LoadError) -> Refusal<A> {
    match error {
        LoadError::Postgres(error) => AggregateError::DatabaseConnectionError(error.into()),
        error @ (LoadError::Undecodable { .. }
        | LoadError::Missing { .. }
        | LoadError::WrongType { .. }) => AggregateError::DeserializationError(error.into()),
    }
}

fn refused<A: Stored>(error: ExecuteError) -> Refusal<A> {
    if matches!(error, ExecuteError::Conflict) {
        AggregateError::AggregateConflict
    } else {
        AggregateError::UnexpectedError(error.into())
    }
}
