//! In which order a page of rows comes, and between which rows it stands.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// By when a row began, and of those of one time by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeOrder {
    /// The latest first.
    Newest,
    /// The earliest first.
    Oldest,
}

/// Where a row stands in either order.
pub type TimePlace = (DateTime<Utc>, Uuid);

impl TimeOrder {
    /// The places between which the rows are that come after `last`, both of them excluded; `None`: all rows.
    pub fn between(self, last: Option<TimePlace>) -> (TimePlace, TimePlace) {
        let first = (DateTime::UNIX_EPOCH, Uuid::nil());
        let end = (DateTime::from_timestamp(32_503_680_000, 0).unwrap_or_default(), Uuid::max());
        match self {
            Self::Newest => (first, last.unwrap_or(end)),
            Self::Oldest => (last.unwrap_or(first), end),
        }
    }

    /// Of a statement's two texts, which differ in their order alone, the one that comes in this order.
    pub const fn of(self, newest: &'static str, oldest: &'static str) -> &'static str {
        match self {
            Self::Newest => newest,
            Self::Oldest => oldest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_a_row_is_before_it_where_the_newest_come_first() {
        let last = (DateTime::from_timestamp(1_800_000_000, 0).unwrap(), Uuid::from_u128(7));
        let (from, to) = TimeOrder::Newest.between(None);
        assert!(from < last && last < to);
        assert_eq!(TimeOrder::Newest.between(Some(last)), (from, last));
        assert_eq!(TimeOrder::Oldest.between(Some(last)), (last, to));
    }
}
