//! Reads the fields of a body or a query, and says of all at once which do not fit.

mod object;

use std::collections::BTreeMap;
use std::fmt::Display;

use chrono::{DateTime, Datelike, Utc};
use infra::credentials::Password;
use secrecy::SecretString;
use serde_json::Value;

use crate::api::http::answers::Unfit;
use crate::api::http::problem::{At, FieldError, Problem, ProblemKind};

pub use object::UnfitObject;

/// Of bodies with commands and secrets: as JSON a byte takes up to six.
pub const LARGE_BODY_BYTES_MAX: usize = 1024 * 1024;

/// What is read out of fields. It answers `None` when a field did not fit, which has been noted.
pub trait FromFields: Sized {
    /// Whether an empty body stands for one without fields.
    const EMPTY: bool = false;
    /// A longer body is refused unread.
    const BYTES_MAX: usize = 64 * 1024;
    /// Whether a cursor is among them.
    const PAGED: bool = false;

    fn read(fields: &mut Fields) -> Option<Self>;
}

/// A body or a query that has no fields.
pub struct Nothing;

impl FromFields for Nothing {
    const EMPTY: bool = true;

    fn read(_: &mut Fields) -> Option<Self> {
        Some(Self)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Body,
    Query,
}

/// The fields that have not been read yet, and what did not fit so far.
pub struct Fields {
    source: Source,
    left: BTreeMap<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// # Errors
    /// What is no JSON object, with its line and column, or does not fit.
    pub fn body<F: FromFields>(bytes: &[u8]) -> Result<F, Problem> {
        if F::EMPTY && bytes.is_empty() {
            return Self::read(Source::Body, BTreeMap::new(), vec![]);
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(map)) => Self::read(Source::Body, map.into_iter().collect(), vec![]),
            Ok(_) => {
                let whole =
                    FieldError::new(At::Pointer(String::new()), "the body must be a JSON object");
                Err(Problem::invalid(ProblemKind::BadBody, vec![whole]))
            }
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                let detail = format!("The JSON is malformed at line {line}, column {column}.");
                Err(Problem::new(ProblemKind::BadJson, detail))
            }
        }
    }

    /// The fields of a form on one of our pages: one that is left empty is absent.
    ///
    /// # Errors
    /// What does not fit.
    pub fn form<F: FromFields>(sent: &[(String, String)]) -> Result<F, Problem> {
        let filled = sent.iter().filter(|(_, value)| !value.is_empty());
        let fields = filled.map(|(name, value)| (name.clone(), Value::String(value.clone())));
        Self::read(Source::Body, fields.collect(), vec![])
    }

    /// # Errors
    /// What is no query, or does not fit.
    pub fn query<F: FromFields>(query: &str) -> Result<F, Problem> {
        let pairs = actix_web::web::Query::<Vec<(String, String)>>::from_query(query);
        let pairs = pairs.map_err(|_| Problem::of(ProblemKind::BadQuery))?.into_inner();
        let (mut left, mut errors) = (BTreeMap::new(), vec![]);
        for (name, value) in pairs {
            if left.insert(name.clone(), Value::String(value)).is_some() {
                errors.push(field_error(Source::Query, &name, "this must be given once"));
            }
        }
        Self::read(Source::Query, left, errors)
    }

    fn read<F: FromFields>(
        source: Source,
        left: BTreeMap<String, Value>,
        errors: Vec<FieldError>,
    ) -> Result<F, Problem> {
        let mut fields = Self { source, left, errors };
        let form = F::read(&mut fields);
        let Self { left, mut errors, .. } = fields;
        let unknown = match source {
            Source::Body => "there is no such field: remove it",
            Source::Query => "there is no such parameter: remove it",
        };
        errors.extend(left.keys().map(|name| field_error(source, name, unknown)));
        match form {
            Some(form) if errors.is_empty() => Ok(form),
            _ => Err(Problem::invalid(source.kind(), errors)),
        }
    }

    pub fn required<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let found = self.optional(name, read)?;
        if found.is_none() {
            self.errors.push(field_error(self.source, name, "this is required"));
        }
        found
    }

    /// `Some(None)` when the field is absent or null.
    #[allow(clippy::option_option, reason = "the outer one is whether it fits")]
    pub fn optional<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<Option<T>> {
        let value = self.left.remove(name).unwrap_or_default();
        if value.is_null() {
            return Some(None);
        }
        match read(&value) {
            Ok(value) => Some(Some(value)),
            Err(detail) => {
                self.errors.push(field_error(self.source, name, detail));
                None
            }
        }
    }
}

impl Fields {
    /// Notes that a field does not fit the others.
    pub fn refuse<T>(&mut self, name: &str, detail: &'static str) -> Option<T> {
        self.errors.push(field_error(self.source, name, detail));
        None
    }
}

/// What a `PATCH` says of a field that may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patch<T> {
    /// It is absent: the field stays.
    Keep,
    /// It is null.
    Clear,
    Set(T),
}

