//! The encodings in which a command may print a secret.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A line of a secret that has several is masked on its own from this length on.
const LINE_BYTES_MIN: usize = 8;
/// In wrapped base64 (`base64` wraps at 76 characters) each pair of groups is masked, if the secret is
/// long enough that this does not mask other text.
const WRAPPED_BYTES_MIN: usize = 12;
const PAIR: usize = 8;

/// Every form of the secret that fits on one line.
pub(super) fn forms(secret: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::new();
    let value = secret.trim_ascii();
    let lines: Vec<&[u8]> = lines(value).collect();
    for line in &lines {
        if lines.len() == 1 || line.len() >= LINE_BYTES_MIN {
            all.insert(line.to_vec());
            all.extend(escaped(line));
            all.extend(percent_encoded(line));
        }
    }
    let unix = lines_joined(value);
    for value in [value, &unix] {
        all.extend(escaped(value));
        all.extend(percent_encoded(value));
        all.extend(base64(value));
        all.extend([hex::encode(value).into_bytes(), hex::encode_upper(value).into_bytes()]);
    }
    all.retain(|form| !form.is_empty() && !form.contains(&b'\n'));
    all
}

/// The bytes of the secret that can be searched for: of its longest line if it has several.
pub(super) fn bytes_to_find(secret: &[u8]) -> usize {
    lines(secret.trim_ascii()).map(<[u8]>::len).max().unwrap_or(0)
}

/// Whether the secret has several lines, all too short to be searched for.
pub(super) fn is_scattered(secret: &[u8]) -> bool {
    let value = secret.trim_ascii();
    value.contains(&b'\n') && bytes_to_find(value) < LINE_BYTES_MIN
}

fn lines(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii)
}

/// An HTML form sends line ends as CR LF, and a shell may have turned them into LF.
fn lines_joined(value: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = value
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .collect();
    lines.join(&b'\n')
}

/// As the content of a JSON string: plain, in ASCII (Python), safe for HTML (Go), with `\/` (PHP).
fn escaped(value: &[u8]) -> [Vec<u8>; 4] {
    let plain: Vec<u8> = value.iter().flat_map(|byte| escape(*byte)).collect();
    let ascii = std::str::from_utf8(value).map_or_else(|_| plain.clone(), in_ascii);
    let html =
        replaced(&plain, |byte| matches!(byte, b'<' | b'>' | b'&').then(|| unicode(byte.into())));
    let slash = replaced(&plain, |byte| (byte == b'/').then(|| b"\\/".to_vec()));
    [plain, ascii, html, slash]
}

fn escape(byte: u8) -> Vec<u8> {
    match byte {
        b'"' | b'\\' => vec![b'\\', byte],
        b'\n' => b"\\n".to_vec(),
        b'\r' => b"\\r".to_vec(),
        b'\t' => b"\\t".to_vec(),
        0x08 => b"\\b".to_vec(),
        0x0c => b"\\f".to_vec(),
        0..0x20 => unicode(byte.into()),
        0x20.. => vec![byte],
    }
}

fn in_ascii(text: &str) -> Vec<u8> {
    let units = text.encode_utf16();
    units
        .flat_map(|unit| match u8::try_from(unit) {
            Ok(byte) if byte < 0x7f => escape(byte),
            Ok(_) | Err(_) => unicode(unit),
        })
        .collect()
}

fn unicode(unit: u16) -> Vec<u8> {
    format!("\\u{unit:04x}").into_bytes()
}

fn replaced(value: &[u8], by: impl Fn(u8) -> Option<Vec<u8>>) -> Vec<u8> {
    value.iter().flat_map(|byte| by(*byte).unwrap_or_else(|| vec![*byte])).collect()
}

/// The signs that encoders do not escape: RFC 3986 and Java, `encodeURIComponent`, Python's `quote`,
/// `encodeURI`.
const LEFT: [&[u8]; 5] = [b"-._~", b"-._*", b"-._~!*'()", b"-._~/", b"-._~!*'();/?:@&=+$,#"];

fn percent_encoded(value: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for left in LEFT {
        for space in [&b"%20"[..], b"+"] {
            for digits in [b"0123456789ABCDEF", b"0123456789abcdef"] {
                let encode = |byte: u8| match byte {
                    b' ' => Some(space.to_vec()),
                    byte if byte.is_ascii_alphanumeric() || left.contains(&byte) => None,
                    byte => Some(percent(byte, digits)),
                };
                all.push(replaced(value, encode));
            }
        }
    }
    all
}

fn percent(byte: u8, digits: &[u8; 16]) -> Vec<u8> {
    let digit = |of: u8| digits.get(usize::from(of)).copied().unwrap_or(b'0');
    vec![b'%', digit(byte >> 4), digit(byte & 15)]
}

/// The part of the base64 of a text with `value` in it that does not depend on the rest of the text:
/// without the characters that also encode a neighbour's bits.
fn base64(value: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (before, shared) in [(0, 0), (1, 2), (2, 3)] {
        let padded = [&vec![0; before], value].concat();
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&padded).into_bytes();
            let own = encoded.get(shared..padded.len() * 8 / 6).unwrap_or_default();
            all.push(own.to_vec());
            if value.len() >= WRAPPED_BYTES_MIN {
                let groups = own.get((4 - shared) % 4..).unwrap_or_default();
                let pairs = (0..groups.len()).step_by(PAIR / 2);
                all.extend(pairs.filter_map(|at| groups.get(at..at + PAIR)).map(<[u8]>::to_vec));
            }
        }
    }
    all
}
