//! What was written in an older shape is read in today's.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{DecodeError, Event, check_upcasters};

fn split_the_distance(mut data: Value) -> Value {
    let metres = data["metres"].as_u64().unwrap_or_default();
    data = json!({ "kilometres": metres / 1000, "metres": metres % 1000 });
    data
}

fn name_the_unit(data: Value) -> Value {
    json!({ "kilometres": data["kilometres"], "metres": data["metres"], "measured": true })
}

events! {
    /// A car that drove.
    CarEvent {
        "car.drove" 3 => Drove { kilometres: u64, metres: u64, measured: bool }
        "car.stopped" 1 => Stopped {}
    } upcast &[("car.drove", 1, split_the_distance), ("car.drove", 2, name_the_unit)]
}

events! {
    /// Its second step is missing.
    LostEvent {
        "lost.drove" 3 => Drove { kilometres: u64 }
    } upcast &[("lost.drove", 1, split_the_distance)]
}

#[test]
fn an_older_shape_is_lifted_step_by_step() {
    let today = CarEvent::Drove { kilometres: 12, metres: 345, measured: true };

    assert_eq!(CarEvent::decode("car.drove", 1, r#"{"metres":12345}"#).unwrap(), today);
    let second = r#"{"kilometres":12,"metres":345}"#;
    assert_eq!(CarEvent::decode("car.drove", 2, second).unwrap(), today);
    assert_eq!(CarEvent::decode("car.drove", 3, &today.encode().unwrap()).unwrap(), today);
}

#[test]
fn a_missing_step_is_named_before_anything_is_read() {
    assert_eq!(check_upcasters::<CarEvent>(), Ok(()));
    assert_eq!(check_upcasters::<LostEvent>(), Err(("lost.drove", 2)));
    assert_eq!(check_upcasters::<crate::account::AccountEvent>(), Ok(()));
}

#[test]
fn a_shape_from_the_future_is_refused() {
    let read = CarEvent::decode("car.drove", 4, "{}");
    assert!(matches!(read, Err(DecodeError::Version)));
    assert!(matches!(CarEvent::decode("car.flew", 1, "{}"), Err(DecodeError::Type)));
    assert!(matches!(CarEvent::decode("car.drove", 0, "{}"), Err(DecodeError::Version)));
}

proptest! {
    #[test]
    fn an_older_shape_never_panics(metres: u64, version in -2_i16..6) {
        let data = json!({ "metres": metres }).to_string();
        let read = CarEvent::decode("car.drove", version, &data);
        prop_assert_eq!(read.is_ok(), version == 1);
    }

    #[test]
    fn no_data_panics(data: String, version in 0_i16..5) {
        let _ = CarEvent::decode("car.drove", version, &data);
    }
}

/// An event that is not written as its type and its data.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct UntaggedEvent;

impl cqrs_es::DomainEvent for UntaggedEvent {
    fn event_type(&self) -> String {
        "untagged".to_owned()
    }
    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

impl Event for UntaggedEvent {
    const TYPES: &'static [(&'static str, i16)] = &[("untagged", 1)];
    const UPCASTERS: &'static [crate::Upcaster] = &[];

    fn type_and_version(&self) -> (&'static str, i16) {
        ("untagged", 1)
    }

    fn subject(&self, _: crate::TenantId, stream: uuid::Uuid) -> crate::SubjectId {
        crate::SubjectId(stream)
    }

    fn visit_personal<X>(
        &mut self,
        _: crate::TenantId,
        _: uuid::Uuid,
        _: &mut crate::PersonalVisitor<'_, X>,
    ) -> Result<(), X> {
        Ok(())
    }
}

#[test]
fn an_event_without_its_tags_is_refused_and_not_written_as_empty() {
    assert!(UntaggedEvent.encode().is_err());
}

#[test]
fn the_version_is_checked_before_the_data_is_read() {
    let read = CarEvent::decode("car.drove", 4, "no JSON");
    assert!(matches!(read, Err(DecodeError::Version)));
}
