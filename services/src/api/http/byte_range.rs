//! Range (RFC 9110, 14.2): one range of bytes; any other value means all.

use actix_web::HttpRequest;
use actix_web::http::{StatusCode, header};

use crate::api::http::problem::{Problem, ProblemKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    All,
    From(u64),
    /// Both are in it.
    Between(u64, u64),
    Last(u64),
}

/// What of a text is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranged {
    pub status: StatusCode,
    pub from: u64,
    pub until: u64,
}

impl ByteRange {
    pub fn of(request: &HttpRequest) -> Self {
        let value = request.headers().get(header::RANGE).and_then(|value| value.to_str().ok());
        value.and_then(Self::parse).unwrap_or(Self::All)
    }

    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.trim().strip_prefix("bytes=")?.split_once('-')?;
        match (first.trim(), last.trim()) {
            ("", last) => last.parse().ok().map(Self::Last),
            (first, "") => first.parse().ok().map(Self::From),
            (first, last) => {
                let (first, last) = (first.parse().ok()?, last.parse().ok()?);
                (first <= last).then_some(Self::Between(first, last))
            }
        }
    }

    /// # Errors
    /// The range begins after the end of a text of that length.
    pub fn within(self, length: u64) -> Result<Ranged, Problem> {
        let (from, until) = match self {
            Self::All => return Ok(Ranged { status: StatusCode::OK, from: 0, until: length }),
            Self::From(from) => (from, length),
            Self::Between(from, last) => (from, last.saturating_add(1).min(length)),
            Self::Last(count) => (length - count.min(length), length),
        };
        if from >= until {
            let range = header::HeaderValue::from_str(&format!("bytes */{length}"));
            let problem = Problem::of(ProblemKind::RangeNotSatisfiable);
            return Err(match range {
                Ok(range) => problem.with_header(header::CONTENT_RANGE, range),
                Err(_) => problem,
            });
        }
        Ok(Ranged { status: StatusCode::PARTIAL_CONTENT, from, until })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn within(text: &str, length: u64) -> Option<(u64, u64)> {
        let ranged = ByteRange::parse(text).unwrap().within(length).ok()?;
        assert_eq!(ranged.status, StatusCode::PARTIAL_CONTENT);
        Some((ranged.from, ranged.until))
    }

    #[test]
    fn a_range_is_cut_to_what_there_is() {
        assert_eq!(within("bytes=0-", 10), Some((0, 10)));
        assert_eq!(within("bytes=3-5", 10), Some((3, 6)));
        assert_eq!(within("bytes=3-99", 10), Some((3, 10)));
        assert_eq!(within("bytes=-4", 10), Some((6, 10)));
        assert_eq!(within("bytes=-40", 10), Some((0, 10)));
        assert_eq!(within("bytes=10-", 10), None);
        assert_eq!(within("bytes=-0", 10), None);
    }

    #[test]
    fn what_is_no_single_range_asks_for_all() {
        for text in ["bytes=5-3", "lines=1-2", "bytes=a-b", "bytes=0-1,4-5", "bytes="] {
            assert_eq!(ByteRange::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_and_within_bounds(text in ".{0,40}", length in 0..1000u64) {
            let range = ByteRange::parse(&text).unwrap_or(ByteRange::All);
            if let Ok(ranged) = range.within(length) {
                prop_assert!(ranged.from <= ranged.until && ranged.until <= length);
            }
        }
    }
}