impl Fields {
    /// A field of a `PATCH` that null clears.
    pub fn patched<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<Patch<T>> {
        if !self.left.contains_key(name) {
            return Some(Patch::Keep);
        }
        Some(self.optional(name, read)?.map_or(Patch::Clear, Patch::Set))
    }

    /// A field of a `PATCH` that is never empty.
    #[allow(clippy::option_option, reason = "the outer one is whether it fits")]
    pub fn replaced<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<Option<T>> {
        match self.patched(name, read)? {
            Patch::Keep => Some(None),
            Patch::Set(value) => Some(Some(value)),
            Patch::Clear => {
                let detail = "this cannot be cleared: send another one, or leave it out";
                self.errors.push(field_error(self.source, name, detail));
                None
            }
        }
    }
}

impl Source {
    const fn kind(self) -> ProblemKind {
        match self {
            Self::Body => ProblemKind::BadBody,
            Self::Query => ProblemKind::BadQuery,
        }
    }
}

/// A name that the client chose may itself be personal: only plain names are repeated.
fn field_error(
    source: Source,
    name: &str,
    detail: impl Into<std::borrow::Cow<'static, str>>,
) -> FieldError {
    let plain = is_plain(name);
    let name = if plain { name } else { "" };
    let at = match source {
        Source::Body if plain => At::Pointer(format!("/{name}")),
        Source::Body => At::Pointer(String::new()),
        Source::Query => At::Parameter(name.to_owned()),
    };
    FieldError::new(at, detail)
}

fn is_plain(name: &str) -> bool {
    (1..=40).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A text that `parse` accepts.
pub fn text<T, E: Display>(
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> impl FnOnce(&Value) -> Result<T, String> {
    move |value| {
        let text = value.as_str().ok_or("this must be a string")?;
        parse(text).map_err(|error| error.to_string())
    }
}

/// A whole number between the two, as a schema has it: `2.0` is one (JSON Schema Validation, 6.1.1).
pub fn number(least: i64, most: i64) -> impl FnOnce(&Value) -> Result<i64, String> {
    move |value| within(value.as_i64().or_else(|| whole(value.as_f64()?)), least, most)
}

fn whole(number: f64) -> Option<i64> {
    if number.fract() == 0.0 { format!("{number:.0}").parse().ok() } else { None }
}

/// Yes or no.
pub fn flag(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "this must be true or false".to_owned())
}

/// The digits of one, as a query has them.
pub fn digits(least: i64, most: i64) -> impl FnOnce(&Value) -> Result<i64, String> {
    move |value| within(value.as_str().and_then(|digits| digits.parse().ok()), least, most)
}

fn within(number: Option<i64>, least: i64, most: i64) -> Result<i64, String> {
    let number = number.filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("this must be a whole number from {least} to {most}"))
}

/// One of the values of an enum, which `values` lists.
pub fn one_of<T: serde::de::DeserializeOwned>(
    values: &'static str,
) -> impl FnOnce(&Value) -> Result<T, String> {
    move |value| T::deserialize(value).map_err(|_| format!("this must be one of {values}"))
}

/// One of these texts.
pub fn choice(
    choices: &'static [&'static str],
) -> impl FnOnce(&Value) -> Result<&'static str, String> {
    move |value| {
        let found = choices.iter().find(|choice| value.as_str() == Some(**choice));
        found.copied().ok_or_else(|| format!("this must be one of {}", choices.join(", ")))
    }
}

/// A time of the years that PostgreSQL can store as well.
pub fn time(value: &Value) -> Result<DateTime<Utc>, String> {
    const FORM: &str = "this must be a time such as 2026-11-22T08:00:00Z, of the years 1 to 9999; \
                        in a query, the + of a time zone is written %2B";
    let time = value.as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok());
    time.filter(|time| (1..=9999).contains(&time.year())).ok_or_else(|| FORM.to_owned())
}

/// How [`times`] that run backwards are refused.
pub const RUNS_BACKWARDS: Unfit = ("to", "this must be later than `from`");

type Times = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// `from` and `to`: no range runs backwards.
pub fn times(fields: &mut Fields) -> Option<Times> {
    let from = fields.optional("from", time);
    let to = fields.optional("to", time);
    let (from, to) = (from?, to?);
    if from.zip(to).is_some_and(|(from, to)| to <= from) {
        let (name, why) = RUNS_BACKWARDS;
        return fields.refuse(name, why);
    }
    Some((from, to))
}

/// An id: whatever its own parser knows.
pub fn parsed<T: std::str::FromStr>(
    what: &'static str,
) -> impl FnOnce(&Value) -> Result<T, String> {
    move |value| {
        let parsed = value.as_str().and_then(|text| text.parse().ok());
        parsed.ok_or_else(|| format!("this must be {what}"))
    }
}

/// A password that is typed to prove who somebody is.
pub fn secret(value: &Value) -> Result<SecretString, String> {
    let text = value.as_str().filter(|text| !text.is_empty());
    text.map(SecretString::from).ok_or_else(|| "this must be a string that is not empty".to_owned())
}

/// A password that is chosen.
pub fn password(value: &Value) -> Result<Password, String> {
    Password::parse(secret(value)?).map_err(|error| error.to_string())
}
