//! Fields that fit are read, and of those that do not is said why.

use actix_web::ResponseError;
use chrono::{DateTime, Datelike, Utc};
use domain::privacy::EmailAddress;
use proptest::prelude::*;
use serde_json::Value;

use super::fields::*;

struct Pair {
    email: EmailAddress,
    count: Option<i64>,
}

impl FromFields for Pair {
    fn read(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", text(EmailAddress::parse));
        let count = fields.optional("count", number(1, 5));
        Some(Self { email: email?, count: count? })
    }
}

fn refusal(body: &str) -> (u16, String) {
    let problem = Fields::body::<Pair>(body.as_bytes()).err().expect("a refusal");
    let status = problem.status_code().as_u16();
    let bytes = actix_web::body::to_bytes(problem.error_response().into_body());
    let bytes = futures_util::FutureExt::now_or_never(bytes).unwrap().unwrap();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

#[test]
fn a_body_that_fits_is_read() {
    let pair = Fields::body::<Pair>(br#"{"email":"a@b.example","count":2}"#).unwrap();
    assert_eq!((pair.email.expose(), pair.count), ("a@b.example", Some(2)));
}

#[test]
fn all_that_does_not_fit_is_said_at_once() {
    let (status, shown) = refusal(r#"{"count":9,"colour":1}"#);
    assert_eq!(status, 422);
    for pointer in ["/email", "/count", "/colour"] {
        assert!(shown.contains(&format!(r#""pointer":"{pointer}""#)), "{shown}");
    }
}

#[test]
fn malformed_json_names_its_line_and_column() {
    let (status, shown) = refusal("{\n\"email\": x}");
    assert_eq!(status, 400);
    assert!(shown.contains("line 2, column 10"), "{shown}");
}

#[test]
fn no_value_and_no_foreign_name_is_repeated() {
    let (_, shown) = refusal(r#"{"email":"ada-at-home","ada@home.example":1}"#);
    assert!(!shown.contains("ada"), "{shown}");
}

#[test]
fn a_parameter_that_is_given_twice_is_refused() {
    assert!(Fields::query::<Nothing>("a=1&a=2").is_err());
    assert!(Fields::query::<Nothing>("").is_ok());
}

struct Moment(DateTime<Utc>);

impl FromFields for Moment {
    fn read(fields: &mut Fields) -> Option<Self> {
        fields.required("at", time).map(Self)
    }
}

#[test]
fn a_time_is_of_a_year_that_can_be_stored() {
    let read = |text: &str| time(&Value::from(text));
    for good in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-22T08:00:00+01:00"] {
        assert!(read(good).is_ok(), "{good}");
    }
    let bad = ["-5000-01-01T00:00:00Z", "+200000-01-01T00:00:00Z", "+262142-12-31T23:59:59Z"];
    for bad in bad.into_iter().chain(["0000-12-31T23:59:59Z", "9999-12-31T23:59:59-01:00"]) {
        assert!(read(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_plus_that_a_query_takes_for_a_space_is_explained() {
    let refused = Fields::query::<Moment>("at=2026-11-22T08:00:00+01:00").err().unwrap();
    assert!(format!("{refused:?}").contains("%2B"), "{refused:?}");
    let read = Fields::query::<Moment>("at=2026-11-22T08:00:00%2B01:00").unwrap();
    assert_eq!(read.0.to_rfc3339(), "2026-11-22T07:00:00+00:00");
}

struct Change(Option<i64>, Patch<i64>);

impl FromFields for Change {
    fn read(fields: &mut Fields) -> Option<Self> {
        let kept = fields.replaced("kept", number(1, 5));
        let cleared = fields.patched("cleared", number(1, 5));
        Some(Self(kept?, cleared?))
    }
}

#[test]
fn null_clears_a_field_of_a_patch_or_is_refused() {
    let read = |body: &str| Fields::body::<Change>(body.as_bytes()).ok().map(|it| (it.0, it.1));
    assert_eq!(read("{}"), Some((None, Patch::Keep)));
    assert_eq!(read(r#"{"kept":2,"cleared":null}"#), Some((Some(2), Patch::Clear)));
    assert_eq!(read(r#"{"cleared":3}"#), Some((None, Patch::Set(3))));
    assert_eq!(read(r#"{"kept":null}"#), None);
    assert_eq!(read(r#"{"cleared":9}"#), None);
}

proptest! {
    #[test]
    fn any_time_is_stored_or_refused(year in -300_000_i32..300_000, seconds in 0_u32..60) {
        let text = format!("{year:+05}-06-15T12:00:{seconds:02}Z");
        if let Ok(read) = time(&Value::from(text)) {
            prop_assert!((1..=9999).contains(&read.year()));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Fields::body::<Pair>(&bytes);
    }

    #[test]
    fn any_query_is_read_or_refused(query in ".{0,80}") {
        let _ = Fields::query::<Pair>(&query);
    }
}

#[test]
fn a_whole_number_may_be_written_with_a_point() {
    let read = |value: &str| number(0, 5)(&serde_json::from_str(value).unwrap());
    for (value, whole) in [("2", 2), ("2.0", 2), ("20e-1", 2), ("-0.0", 0)] {
        assert_eq!(read(value), Ok(whole), "{value}");
    }
    for other in ["2.5", "6.0", "1e300", "18446744073709551615", "\"2\"", "true"] {
        assert!(read(other).is_err(), "{other}");
    }
}
