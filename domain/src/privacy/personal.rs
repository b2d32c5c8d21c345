//! A personal field, clear or sealed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::{Declaration, Field};
use crate::SealedId;

/// Ciphertext, with the id that it is bound to. Read models, snapshots and later events copy both.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Of the event that the value was first written in, or of the row that holds it.
    pub id: SealedId,
    /// The ciphertext, with what is needed to find its key.
    pub envelope: Vec<u8>,
}

impl Sealed {
    /// The 16 bytes of the id, then the envelope.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.id.0.as_bytes(), self.envelope.as_slice()].concat()
    }

    /// Reads [`Sealed::to_bytes`]; `None` for less than an id.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (id, envelope) = bytes.split_first_chunk::<16>()?;
        Some(Self { id: SealedId(Uuid::from_bytes(*id)), envelope: envelope.to_vec() })
    }
}

/// What a declared field holds. It shows nothing of itself: no `Display`, a redacting `Debug`,
/// and a clear value cannot be serialised.
pub enum Personal<F: Field> {
    /// As a command brings it. It is never stored.
    Clear(F::Value),
    /// As the log, the read models and the snapshots keep it.
    Sealed(Sealed),
    /// In an event's JSON: the ciphertext stands apart, in the row's `sealed` column.
    Apart,
}

/// The text that replaces a sealed field in an event's JSON.
const APART: &str = "sealed";

impl<F: Field> Personal<F> {
    /// The ciphertext; `None` while the value is clear or apart.
    pub const fn sealed(&self) -> Option<&Sealed> {
        match self {
            Self::Sealed(sealed) => Some(sealed),
            Self::Clear(_) | Self::Apart => None,
        }
    }
}

impl<F: Field> Clone for Personal<F> {
    fn clone(&self) -> Self {
        match self {
            Self::Clear(value) => Self::Clear(value.clone()),
            Self::Sealed(sealed) => Self::Sealed(sealed.clone()),
            Self::Apart => Self::Apart,
        }
    }
}

impl<F: Field> PartialEq for Personal<F> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Clear(a), Self::Clear(b)) => a == b,
            (Self::Sealed(a), Self::Sealed(b)) => a == b,
            (Self::Apart, Self::Apart) => true,
            _ => false,
        }
    }
}

impl<F: Field> std::fmt::Debug for Personal<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<{}>", F::DECLARATION.name)
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<sealed>")
    }
}

impl<F: Field> Serialize for Personal<F> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Clear(_) => Err(S::Error::custom("a clear personal value is not written")),
            Self::Sealed(sealed) => to.serialize_str(&URL_SAFE_NO_PAD.encode(sealed.to_bytes())),
            Self::Apart => to.serialize_str(APART),
        }
    }
}

impl<'de, F: Field> Deserialize<'de> for Personal<F> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        if text == APART {
            return Ok(Self::Apart);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text.as_bytes());
        let sealed = bytes.ok().and_then(|bytes| Sealed::from_bytes(&bytes));
        sealed.map(Self::Sealed).ok_or_else(|| D::Error::custom("not a sealed value"))
    }
}

/// A personal field whose kind is known only at run time: what a codec works on.
pub trait AnyPersonal {
    /// What is declared of the field.
    fn declaration(&self) -> &'static Declaration;
    /// The clear value as JSON, to be encrypted; `None` when it is not clear.
    fn clear(&self) -> Option<Vec<u8>>;
    /// Replaces whatever it holds by ciphertext.
    fn seal(&mut self, sealed: Sealed);
    /// Takes the ciphertext out, leaving the field apart; `None` when it is not sealed.
    fn set_apart(&mut self) -> Option<Sealed>;
}

impl<F: Field> AnyPersonal for Personal<F> {
    fn declaration(&self) -> &'static Declaration {
        F::DECLARATION
    }

    fn clear(&self) -> Option<Vec<u8>> {
        match self {
            Self::Clear(value) => serde_json::to_vec(value).ok(),
            Self::Sealed(_) | Self::Apart => None,
        }
    }

    fn seal(&mut self, sealed: Sealed) {
        *self = Self::Sealed(sealed);
    }

    fn set_apart(&mut self) -> Option<Sealed> {
        let Self::Sealed(sealed) = self else { return None };
        let sealed = Sealed { id: sealed.id, envelope: std::mem::take(&mut sealed.envelope) };
        *self = Self::Apart;
        Some(sealed)
    }
}
