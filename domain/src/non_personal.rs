//! What may stand in an event beside its personal fields.

use uuid::Uuid;

/// What may stand in an event beside personal fields: an id, an enum, a number, a time.
/// A bare `String` is not: nobody could say whose it is.
pub trait NonPersonal {}

macro_rules! non_personal {
    ($($of:ty),*) => {$(impl $crate::NonPersonal for $of {})*};
}

non_personal!(bool, u16, u32, u64, i16, i32, i64, Uuid, chrono::DateTime<chrono::Utc>);

impl<T: NonPersonal> NonPersonal for Vec<T> {}
