//! The encodings in which a value may have been stored.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// One way in which a value may have been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the name of each variant says what it is")]
pub enum Encoding {
    Raw,
    LowerCase,
    /// In any of the three alignments, in both alphabets.
    Base64,
    HexLower,
    HexUpper,
    UrlEncoded,
    JsonEscaped,
    /// All of it as `\u` escapes.
    JsonUnicode,
    Utf16,
    Reversed,
}

impl Encoding {
    /// Every encoding that is searched for.
    pub const ALL: [Self; 10] = [
        Self::Raw,
        Self::LowerCase,
        Self::Base64,
        Self::HexLower,
        Self::HexUpper,
        Self::UrlEncoded,
        Self::JsonEscaped,
        Self::JsonUnicode,
        Self::Utf16,
        Self::Reversed,
    ];

    /// The bytes to search for; several where they depend on what stands beside the value.
    pub(super) fn of(self, value: &str) -> Vec<Vec<u8>> {
        let text = match self {
            Self::Raw => value.to_owned(),
            Self::LowerCase => value.to_lowercase(),
            Self::Base64 => return base64_cores(value.as_bytes()),
            Self::HexLower => hex::encode(value),
            Self::HexUpper => hex::encode_upper(value),
            Self::UrlEncoded => url_encoded(value),
            Self::JsonEscaped => {
                let quoted = serde_json::Value::from(value).to_string();
                quoted.trim_matches('"').to_owned()
            }
            Self::JsonUnicode => {
                let escapes: Vec<_> =
                    value.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
                escapes.concat()
            }
            Self::Utf16 => return vec![value.encode_utf16().flat_map(u16::to_le_bytes).collect()],
            Self::Reversed => value.chars().rev().collect(),
        };
        vec![text.into_bytes()]
    }
}

/// The part of the base64 of a text with `value` in it that does not depend on the rest of the text.
fn base64_cores(value: &[u8]) -> Vec<Vec<u8>> {
    let mut cores = Vec::new();
    for before in 0..3 {
        let padded = [&vec![0; before], value].concat();
        let complete = padded.len() / 3 * 3;
        let first = if before == 0 { 0 } else { 4 };
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let encoded = engine.encode(padded.get(..complete).unwrap_or_default());
            let core = encoded.get(first..).unwrap_or_default();
            if core.len() >= 8 && !cores.iter().any(|known| known == core.as_bytes()) {
                cores.push(core.as_bytes().to_vec());
            }
        }
    }
    cores
}

fn url_encoded(value: &str) -> String {
    let bytes: Vec<_> = value
        .bytes()
        .map(|byte| match byte {
            b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    bytes.concat()
}
