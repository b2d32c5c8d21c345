//! The identity of a key.

use chrono::{Datelike, NaiveDate};
use domain::SubjectId;
use domain::privacy::{Bucket, Class};
use tokio_postgres::Row;
use uuid::Uuid;

use super::KeyringError;
use super::crypto::framed;

domain::named_enum! {
    /// The families of keys. Wrapped keys are bound to the name.
    #[derive(Hash)]
    pub(super) enum KeyKind {
        Subject = "subject",
        Bucket = "bucket",
        EmailIndex = "email_index",
        RequestMac = "request_mac",
        Link = "link",
        /// Not a row of keys: a root key, in the list of invalidations.
        Root = "root",
    }
}

/// One key: a row's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct KeyId {
    pub kind: KeyKind,
    /// Nil for a key that belongs to no subject.
    pub subject: Uuid,
    /// 0 for a key without a class.
    pub class: i16,
    /// A generation, or the days from 1970-01-01 to the first day of a period.
    pub number: i64,
}

impl KeyId {
    pub const fn subject(subject: SubjectId, class: Class, generation: i64) -> Self {
        let (kind, class) = (KeyKind::Subject, class.number());
        Self { kind, subject: subject.0, class, number: generation }
    }

    pub const fn bucket(class: Class, bucket: i64) -> Self {
        let (kind, class) = (KeyKind::Bucket, class.number());
        Self { kind, subject: Uuid::nil(), class, number: bucket }
    }

    /// A key that belongs to no subject and no class.
    pub const fn numbered(kind: KeyKind, number: i64) -> Self {
        Self { kind, subject: Uuid::nil(), class: 0, number }
    }

    pub fn from_row(row: &Row) -> Result<Self, KeyringError> {
        Ok(Self {
            kind: KeyKind::parse(row.try_get("kind")?).ok_or(KeyringError::Damaged)?,
            subject: row.try_get("subject")?,
            class: row.try_get("class")?,
            number: row.try_get("number")?,
        })
    }

    /// The bytes that the wrapped key of the row is bound to.
    pub fn identity(&self) -> Vec<u8> {
        framed(&[
            b"lethe key 1",
            self.kind.as_str().as_bytes(),
            self.subject.as_bytes(),
            &self.class.to_be_bytes(),
            &self.number.to_be_bytes(),
        ])
    }
}

/// Keys as the arrays of a statement.
pub(super) struct KeyColumns {
    pub kinds: Vec<&'static str>,
    pub subjects: Vec<Uuid>,
    pub classes: Vec<i16>,
    pub numbers: Vec<i64>,
}

impl KeyColumns {
    pub fn of(keys: &[KeyId]) -> Self {
        Self {
            kinds: keys.iter().map(|key| key.kind.as_str()).collect(),
            subjects: keys.iter().map(|key| key.subject).collect(),
            classes: keys.iter().map(|key| key.class).collect(),
            numbers: keys.iter().map(|key| key.number).collect(),
        }
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

/// The first day of the bucket of `date`; `None` for a class without buckets.
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
