//! Enums whose variants have a fixed name.

/// Declares an enum without data whose variants have one name each, in rows, JSON and the API. It
/// has `ALL`, `as_str` and `parse`. A name that is stored never changes.
///
/// ```
/// domain::named_enum! {
///     /// What a traffic light shows.
///     pub enum Light { Stop = "red", Go = "green" }
/// }
/// assert_eq!(Light::Go.as_str(), "green");
/// assert_eq!(Light::parse("red"), Some(Light::Stop));
/// assert_eq!(Light::parse("blue"), None);
/// ```
#[macro_export]
macro_rules! named_enum {
    ($(#[$meta:meta])* $vis:vis enum $enum:ident {
        $($(#[$of:meta])* $variant:ident = $name:literal),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $enum {
            $($(#[$of])* $variant),+
        }

        impl $enum {
            /// Every variant, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in rows, JSON and the API.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// `None` for a text that names no variant.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|variant| variant.as_str() == name)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use crate::operator::{GenerationAct, ReadModel, Scope};
    use crate::privacy::LeftCause;
    use crate::run::{LossCause, RunState, Settled};
    use crate::seat::LimitCause;
    use crate::workspace::Role;

    fn same<T: Serialize + Copy>(all: &[T], as_str: fn(T) -> &'static str) {
        for of in all {
            assert_eq!(serde_json::json!(of), as_str(*of));
        }
    }

    #[test]
    fn a_name_is_the_same_in_an_event_and_in_the_api() {
        same(Role::ALL, Role::as_str);
        same(RunState::ALL, RunState::as_str);
        same(LossCause::ALL, LossCause::as_str);
        same(Settled::ALL, Settled::as_str);
        same(LeftCause::ALL, LeftCause::as_str);
        same(LimitCause::ALL, LimitCause::as_str);
        same(Scope::ALL, Scope::as_str);
        same(ReadModel::ALL, ReadModel::as_str);
        same(GenerationAct::ALL, GenerationAct::as_str);
    }
}
