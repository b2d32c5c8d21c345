//! A start that could not read the log is refused.

use cqrs_es::DomainEvent;
use domain::{Event, PersonalVisitor, SubjectId, TenantId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::StartError;
use super::super::config::{check, check_all};

/// Written in its third shape, with no way up from the second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Drove;

impl DomainEvent for Drove {
    fn event_type(&self) -> String {
        "car.drove".to_owned()
    }
    fn event_version(&self) -> String {
        "3".to_owned()
    }
}

impl Event for Drove {
    const TYPES: &'static [(&'static str, i16)] = &[("car.drove", 3)];
    const UPCASTERS: &'static [domain::Upcaster] = &[("car.drove", 1, |data| data)];

    fn type_and_version(&self) -> (&'static str, i16) {
        ("car.drove", 3)
    }
    fn subject(&self, _: TenantId, stream: Uuid) -> SubjectId {
        SubjectId(stream)
    }
    fn visit_personal<X>(
        &mut self,
        _: TenantId,
        _: Uuid,
        _: &mut PersonalVisitor<'_, X>,
    ) -> Result<(), X> {
        Ok(())
    }
}

#[test]
fn a_missing_step_fails_the_start() {
    let StartError::Upcaster { event_type, version } = check::<Drove>().unwrap_err() else {
        panic!("the step is missing")
    };
    assert_eq!((event_type, version), ("car.drove", 2));
    check_all().unwrap();
}
