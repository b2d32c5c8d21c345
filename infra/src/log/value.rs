//! What a column of a read model holds, and how it goes to PostgreSQL and back.

use std::error::Error as StdError;

use bytes::BytesMut;
use chrono::{DateTime, Utc};
use domain::{
    AccountId, ActorId, DeploymentId, EventId, RunId, ServerId, SessionId, TenantId, WorkspaceId,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_postgres::types::{IsNull, Json, ToSql, Type, to_sql_checked};
use tokio_postgres::{Error, Row};
use uuid::Uuid;

/// A type that a column of a read model may have.
pub trait Value: Sized + Send + Sync + 'static {
    /// PostgreSQL's type of the column.
    const TYPE: Type;
    /// # Errors
    /// A column of another type.
    fn read(row: &Row, at: usize) -> Result<Self, Error>;
    /// The value as a parameter of a statement.
    fn sql(&self) -> &(dyn ToSql + Sync);
}

macro_rules! values {
    ($($value:ty = $type:ident),* $(,)?) => {$(
        impl Value for $value {
            const TYPE: Type = Type::$type;
            fn read(row: &Row, at: usize) -> Result<Self, Error> {
                row.try_get(at)
            }
            fn sql(&self) -> &(dyn ToSql + Sync) {
                self
            }
        }

        impl Value for Option<$value> {
            const TYPE: Type = Type::$type;
            fn read(row: &Row, at: usize) -> Result<Self, Error> {
                row.try_get(at)
            }
            fn sql(&self) -> &(dyn ToSql + Sync) {
                self
            }
        }
    )*};
}

values! {
    bool = BOOL, i16 = INT2, i64 = INT8, String = TEXT, Vec<u8> = BYTEA, Vec<Uuid> = UUID_ARRAY,
    Uuid = UUID, DateTime<Utc> = TIMESTAMPTZ,
}

macro_rules! ids {
    ($($id:ident),*) => {$(
        impl Value for $id {
            const TYPE: Type = Type::UUID;
            fn read(row: &Row, at: usize) -> Result<Self, Error> {
                row.try_get(at).map(Self)
            }
            fn sql(&self) -> &(dyn ToSql + Sync) {
                &self.0
            }
        }

        impl Value for Option<$id> {
            const TYPE: Type = Type::UUID;
            fn read(row: &Row, at: usize) -> Result<Self, Error> {
                row.try_get::<_, Option<Uuid>>(at).map(|id| id.map($id))
            }
            fn sql(&self) -> &(dyn ToSql + Sync) {
                match self {
                    Some(id) => &id.0,
                    None => &None::<Uuid>,
                }
            }
        }
    )*};
}

ids!(AccountId, ActorId, DeploymentId, EventId, RunId, ServerId, SessionId, TenantId, WorkspaceId);

impl<T> Value for Json<T>
where
    T: Serialize + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    const TYPE: Type = Type::JSON;
    fn read(row: &Row, at: usize) -> Result<Self, Error> {
        row.try_get(at)
    }
    fn sql(&self) -> &(dyn ToSql + Sync) {
        self
    }
}

/// One value among many of its column, so that a column of any type can be sent as an array.
#[derive(Debug)]
pub(super) struct Cell<'a>(pub &'a (dyn ToSql + Sync));

impl ToSql for Cell<'_> {
    fn to_sql(
        &self,
        of: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        self.0.to_sql_checked(of, out)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
