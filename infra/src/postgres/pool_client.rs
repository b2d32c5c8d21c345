//! A connection of a pool, and its transactions: one whose statement was given up is not handed out again.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use deadpool_postgres::ClientWrapper;
use tokio::sync::Semaphore;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Statement};

use super::PgError;
use super::destination::{Destination, drive};
use super::in_flight::InFlight;

/// Makes the connections of a pool.
pub struct Connector {
    destination: Destination,
    /// Whether statements are cancelled that nobody waits for; else they go on.
    cancels: bool,
    /// How many connections may be kept by those who take others meanwhile.
    pub(super) outer: Arc<Semaphore>,
}

impl Connector {
    pub(super) fn new(destination: Destination, cancels: bool, outer: usize) -> Self {
        Self { destination, cancels, outer: Arc::new(Semaphore::new(outer)) }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<connections>")
    }
}

impl fmt::Debug for PoolClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<connection>")
    }
}

impl Manager for Connector {
    type Type = PoolClient;
    type Error = PgError;

    async fn create(&self) -> Result<PoolClient, PgError> {
        // Else every future that gets a client would have room for this one.
        let (client, connection) = Box::pin(self.destination.connect()).await?;
        let cancel = self.cancels.then(|| (client.cancel_token(), self.destination.tls().clone()));
        let inner = ClientWrapper::new(client, tokio::spawn(drive(connection)));
        Ok(PoolClient { inner, in_flight: InFlight::new(cancel) })
    }

    async fn recycle(&self, client: &mut PoolClient, _: &Metrics) -> RecycleResult<PgError> {
        if client.in_flight.is_given_up() {
            return Err(RecycleError::message("a statement was given up"));
        }
        if client.is_closed() {
            return Err(RecycleError::message("the connection has ended"));
        }
        Ok(())
    }
}

/// A connection of a pool. Its statements are those of `tokio_postgres::Client`. If the future of one is
/// dropped before the answer, the statement is cancelled (unless the pool's options leave it), and
/// nobody gets the connection after this owner.
pub struct PoolClient {
    pub(super) inner: ClientWrapper,
    in_flight: InFlight,
}

/// A transaction on a [`PoolClient`]; dropped without a commit, it is rolled back.
pub struct Transaction<'a> {
    pub(super) inner: deadpool_postgres::Transaction<'a>,
    in_flight: &'a InFlight,
}

impl PoolClient {
    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn transaction(&mut self) -> Result<Transaction<'_>, Error> {
        let Self { inner, in_flight } = self;
        let inner = in_flight.watch(inner.transaction()).await?;
        Ok(Transaction { inner, in_flight })
    }

    pub(super) const fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }
}

impl Transaction<'_> {
    /// Begins a savepoint.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn transaction(&mut self) -> Result<Transaction<'_>, Error> {
        let Self { inner, in_flight } = self;
        let inner = in_flight.watch(inner.transaction()).await?;
        Ok(Transaction { inner, in_flight })
    }

    /// Commits, or releases the savepoint.
    ///
    /// # Errors
    /// It may be committed all the same.
    pub async fn commit(self) -> Result<(), Error> {
        self.in_flight.watch_end(self.inner.commit()).await
    }

    /// Rolls back now, where a drop leaves that to the connection's next statement.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn rollback(self) -> Result<(), Error> {
        self.in_flight.watch_end(self.inner.rollback()).await
    }

    /// Copies rows in: `copy` is a `copy … from stdin (format binary)`.
    ///
    /// # Errors
    /// The server refuses them. If it refuses the copy itself, as where a lock is waited for in vain, the connection
    /// ends then: `tokio-postgres` sends a `Sync` too many, whose answer belongs to nothing.
    pub async fn copy_rows<'v>(
        &self,
        copy: &Statement,
        types: &[Type],
        rows: impl Iterator<Item = Vec<&'v (dyn ToSql + Sync)>>,
    ) -> Result<(), Error> {
        let copying = async {
            let sink = self.inner.copy_in(copy).await?;
            let mut writer = pin!(BinaryCopyInWriter::new(sink, types));
            for row in rows {
                writer.as_mut().write(&row).await?;
            }
            writer.finish().await.map(drop)
        };
        self.in_flight.watch(copying).await
    }

    pub(super) const fn in_flight(&self) -> &InFlight {
        self.in_flight
    }
}
