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

    /// What is there of a text of that length begins at `begins`.
    ///
    /// # Errors
    /// The range begins after the end of the text, or before what is there.
    pub fn within(self, begins: u64, length: u64) -> Result<Ranged, Problem> {
        let (from, until) = match self {
            Self::All => return Ok(Ranged { status: StatusCode::OK, from: begins, until: length }),
            Self::From(from) => (from, length),
            Self::Between(from, last) => (from, last.saturating_add(1).min(length)),
            Self::Last(count) => (length.saturating_sub(count).max(begins), length),
        };
        if from >= until || from < begins {
            let range = header::HeaderValue::from_str(&format!("bytes */{length}"));
            let problem = if from < begins {
                let why = format!("The first {begins} bytes are over: begin with byte {begins}.");
                Problem::new(ProblemKind::RangeNotSatisfiable, why)
            } else {
                Problem::of(ProblemKind::RangeNotSatisfiable)
            };
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
        behind(text, 0, length)
    }

    fn behind(text: &str, begins: u64, length: u64) -> Option<(u64, u64)> {
        let ranged = ByteRange::parse(text).unwrap().within(begins, length).ok()?;
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
    fn bytes_that_are_over_keep_their_numbers_and_are_refused() {
        assert_eq!(behind("bytes=4-", 4, 10), Some((4, 10)));
        assert_eq!(behind("bytes=5-6", 4, 10), Some((5, 7)));
        assert_eq!(behind("bytes=-2", 4, 10), Some((8, 10)));
        assert_eq!(behind("bytes=-9", 4, 10), Some((4, 10)));
        assert_eq!(behind("bytes=0-", 4, 10), None);
        assert_eq!(behind("bytes=3-5", 4, 10), None);
        let all = ByteRange::All.within(4, 10).unwrap();
        assert_eq!((all.status, all.from, all.until), (StatusCode::OK, 4, 10));
        let refused = ByteRange::From(3).within(4, 10).unwrap_err();
        assert_eq!(refused.detail(), "The first 4 bytes are over: begin with byte 4.");
        assert_eq!(refused.header_values(header::CONTENT_RANGE).next().unwrap(), "bytes */10");
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
            let begins = length / 3;
            if let Ok(ranged) = range.within(begins, length) {
                prop_assert!(begins <= ranged.from && ranged.from <= ranged.until);
                prop_assert!(ranged.until <= length);
            }
        }
    }
}
