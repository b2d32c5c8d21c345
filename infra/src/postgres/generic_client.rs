//! The statements of a connection of a pool, which are those of its transactions too.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{Stream, ready};
use tokio_postgres::types::{BorrowToSql, ToSql, Type};
use tokio_postgres::{Error, Row, RowStream, Statement, ToStatement};

use super::in_flight::Begun;
use super::pool::PooledClient;
use super::pool_client::{PoolClient, Transaction};
use crate::statement::Values;

/// A connection of a pool or a transaction on one. The methods are those of `tokio_postgres`.
#[allow(missing_docs, reason = "the sentence above says where they are described")]
pub trait GenericClient: Sync {
    /// Prepared once on each connection.
    fn prepare_cached(&self, sql: &str) -> impl Future<Output = Result<Statement, Error>> + Send;

    fn query<T>(
        &self,
        statement: &T,
        values: Values<'_>,
    ) -> impl Future<Output = Result<Vec<Row>, Error>> + Send
    where
        T: ?Sized + ToStatement + Sync;

    fn query_one<T>(
        &self,
        statement: &T,
        values: Values<'_>,
    ) -> impl Future<Output = Result<Row, Error>> + Send
    where
        T: ?Sized + ToStatement + Sync;

    fn query_opt<T>(
        &self,
        statement: &T,
        values: Values<'_>,
    ) -> impl Future<Output = Result<Option<Row>, Error>> + Send
    where
        T: ?Sized + ToStatement + Sync;

    fn execute<T>(
        &self,
        statement: &T,
        values: Values<'_>,
    ) -> impl Future<Output = Result<u64, Error>> + Send
    where
        T: ?Sized + ToStatement + Sync;
}

/// Rows one after another. Where it is dropped before the last one, its connection is not used again.
pub struct Rows<'a> {
    rows: Pin<Box<RowStream>>,
    begun: Option<Begun<'a>>,
}

impl<'a> Rows<'a> {
    fn new(rows: RowStream, begun: Begun<'a>) -> Self {
        Self { rows: Box::pin(rows), begun: Some(begun) }
    }
}

impl Stream for Rows<'_> {
    type Item = Result<Row, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.rows.as_mut().poll_next(context));
        if !matches!(next, Some(Ok(_)))
            && let Some(begun) = self.begun.take()
        {
            begun.end();
        }
        Poll::Ready(next)
    }
}

macro_rules! statements {
    ($client:ty) => {
        #[allow(missing_docs, clippy::missing_errors_doc, reason = "see GenericClient")]
        impl $client {
            pub async fn prepare_cached(&self, sql: &str) -> Result<Statement, Error> {
                self.in_flight().watch(self.inner.prepare_cached(sql)).await
            }

            pub async fn prepare(&self, sql: &str) -> Result<Statement, Error> {
                self.in_flight().watch(self.inner.prepare(sql)).await
            }

            pub async fn query<T: ?Sized + ToStatement>(
                &self,
                statement: &T,
                values: Values<'_>,
            ) -> Result<Vec<Row>, Error> {
                self.in_flight().watch(self.inner.query(statement, values)).await
            }

            pub async fn query_one<T: ?Sized + ToStatement>(
                &self,
                statement: &T,
                values: Values<'_>,
            ) -> Result<Row, Error> {
                self.in_flight().watch(self.inner.query_one(statement, values)).await
            }

            pub async fn query_opt<T: ?Sized + ToStatement>(
                &self,
                statement: &T,
                values: Values<'_>,
            ) -> Result<Option<Row>, Error> {
                self.in_flight().watch(self.inner.query_opt(statement, values)).await
            }

            pub async fn query_typed(
                &self,
                sql: &str,
                values: &[(&(dyn ToSql + Sync), Type)],
            ) -> Result<Vec<Row>, Error> {
                self.in_flight().watch(self.inner.query_typed(sql, values)).await
            }

            pub async fn query_raw<T, P, I>(
                &self,
                statement: &T,
                values: I,
            ) -> Result<Rows<'_>, Error>
            where
                T: ?Sized + ToStatement,
                P: BorrowToSql,
                I: IntoIterator<Item = P>,
                I::IntoIter: ExactSizeIterator,
            {
                let begun = self.in_flight().begin();
                match self.inner.query_raw(statement, values).await {
                    Ok(rows) => Ok(Rows::new(rows, begun)),
                    Err(error) => {
                        begun.end();
                        Err(error)
                    }
                }
            }

            pub async fn execute<T: ?Sized + ToStatement>(
                &self,
                statement: &T,
                values: Values<'_>,
            ) -> Result<u64, Error> {
                self.in_flight().watch(self.inner.execute(statement, values)).await
            }

            pub async fn batch_execute(&self, sql: &str) -> Result<(), Error> {
                self.in_flight().watch(self.inner.batch_execute(sql)).await
            }
        }
    };
}

macro_rules! generic {
    ($client:ty, $of:ident) => {
        impl GenericClient for $client {
            async fn prepare_cached(&self, sql: &str) -> Result<Statement, Error> {
                $of::prepare_cached(self, sql).await
            }

            async fn query<T: ?Sized + ToStatement + Sync>(
                &self,
                statement: &T,
                values: Values<'_>,
            ) -> Result<Vec<Row>, Error> {
                $of::query(self, statement, values).await
            }

            async fn query_one<T: ?Sized + ToStatement + Sync>(
                &self,
                statement: &T,
                values: Values<'_>,
            ) -> Result<Row, Error> {
                $of::query_one(self, statement, values).await
            }

            async fn query_opt<T: ?Sized + ToStatement + Sync>(
                &self,
                statement: &T,
                values: Values<'_>,
            ) -> Result<Option<Row>, Error> {
                $of::query_opt(self, statement, values).await
            }

            async fn execute<T: ?Sized + ToStatement + Sync>(
                &self,
                statement: &T,
                values: Values<'_>,
            ) -> Result<u64, Error> {
                $of::execute(self, statement, values).await
            }
        }
    };
}

statements!(PoolClient);
statements!(Transaction<'_>);
generic!(PoolClient, PoolClient);
generic!(PooledClient, PoolClient);
generic!(Transaction<'_>, Transaction);
