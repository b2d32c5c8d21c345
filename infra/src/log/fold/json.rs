//! What stands in a row, as JSON: in the form in which it goes to PostgreSQL.

use std::error::Error as StdError;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value as Json;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};
use uuid::Uuid;

use super::FoldError;
use crate::log::Value;
use crate::log::projection::Row;
use crate::postgres::PgError;

type Unfit = Box<dyn StdError + Sync + Send>;

/// A row by the names of its columns.
pub(super) fn row<R: Row>(row: &R) -> Result<Json, FoldError> {
    let columns = R::columns();
    let columns = columns.iter().zip(row.values());
    columns.map(|((name, of), value)| Ok(((*name).to_owned(), column(value, of)?))).collect()
}

/// A key, for people.
pub(super) fn text<K: Value>(key: &K) -> Result<String, FoldError> {
    let key = column(key.sql(), &K::TYPE)?;
    Ok(key.as_str().map_or_else(|| key.to_string(), str::to_owned))
}

fn column(value: &(dyn ToSql + Sync), of: &Type) -> Result<Json, FoldError> {
    let Some(bytes) = encoded(value, of)? else { return Ok(Json::Null) };
    decoded(of, &bytes).map_err(unfit)
}

/// The bytes that PostgreSQL would be sent; `None`: null.
pub(super) fn encoded(
    value: &(dyn ToSql + Sync),
    of: &Type,
) -> Result<Option<BytesMut>, FoldError> {
    let mut bytes = BytesMut::new();
    match value.to_sql_checked(of, &mut bytes).map_err(unfit)? {
        IsNull::Yes => Ok(None),
        IsNull::No => Ok(Some(bytes)),
    }
}

fn unfit(error: Unfit) -> FoldError {
    PgError::Database(format!("a value of a row fits no column: {error}")).into()
}

fn decoded(of: &Type, bytes: &[u8]) -> Result<Json, Unfit> {
    Ok(match *of {
        Type::BOOL => bool::from_sql(of, bytes)?.into(),
        Type::INT2 => i16::from_sql(of, bytes)?.into(),
        Type::INT8 => i64::from_sql(of, bytes)?.into(),
        Type::TEXT => String::from_sql(of, bytes)?.into(),
        Type::BYTEA => STANDARD.encode(bytes).into(),
        Type::UUID => Uuid::from_sql(of, bytes)?.to_string().into(),
        Type::UUID_ARRAY => {
            let ids = Vec::<Uuid>::from_sql(of, bytes)?;
            ids.iter().map(Uuid::to_string).collect()
        }
        Type::TIMESTAMPTZ => {
            let time = DateTime::<Utc>::from_sql(of, bytes)?;
            time.to_rfc3339_opts(SecondsFormat::AutoSi, true).into()
        }
        Type::JSON => serde_json::from_slice(bytes)?,
        _ => return Err(format!("no column of a read model is {of}").into()),
    })
}

#[cfg(test)]
mod tests {
    use domain::AccountId;
    use serde_json::json;

    use super::*;
    use crate::log::Json as AsJson;

    crate::row! {
        /// One column of each type.
        pub struct Everything {
            pub id: AccountId,
            pub yes: bool,
            pub small: i16,
            pub text: Option<String>,
            pub bytes: Vec<u8>,
            pub ids: Vec<Uuid>,
            pub at: DateTime<Utc>,
            pub json: AsJson<Vec<u8>>,
            pub position: i64,
        }
    }

    #[test]
    fn each_type_of_a_column_is_shown() {
        let id = Uuid::from_u128(7);
        let everything = Everything {
            id: AccountId(id),
            yes: true,
            small: -2,
            text: None,
            bytes: vec![0, 255],
            ids: vec![id],
            at: DateTime::UNIX_EPOCH,
            json: AsJson(vec![1]),
            position: 9,
        };

        let shown = row(&everything).unwrap();

        let wanted = json!({
            "id": id, "yes": true, "small": -2, "text": null, "bytes": "AP8=", "ids": [id],
            "at": "1970-01-01T00:00:00Z", "json": [1], "position": 9
        });
        assert_eq!(shown, wanted);
        assert_eq!(text(&AccountId(id)).unwrap(), id.to_string());
        assert_eq!(text(&-3_i64).unwrap(), "-3");
    }
}
