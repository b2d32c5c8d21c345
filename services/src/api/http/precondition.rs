//! `ETag` and If-Match (RFC 9110): the tag is the version of the stream.

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};
use infra::event_store::{ExecuteError, Step};
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::api::auth::path_resources::PathAggregate;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::schemas;

/// A list of tags, or `*`, as a schema says it.
const TAGS: &str = r#"^(?:\*|(?:W/)?"[!#-~]*"(?:, ?(?:W/)?"[!#-~]*")*)$"#;

pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

/// The aggregate has another version than the one that If-Match names.
pub fn stale(version: i64) -> Problem {
    let problem = Problem::of(ProblemKind::PreconditionFailed);
    match header::HeaderValue::from_str(&etag(version)) {
        Ok(tag) if version > 0 => problem.with_header(header::ETAG, tag),
        _ => problem,
    }
}

/// What If-Match says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// `*`, or no header.
    Any,
    /// The versions of its tags. A tag that is never a version is not among them.
    OneOf(Vec<i64>),
}

impl IfMatch {
    /// A list of tags, of which one has to match (RFC 9110, 13.1.1).
    ///
    /// # Errors
    /// What is no tag.
    fn parse(value: &str) -> Result<Self, Problem> {
        let value = value.trim();
        if value == "*" {
            return Ok(Self::Any);
        }
        let malformed = || Problem::header("If-Match", "this must be ETags such as \"7\", or *");
        let (mut versions, mut rest) = (vec![], value);
        loop {
            let (tag, after) = next_tag(rest).ok_or_else(malformed)?;
            versions.extend(tag.parse::<i64>().ok().filter(|version| *version > 0));
            if after.is_empty() {
                return Ok(Self::OneOf(versions));
            }
            rest = after.strip_prefix(',').ok_or_else(malformed)?.trim_start();
        }
    }

    /// The versions that are expected; `None` for any.
    ///
    /// # Errors
    /// No tag is a version.
    fn versions(&self) -> Result<Option<Vec<i64>>, Problem> {
        match self {
            Self::Any => Ok(None),
            Self::OneOf(versions) if versions.is_empty() => {
                Err(Problem::of(ProblemKind::PreconditionFailed))
            }
            Self::OneOf(versions) => Ok(Some(versions.clone())),
        }
    }

    /// The step, at one of these versions only.
    ///
    /// # Errors
    /// No tag is a version.
    pub fn on(&self, step: Step) -> Result<Step, Problem> {
        Ok(step.expecting_one_of(self.versions()?))
    }

    /// The versions of which what the path names must have one; `None` for any. A handler decides on the
    /// state of the admission, which comes before the body: at a later version, a step would be appended
    /// to a state that nobody has looked at.
    ///
    /// # Errors
    /// No tag is a version, or all are later than the admission.
    pub fn versions_of<Id, A>(
        &self,
        admitted: &PathAggregate<Id, A>,
    ) -> Result<Option<Vec<i64>>, Problem> {
        let Some(mut versions) = self.versions()? else { return Ok(None) };
        versions.retain(|version| *version <= admitted.version);
        if versions.is_empty() { Err(stale(admitted.version)) } else { Ok(Some(versions)) }
    }

    /// The step on what the path names, at one of [`Self::versions_of`] only.
    ///
    /// # Errors
    /// As of [`Self::versions_of`].
    pub fn on_path<Id, A>(
        &self,
        step: Step,
        admitted: &PathAggregate<Id, A>,
    ) -> Result<Step, Problem> {
        Ok(step.expecting_one_of(self.versions_of(admitted)?))
    }

    /// Refuses early, before work that could not be taken back.
    ///
    /// # Errors
    /// If-Match names other versions.
    pub fn check(&self, version: i64) -> Result<(), Problem> {
        self.matched(version).map(drop)
    }

    /// As [`Self::check`]; the version, where If-Match names it.
    ///
    /// # Errors
    /// If-Match names other versions.
    pub fn matched(&self, version: i64) -> Result<Option<i64>, Problem> {
        match self {
            Self::Any => Ok(None),
            Self::OneOf(versions) if versions.contains(&version) => Ok(Some(version)),
            Self::OneOf(_) => Err(stale(version)),
        }
    }

    /// Why a step was refused that expects the version which its caller has looked at: whoever names none
    /// hears that others have changed it, and not that theirs is stale.
    pub fn unexpected(&self, error: ExecuteError) -> ExecuteError {
        let is_stale = matches!(error, ExecuteError::Stale { .. });
        if is_stale && *self == Self::Any { ExecuteError::Conflict } else { error }
    }
}

