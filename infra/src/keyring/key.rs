//! What a key is the key of.

use chrono::{Datelike, NaiveDate};
use domain::SubjectId;
use domain::privacy::{Bucket, Class};
use uuid::Uuid;

use super::crypto::framed;

/// The families of keys. The names stand in rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Subject,
    Bucket,
    EmailIndex,
    RequestMac,
    Link,
    /// Not a row of keys: in the list of what nodes drop, a root.
    Root,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Subject, Self::Bucket, Self::EmailIndex, Self::RequestMac, Self::Link, Self::Root];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Bucket => "bucket",
            Self::EmailIndex => "email_index",
            Self::RequestMac => "request_mac",
            Self::Link => "link",
            Self::Root => "root",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One key: a row's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct KeyId {
    pub kind: Kind,
    /// Nil where the key is nobody's.
    pub subject: Uuid,
    /// 0 where there is none.
    pub class: i16,
    /// A generation, or the days since 1970-01-01 to a period's first.
    pub number: i64,
}

impl KeyId {
    pub const fn subject(subject: SubjectId, class: Class, generation: i64) -> Self {
        Self { kind: Kind::Subject, subject: subject.0, class: class.number(), number: generation }
    }

    pub const fn bucket(class: Class, bucket: i64) -> Self {
        Self { kind: Kind::Bucket, subject: Uuid::nil(), class: class.number(), number: bucket }
    }

    pub const fn named(kind: Kind, number: i64) -> Self {
        Self { kind, subject: Uuid::nil(), class: 0, number }
    }

    /// What the wrapped bytes of the row are bound to.
    pub fn identity(&self) -> Vec<u8> {
        framed(&[
            b"lethe key 1",
            self.kind.name().as_bytes(),
            self.subject.as_bytes(),
            &self.class.to_be_bytes(),
            &self.number.to_be_bytes(),
        ])
    }
}

/// Days since 1970-01-01.
pub(super) fn day(date: NaiveDate) -> i64 {
    i64::from(date.num_days_from_ce()) - i64::from(NaiveDate::default().num_days_from_ce())
}

pub(super) fn date(day: i64) -> Option<NaiveDate> {
    let day = i32::try_from(day).ok()?;
    NaiveDate::from_num_days_from_ce_opt(day.checked_add(NaiveDate::default().num_days_from_ce())?)
}

/// The first day of the bucket that `date` falls into; none for a class without buckets.
pub(super) fn bucket_start(class: Class, date: NaiveDate) -> Option<NaiveDate> {
    match class.bucket()? {
        Bucket::Day => Some(date),
        Bucket::Month => date.with_day(1),
    }
}

/// The first day after the bucket that starts on `start`.
pub(super) fn bucket_end(class: Class, start: NaiveDate) -> Option<NaiveDate> {
    match class.bucket()? {
        Bucket::Day => start.succ_opt(),
        Bucket::Month => start.checked_add_months(chrono::Months::new(1)),
    }
}
