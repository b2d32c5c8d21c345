//! Base64 and hex, also where they are wrapped.

use std::ops::ControlFlow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::Put;

/// In wrapped base64 (`base64` wraps at 76 characters) each pair of groups is masked, if the secret is
/// long enough that this does not mask other text.
const WRAPPED_BASE64_MIN: usize = 12;
const PAIR: usize = 8;
/// The same for wrapped hex, where each 4 bytes are masked. Shorter ones are masked as a whole.
const WRAPPED_HEX_MIN: usize = 8;
const WINDOW: usize = 4;
/// How many bytes the forms of wrapped hex have for each byte of a secret, at most: two cases in each
/// layout.
pub const WRAPPED_HEX_BYTES: usize = 2 * (8 + 11 + 11 + 9 + 10);
/// Longer ones are searched for in pieces.
const HEX_PIECE: usize = 64;

/// The digits between which there is a separator: how many bytes stand together, and how many of the
/// first such group stand before.
struct Layout {
    separator: &'static str,
    size: usize,
    before: usize,
}

/// `xxd -p` and hashes, `od -tx1` and `hexdump -C`, fingerprints, `xxd`.
const LAYOUTS: [Layout; 5] = [
    Layout { separator: "", size: 1, before: 0 },
    Layout { separator: " ", size: 1, before: 0 },
    Layout { separator: ":", size: 1, before: 0 },
    Layout { separator: " ", size: 2, before: 0 },
    Layout { separator: " ", size: 2, before: 1 },
];

/// The part of the base64 of a text with `value` in it that does not depend on the rest of the text:
/// without the characters that also encode a neighbour's bits. In both alphabets.
pub fn base64(value: &[u8], put: Put<'_>) -> ControlFlow<()> {
    let mut both = |digits: &[u8]| -> ControlFlow<()> {
        put(digits)?;
        if digits.contains(&b'+') || digits.contains(&b'/') {
            put(&url_safe(digits))?;
        }
        ControlFlow::Continue(())
    };
    for (before, shared) in [(0, 0), (1, 2), (2, 3)] {
        let padded = [&vec![0; before], value].concat();
        let encoded = STANDARD_NO_PAD.encode(&padded).into_bytes();
        let own = encoded.get(shared..padded.len() * 8 / 6).unwrap_or_default();
        if value.len() < WRAPPED_BASE64_MIN {
            both(own)?;
            continue;
        }
        // Pairs overlap by a group; these two are what is left at the ends.
        both(own.get(..PAIR).unwrap_or_default())?;
        both(own.get(own.len().saturating_sub(PAIR)..).unwrap_or_default())?;
        let groups = own.get((4 - shared) % 4..).unwrap_or_default();
        let pairs = (0..groups.len()).step_by(PAIR / 2);
        for pair in pairs.filter_map(|at| groups.get(at..at + PAIR)) {
            both(pair)?;
        }
    }
    ControlFlow::Continue(())
}

fn url_safe(digits: &[u8]) -> Vec<u8> {
    let safe = |digit: &u8| match digit {
        b'+' => b'-',
        b'/' => b'_',
        other => *other,
    };
    digits.iter().map(safe).collect()
}

/// Hex on one line.
pub fn hex(value: &[u8], put: Put<'_>) -> ControlFlow<()> {
    let (pieces, rest) = value.as_chunks::<HEX_PIECE>();
    // The last piece ends with the value, so that it is long as well.
    let last = value.get(value.len().saturating_sub(HEX_PIECE)..).filter(|_| !rest.is_empty());
    for piece in pieces.iter().map(<[u8; HEX_PIECE]>::as_slice).chain(last) {
        put(hex::encode(piece).as_bytes())?;
        put(hex::encode_upper(piece).as_bytes())?;
    }
    ControlFlow::Continue(())
}

/// Hex in rows of any length, in every [`Layout`]: the bytes of a secret may begin anywhere in a row.
pub fn wrapped_hex(value: &[u8], put: Put<'_>) -> ControlFlow<()> {
    let window = if value.len() < WRAPPED_HEX_MIN { value.len() } else { WINDOW };
    for bytes in value.windows(window.max(1)) {
        for layout in &LAYOUTS {
            let lower = layout.write(bytes);
            let upper = lower.to_ascii_uppercase();
            put(lower.as_bytes())?;
            if upper != lower {
                put(upper.as_bytes())?;
            }
        }
    }
    ControlFlow::Continue(())
}

impl Layout {
    fn write(&self, bytes: &[u8]) -> String {
        let mut text = String::new();
        for (index, byte) in bytes.iter().enumerate() {
            if index > 0 && (index + self.before).is_multiple_of(self.size) {
                text.push_str(self.separator);
            }
            text.push_str(&hex::encode([*byte]));
        }
        text
    }
}