/// The first tag of a list, and what comes after it. A weak one never matches: it has no text.
fn next_tag(list: &str) -> Option<(&str, &str)> {
    let weak = list.strip_prefix("W/");
    let (tag, after) = weak.unwrap_or(list).strip_prefix('"')?.split_once('"')?;
    Some((if weak.is_some() { "" } else { tag }, after.trim_start()))
}

/// If-Match where a change of an aggregate cannot do without.
pub struct MustMatch(pub IfMatch);

/// The header, where a request may do without.
impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter(Required::False)]
    }
}

impl IntoParams for MustMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter(Required::True)]
    }
}

fn parameter(required: Required) -> Parameter {
    let description = "The `ETag` that was last read, or several, or `*` for any.";
    let schema = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
    let schema = schema.max_length(Some(1024)).pattern(Some(TAGS));
    schemas::header("If-Match", required, description, schema)
}

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let lines = request.headers().get_all(header::IF_MATCH);
        let lines: Vec<&str> = lines.map(|line| line.to_str().unwrap_or_default()).collect();
        let found = if lines.is_empty() { Ok(Self::Any) } else { Self::parse(&lines.join(", ")) };
        std::future::ready(found)
    }
}

impl FromRequest for MustMatch {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if !request.headers().contains_key(header::IF_MATCH) {
            return std::future::ready(Err(Problem::of(ProblemKind::PreconditionRequired)));
        }
        std::future::ready(IfMatch::from_request(request, payload).into_inner().map(Self))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::server::{Server, ServerCommand};
    use infra::event_store::Loaded;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_was_shown_matches() {
        assert_eq!(IfMatch::parse(&etag(7)).unwrap(), IfMatch::OneOf(vec![7]));
        assert_eq!(IfMatch::parse("*").unwrap(), IfMatch::Any);
    }

    #[test]
    fn what_the_schema_admits_is_read() {
        let schema = regex::Regex::new(TAGS).unwrap();
        for good in ["*", "\"7\"", "W/\"7\"", "\"6\", \"7\",W/\"8\"", "\"\"", "\"a,b\""] {
            assert!(schema.is_match(good) && IfMatch::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "7", "\"7", "\"7\" \"8\"", "\"7\",", "\"7\", *", "w/\"7\""] {
            assert!(!schema.is_match(bad) && IfMatch::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn of_a_list_one_tag_has_to_match() {
        let list = IfMatch::parse("W/\"6\", \"7\" ,\"8\", \"a, b\"").unwrap();
        assert_eq!(list, IfMatch::OneOf(vec![7, 8]));
        assert!(list.check(7).is_ok() && list.check(8).is_ok());
        assert!(list.check(6).is_err());
        assert_eq!(list.matched(8).unwrap(), Some(8));
    }

    #[test]
    fn a_weak_or_foreign_tag_never_matches() {
        for never in ["W/\"7\"", "\"seven\"", "\"0\"", "\"-1\""] {
            let read = IfMatch::parse(never).unwrap();
            assert_eq!(read, IfMatch::OneOf(vec![]), "{never}");
            assert!(read.check(7).is_err() && read.versions().is_err(), "{never}");
        }
    }

    #[test]
    fn whoever_names_no_version_is_told_of_a_conflict() {
        let is_conflict =
            |matches: IfMatch, error| matches!(matches.unexpected(error), ExecuteError::Conflict);
        assert!(is_conflict(IfMatch::Any, ExecuteError::Stale { version: 8 }));
        assert!(!is_conflict(IfMatch::OneOf(vec![7]), ExecuteError::Stale { version: 8 }));
        assert!(!is_conflict(IfMatch::Any, ExecuteError::Overloaded));
    }

    #[test]
    fn no_later_version_than_the_admission_is_matched() {
        let admitted =
            PathAggregate::new((), Loaded { state: Arc::new(()), version: 2, position: 2 });
        let step = || Step::new::<Server>(Uuid::nil(), ServerCommand::Delete);
        for (asked, fits) in [
            (IfMatch::Any, true),
            (IfMatch::OneOf(vec![1]), true),
            (IfMatch::OneOf(vec![2]), true),
            (IfMatch::OneOf(vec![2, 3]), true),
            (IfMatch::OneOf(vec![3]), false),
            (IfMatch::OneOf(vec![]), false),
        ] {
            assert_eq!(asked.on_path(step(), &admitted).is_ok(), fits, "{asked:?}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(text in ".{0,40}") {
            let _ = IfMatch::parse(&text);
        }
    }
}
