//! What each encoder did, undone: in the whole of a text, whatever it is.

type Decoder = fn(&[u8]) -> Vec<u8>;

/// The search itself finds a value as it is, in hex, in base64 and in JSON.
pub const DECODERS: [(&str, Decoder); 10] = [
    ("as it is", <[u8]>::to_vec),
    ("rows joined", |text| without(text, b"\n")),
    ("digits joined", |text| without(text, b" :\n")),
    ("unfolded", unfolded),
    ("without colours", without_colours),
    ("percent", from_percent),
    ("C's escapes", from_c),
    ("shell's quotes", |text| replaced(text, &[("'\\''", "'")])),
    ("dollars", |text| replaced(text, &[("$$", "$")])),
    ("markup", from_markup),
];

/// An encoder that no mask knows, and its own decoder.
pub fn rot13(text: &[u8]) -> Vec<u8> {
    let turn = |byte: &u8| match byte {
        b'a'..=b'm' | b'A'..=b'M' => byte + 13,
        b'n'..=b'z' | b'N'..=b'Z' => byte - 13,
        other => *other,
    };
    text.iter().map(turn).collect()
}

fn without(text: &[u8], signs: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| !signs.contains(byte)).collect()
}

fn replaced(text: &[u8], pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let pair = pairs.iter().find(|(from, _)| rest.starts_with(from.as_bytes()));
        if let Some((from, to)) = pair {
            out.extend(to.bytes());
            rest = &rest[from.len()..];
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

fn unfolded(text: &[u8]) -> Vec<u8> {
    replaced(text, &[("\n  ", " ")])
}

fn without_colours(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut inside = false;
    for byte in text {
        match (inside, byte) {
            (false, 0x1b) => inside = true,
            (false, other) => out.push(*other),
            (true, byte) if byte.is_ascii_alphabetic() || *byte == b'\n' => inside = false,
            (true, _) => {}
        }
    }
    out
}

fn from_percent(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let digits = rest.strip_prefix(b"%").and_then(|digits| digits.get(..2));
        let byte = digits.and_then(|digits| hex::decode(digits).ok());
        rest = if byte.is_some() { &rest[3..] } else { after };
        out.extend(byte.unwrap_or_else(|| vec![*first]));
    }
    out
}

fn from_c(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        match (first, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', later @ ..]) => {
                out.push(64 * (a - b'0') + 8 * (b - b'0') + (c - b'0'));
                rest = later;
            }
            (b'\\', [sign, later @ ..]) => {
                out.push(*sign);
                rest = later;
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

fn from_markup(text: &[u8]) -> Vec<u8> {
    let named = [
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#x27;", "'"),
    ];
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let number = rest.strip_prefix(b"&#").and_then(number);
        if let Some((c, later)) = number {
            out.extend(c.to_string().bytes());
            rest = later;
        } else if let Some((from, to)) =
            named.iter().find(|(from, _)| rest.starts_with(from.as_bytes()))
        {
            out.extend(to.bytes());
            rest = &rest[from.len()..];
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

/// The character of a decimal number that ends with `;`, and what comes behind.
fn number(text: &[u8]) -> Option<(char, &[u8])> {
    let end = text.iter().take(8).position(|byte| *byte == b';')?;
    let number = std::str::from_utf8(&text[..end]).ok()?.parse().ok()?;
    Some((char::from_u32(number)?, &text[end + 1..]))
}
