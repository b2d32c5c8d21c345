//! What every aggregate and every event has in common.

use cqrs_es::{Aggregate, DomainEvent};
use serde::ser::Error as _;
use serde_json::Value;
use uuid::Uuid;

use crate::privacy::{AnyPersonal, Field, Personal};
use crate::{NonPersonal, SubjectId, TenantId};

/// An aggregate whose decisions are pure: `decide` refuses or answers with events, `apply` never
/// refuses.
pub trait AggregateRoot: Aggregate<Services = ()>
where
    Self::Event: Event,
{
    /// Raise it whenever the state's meaning changes; older snapshots are dropped.
    const SNAPSHOT_VERSION: i16;

    /// The events that the command causes. None of them: it is accepted, and changes nothing.
    ///
    /// # Errors
    /// The reason, when the command is refused.
    fn decide(&self, command: Self::Command) -> Result<Vec<Self::Event>, Self::Error>;
}

/// What sees each personal field of an event, with the person it is about.
pub type PersonalVisitor<'a, E> = dyn FnMut(SubjectId, &mut dyn AnyPersonal) -> Result<(), E> + 'a;

/// Lifts the data of one version of an event type to the next.
pub type Upcaster = (&'static str, i16, fn(Value) -> Value);

/// An event as the log keeps it: a type, a version of its shape, and its data.
pub trait Event: DomainEvent {
    /// Each type with the version of the shape that is written today.
    const TYPES: &'static [(&'static str, i16)];
    /// `(type, version, step)` from each earlier version to the next.
    const UPCASTERS: &'static [Upcaster];

    /// The type and the version of its shape: one of [`Event::TYPES`].
    fn type_and_version(&self) -> (&'static str, i16);

    /// Whom the event is about, with or without a personal field: the subject that a fence names.
    fn subject(&self, tenant: TenantId, stream: Uuid) -> SubjectId;

    /// Shows each personal field to `visit`, in the order of the event, which never changes.
    ///
    /// # Errors
    /// Whatever `visit` answers.
    fn visit_personal<X>(
        &mut self,
        tenant: TenantId,
        stream: Uuid,
        visit: &mut PersonalVisitor<'_, X>,
    ) -> Result<(), X>;

    /// The data as the log keeps it, as JSON.
    ///
    /// # Errors
    /// A personal field that is not sealed, or an event that does not serialise as its type and
    /// its data, as those of `events!` do.
    fn encode(&self) -> Result<String, serde_json::Error> {
        let whole = serde_json::to_string(self)?;
        let data = whole
            .strip_prefix(r#"{"type":""#)
            .and_then(|rest| rest.strip_prefix(self.type_and_version().0))
            .and_then(|rest| rest.strip_prefix(r#"","data":"#))
            .and_then(|rest| rest.strip_suffix('}'));
        let untagged = || serde_json::Error::custom("the event has no type and data of its own");
        data.map(str::to_owned).ok_or_else(untagged)
    }

    /// Reads data of today's shape, or of an earlier one through its upcasters.
    ///
    /// # Errors
    /// A type or a version that this code does not know, or data of another shape.
    fn decode(event_type: &str, version: i16, data: &str) -> Result<Self, DecodeError> {
        let today = Self::TYPES.iter().find(|(known, _)| *known == event_type);
        let Some(&(event_type, today)) = today else { return Err(DecodeError::Type) };
        if version == today {
            let tagged = format!(r#"{{"type":"{event_type}","data":{data}}}"#);
            return serde_json::from_str(&tagged).map_err(DecodeError::Data);
        }
        if version > today {
            return Err(DecodeError::Version);
        }
        let mut lifted: Value = serde_json::from_str(data).map_err(DecodeError::Data)?;
        for step in version..today {
            lifted = upcaster::<Self>(event_type, step).ok_or(DecodeError::Version)?(lifted);
        }
        let tagged = serde_json::json!({ "type": event_type, "data": lifted });
        serde_json::from_value(tagged).map_err(DecodeError::Data)
    }
}

fn upcaster<E: Event>(event_type: &str, from: i16) -> Option<fn(Value) -> Value> {
    let found = E::UPCASTERS.iter().find(|(of, version, _)| (*of, *version) == (event_type, from));
    found.map(|(_, _, step)| *step)
}

/// Names the first step that is missing, so that a start-up can refuse.
///
/// # Errors
/// The type and the version that cannot be lifted.
pub fn check_upcasters<E: Event>() -> Result<(), (&'static str, i16)> {
    for &(event_type, today) in E::TYPES {
        for version in 1..today {
            upcaster::<E>(event_type, version).ok_or((event_type, version))?;
        }
    }
    Ok(())
}

/// Why stored data is not an event of this code. The data itself is never repeated.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum DecodeError {
    #[error("the event type is not known")]
    Type,
    #[error("the version of the event's shape is not known")]
    Version,
    #[error("the data has another shape, at line {} column {}", .0.line(), .0.column())]
    Data(serde_json::Error),
    #[error("the sealed fields do not fit the event")]
    Sealed,
}

/// A part of an event.
pub trait EventField {
    /// # Errors
    /// Whatever `visit` answers.
    fn visit_personal<X>(&mut self, _: SubjectId, _: &mut PersonalVisitor<'_, X>) -> Result<(), X> {
        Ok(())
    }
}

impl<T: NonPersonal> EventField for T {}

impl<F: Field> EventField for Personal<F> {
    fn visit_personal<X>(
        &mut self,
        subject: SubjectId,
        visit: &mut PersonalVisitor<'_, X>,
    ) -> Result<(), X> {
        visit(subject, self)
    }
}

impl<F: Field> EventField for Option<Personal<F>> {
    fn visit_personal<X>(
        &mut self,
        subject: SubjectId,
        visit: &mut PersonalVisitor<'_, X>,
    ) -> Result<(), X> {
        self.as_mut().map_or(Ok(()), |field| visit(subject, field))
    }
}

impl<T: NonPersonal> EventField for Option<T> {}

/// An enum of events. Each field is a [`EventField`], so that what is neither plain nor personal does
/// not compile. `subject` names the field whose person the personal fields are about; without it
/// they are about the stream.
macro_rules! events {
    (@whole $tenant:ident $stream:ident) => { $stream };
    (@whole $tenant:ident $stream:ident tenant) => { $tenant.0 };
    (@steps) => { &[] };
    (@steps $upcasters:expr) => { $upcasters };
    ($(#[$doc:meta])* $name:ident $(subject $whole:tt)? {
        $($(#[$of:meta])* $type:literal $version:literal $(subject $subject:ident)? => $variant:ident {
            $($field:ident: $part:ty),* $(,)?
        })*
    } $(upcast $upcasters:expr)?) => {
        $(#[$doc])*
        #[allow(missing_docs, reason = "the type says what happened")]
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "type", content = "data")]
        pub enum $name {
            $($(#[$of])* #[serde(rename = $type)] $variant { $($field: $part),* }),*
        }

        impl cqrs_es::DomainEvent for $name {
            fn event_type(&self) -> String {
                $crate::Event::type_and_version(self).0.to_owned()
            }
            fn event_version(&self) -> String {
                $crate::Event::type_and_version(self).1.to_string()
            }
        }

        impl $crate::Event for $name {
            const TYPES: &'static [(&'static str, i16)] = &[$(($type, $version)),*];
            const UPCASTERS: &'static [$crate::Upcaster] = events!(@steps $($upcasters)?);

            fn type_and_version(&self) -> (&'static str, i16) {
                match self {
                    $(Self::$variant { .. } => ($type, $version)),*
                }
            }

            #[allow(unused_variables, reason = "most events are about their stream")]
            fn subject(&self, tenant: $crate::TenantId, stream: uuid::Uuid) -> $crate::SubjectId {
                let whole = events!(@whole tenant stream $($whole)?);
                match self {
                    $(Self::$variant { $($field),* } => {
                        $(let whole = $subject.0;)?
                        $crate::SubjectId(whole)
                    }),*
                }
            }

            #[allow(unused_variables, reason = "an event without fields leaves them aside")]
            fn visit_personal<X>(
                &mut self,
                tenant: $crate::TenantId,
                stream: uuid::Uuid,
                visit: &mut $crate::PersonalVisitor<'_, X>,
            ) -> Result<(), X> {
                let subject = $crate::Event::subject(self, tenant, stream);
                match self {
                    $(Self::$variant { $($field),* } => {
                        $($crate::event::EventField::visit_personal($field, subject, visit)?;)*
                    }),*
                }
                Ok(())
            }
        }
    };
}
