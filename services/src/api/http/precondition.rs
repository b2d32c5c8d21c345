//! `ETag` and If-Match (RFC 9110): the tag is the version of the stream.

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};
use infra::event_store::Step;

use crate::api::auth::path_resources::PathAggregate;
use crate::api::http::problem::{Problem, ProblemKind};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// `*`, or no header.
    Any,
    Version(i64),
    /// Tags of which none is ever a version.
    Never,
}

impl IfMatch {
    /// # Errors
    /// More than one tag, or what is no tag.
    fn parse(value: &str) -> Result<Self, Problem> {
        let value = value.trim();
        if value == "*" {
            return Ok(Self::Any);
        }
        let weak = value.starts_with("W/");
        let tag =
            value.trim_start_matches("W/").strip_prefix('"').and_then(|t| t.strip_suffix('"'));
        let tag = tag.filter(|tag| !tag.contains('"'));
        let tag = tag.ok_or_else(|| {
            Problem::header("If-Match", "this must be one ETag such as \"7\", or *")
        })?;
        Ok(match tag.parse() {
            Ok(version) if !weak && version > 0 => Self::Version(version),
            _ => Self::Never,
        })
    }

    /// The version that is expected; `None` for any.
    ///
    /// # Errors
    /// A tag that is no version.
    pub fn version(self) -> Result<Option<i64>, Problem> {
        match self {
            Self::Any => Ok(None),
            Self::Version(version) => Ok(Some(version)),
            Self::Never => Err(Problem::of(ProblemKind::PreconditionFailed)),
        }
    }

    /// The step, at that version only.
    ///
    /// # Errors
    /// A tag that is no version.
    pub fn on(self, step: Step) -> Result<Step, Problem> {
        Ok(match self.version()? {
            Some(version) => step.expecting(version),
            None => step,
        })
    }

    /// The version that what the path names must have; `None` for any. A handler decides on the state
    /// of the admission, which comes before the body: at a later version, a step would be appended to
    /// a state that nobody has looked at.
    ///
    /// # Errors
    /// A tag that is no version, or one later than the admission.
    pub fn version_of<Id, A>(
        self,
        admitted: &PathAggregate<Id, A>,
    ) -> Result<Option<i64>, Problem> {
        match self.version()? {
            Some(version) if version > admitted.version => Err(stale(admitted.version)),
            version => Ok(version),
        }
    }

    /// The step on what the path names, at the version of [`Self::version_of`] only.
    ///
    /// # Errors
    /// As of [`Self::version_of`].
    pub fn on_path<Id, A>(
        self,
        step: Step,
        admitted: &PathAggregate<Id, A>,
    ) -> Result<Step, Problem> {
        Ok(match self.version_of(admitted)? {
            Some(version) => step.expecting(version),
            None => step,
        })
    }

    /// Refuses early, before work that could not be taken back.
    ///
    /// # Errors
    /// If-Match names another version.
    pub fn check(self, version: i64) -> Result<(), Problem> {
        match self {
            Self::Any => Ok(()),
            Self::Version(expected) if expected == version => Ok(()),
            Self::Version(_) | Self::Never => Err(stale(version)),
        }
    }
}

/// If-Match where a change of an aggregate cannot do without.
pub struct MustMatch(pub IfMatch);

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = request.headers().get(header::IF_MATCH);
        std::future::ready(
            found.map_or(Ok(Self::Any), |value| Self::parse(value.to_str().unwrap_or_default())),
        )
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
        assert_eq!(IfMatch::parse(&etag(7)).unwrap(), IfMatch::Version(7));
        assert_eq!(IfMatch::parse("*").unwrap(), IfMatch::Any);
    }

    #[test]
    fn a_weak_or_foreign_tag_never_matches() {
        assert_eq!(IfMatch::parse("W/\"7\"").unwrap(), IfMatch::Never);
        assert_eq!(IfMatch::parse("\"seven\"").unwrap(), IfMatch::Never);
        assert!(IfMatch::parse("7").is_err());
        assert!(IfMatch::parse("\"7\", \"8\"").is_err());
    }

    #[test]
    fn no_later_version_than_the_admission_is_matched() {
        let admitted =
            PathAggregate::new((), Loaded { state: Arc::new(()), version: 2, position: 2 });
        let step = || Step::new::<Server>(Uuid::nil(), ServerCommand::Delete);
        for (asked, fits) in [
            (IfMatch::Any, true),
            (IfMatch::Version(1), true),
            (IfMatch::Version(2), true),
            (IfMatch::Version(3), false),
            (IfMatch::Never, false),
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
