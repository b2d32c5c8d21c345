//! Encoders that write a text character by character.

use std::collections::BTreeSet;
use std::sync::LazyLock;

/// How one encoder writes a text.
#[derive(Clone, Copy, Debug)]
pub enum Style {
    /// As it is.
    Raw,
    /// As the content of a JSON string: with all else than ASCII escaped (Python), safe for HTML (Go),
    /// with `\/` (PHP).
    Json { ascii: bool, html: bool, slash: bool },
    /// With all percent encoded but letters, digits and `left`.
    Percent { left: &'static str, plus: bool, upper: bool },
    /// With a backslash before each of these.
    Backslash(&'static str),
    /// In the manner of C, byte by byte: `$'...'` of shells, Git, Python's `bytes`.
    C { quote: Option<char>, numbers: Numbers, ascii: bool },
    /// The same by code points: YAML and Python's `ascii`.
    CodePoints { quote: Option<char>, upper: bool },
    /// With one character replaced.
    Replaced(char, &'static str),
    /// As XML or HTML: `&`, `<`, `>`, `"` and `'`, then white space, then all else than ASCII.
    Markup { marks: &'static [&'static str; 5], spaces: Numeric, letters: Numeric },
}

/// How C's escapes write what has no letter.
#[derive(Clone, Copy, Debug)]
pub enum Numbers {
    /// In octal, with `\E`.
    Bash,
    Octal,
    /// In hex; only `\t`, `\n` and `\r` are letters.
    Hex,
}

/// How markup writes a character that it has no name for.
#[derive(Clone, Copy, Debug)]
pub enum Numeric {
    Raw,
    Decimal,
    Hex,
}

/// What bash's `printf %q` escapes anywhere in a word; and a `~` where it would be expanded.
const BASH: &str = " !\"$&'()*,;<>?[\\]^`{|}";
/// What Perl's `quotemeta` escapes of ASCII.
const NO_WORD: &str = " !\"#$%&'()*+,-./:;<=>?@[\\]^`{|}~";

/// The signs that encoders do not escape: RFC 3986 and Java, `encodeURIComponent`, Python's `quote`,
/// `encodeURI`.
const LEFT: [&str; 6] = ["", "-._~", "-._*", "-._~!*'()", "-._~/", "-._~!*'();/?:@&=+$,#"];

static MARKS: [[&str; 5]; 12] = [
    ["&amp;", "&lt;", "&gt;", "\"", "'"],
    ["&amp;", "&lt;", "&gt;", "&quot;", "'"],
    ["&amp;", "&lt;", "&gt;", "&quot;", "&apos;"],
    ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"],
    ["&amp;", "&lt;", "&gt;", "&quot;", "&#039;"],
    ["&amp;", "&lt;", "&gt;", "&quot;", "&#x27;"],
    ["&amp;", "&lt;", "&gt;", "&#34;", "&#39;"],
    ["&amp;", "&lt;", "&gt;", "&#x22;", "&#x27;"],
    ["&amp;", "<", ">", "&quot;", "'"],
    ["&#38;", "&#60;", "&#62;", "&#34;", "&#39;"],
    ["&#x26;", "&#x3c;", "&#x3e;", "&#x22;", "&#x27;"],
    ["&#x26;", "&#x3C;", "&#x3E;", "&#x22;", "&#x27;"],
];

/// For white space, and for all else than ASCII: attributes encode the former, Python the latter.
const NUMERIC: [(Numeric, Numeric); 7] = [
    (Numeric::Raw, Numeric::Raw),
    (Numeric::Raw, Numeric::Decimal),
    (Numeric::Raw, Numeric::Hex),
    (Numeric::Decimal, Numeric::Raw),
    (Numeric::Decimal, Numeric::Decimal),
    (Numeric::Hex, Numeric::Raw),
    (Numeric::Hex, Numeric::Hex),
];

/// A shell's `set -x`, dash's and Python's quotes, SQL and YAML, CSV, make and Compose, `printf`.
const REPLACED: [(char, &str); 6] =
    [('\'', r"'\''"), ('\'', r#"'"'"'"#), ('\'', "''"), ('"', "\"\""), ('$', "$$"), ('%', "%%")];

static STYLES: LazyLock<Vec<Style>> = LazyLock::new(|| {
    let mut all = vec![
        Style::Raw,
        Style::Backslash(BASH),
        Style::Backslash(NO_WORD),
        Style::Backslash("\"\\$`"),
        Style::Backslash("$"),
        Style::CodePoints { quote: Some('"'), upper: true },
        Style::CodePoints { quote: Some('\''), upper: false },
        Style::CodePoints { quote: None, upper: false },
    ];
    all.extend(REPLACED.map(|(sign, by)| Style::Replaced(sign, by)));
    let switches = [false, true];
    for ascii in switches {
        for html in switches {
            all.extend(switches.map(|slash| Style::Json { ascii, html, slash }));
        }
        for quote in [None, Some('\''), Some('"')] {
            let numbers = [Numbers::Bash, Numbers::Octal, Numbers::Hex];
            all.extend(numbers.map(|numbers| Style::C { quote, numbers, ascii }));
        }
    }
    for left in LEFT {
        for plus in switches {
            all.extend(switches.map(|upper| Style::Percent { left, plus, upper }));
        }
    }
    for marks in &MARKS {
        all.extend(NUMERIC.map(|(spaces, letters)| Style::Markup { marks, spaces, letters }));
    }
    all
});

/// The styles that write this text differently.
pub fn distinct(text: &str) -> Vec<Style> {
    let special = |(_, c): &(bool, char)| !c.is_ascii_alphanumeric();
    let special: BTreeSet<(bool, char)> = in_context(text).filter(special).collect();
    let mut known = BTreeSet::new();
    let is_new = |style: &&Style| {
        let mut written = Vec::new();
        for (expands, c) in &special {
            style.write(*expands, *c, &mut written);
            // No character begins with it.
            written.push(0xff);
        }
        known.insert(written)
    };
    STYLES.iter().filter(is_new).copied().collect()
}

/// Each character, and whether a shell would expand a `~` there.
fn in_context(text: &str) -> impl Iterator<Item = (bool, char)> {
    let mut before = None;
    text.chars().map(move |c| {
        let expands = c == '~' && matches!(before, Some(':' | '='));
        before = Some(c);
        (expands, c)
    })
}

impl Style {
    /// The text as the encoder writes it.
    pub fn form(self, text: &str) -> Vec<u8> {
        let mut form = Vec::with_capacity(text.len());
        for (expands, c) in in_context(text) {
            self.write(expands, c, &mut form);
        }
        form
    }

    fn write(self, expands: bool, c: char, out: &mut Vec<u8>) {
        match self {
            Self::Json { ascii, html, slash } => json(c, ascii, html, slash, out),
            Self::Percent { left, plus, upper } => percent(c, left, plus, upper, out),
            Self::Backslash(signs) if signs.contains(c) || (expands && signs == BASH) => {
                out.push(b'\\');
                raw(c, out);
            }
            Self::C { quote, numbers, ascii } => in_c(c, quote, numbers, ascii, out),
            Self::CodePoints { quote, upper } => code_points(c, quote, upper, out),
            Self::Replaced(sign, by) if sign == c => out.extend_from_slice(by.as_bytes()),
            Self::Markup { marks, spaces, letters } => markup(c, marks, spaces, letters, out),
            Self::Raw | Self::Backslash(_) | Self::Replaced(..) => raw(c, out),
        }
    }
}

fn raw(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn json(c: char, ascii: bool, html: bool, slash: bool, out: &mut Vec<u8>) {
    let letter = match c {
        '"' | '\\' => Some(c),
        '/' if slash => Some(c),
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        '\u{8}' => Some('b'),
        '\u{c}' => Some('f'),
        _ => None,
    };
    let is_unsafe = html && matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
    if let Some(letter) = letter {
        out.push(b'\\');
        raw(letter, out);
    } else if c < ' ' || is_unsafe || (ascii && c > '~') {
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.extend(format!("\\u{unit:04x}").bytes());
        }
    } else {
        raw(c, out);
    }
}

fn percent(c: char, left: &str, plus: bool, upper: bool, out: &mut Vec<u8>) {
    if c.is_ascii_alphanumeric() || left.contains(c) {
        raw(c, out);
    } else if c == ' ' && plus {
        out.push(b'+');
    } else {
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            let digits = if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") };
            out.extend(digits.bytes());
        }
    }
}

fn in_c(c: char, quote: Option<char>, numbers: Numbers, ascii: bool, out: &mut Vec<u8>) {
    let letter = match (c, numbers) {
        ('\\', _) => Some('\\'),
        ('\n', _) => Some('n'),
        ('\r', _) => Some('r'),
        ('\t', _) => Some('t'),
        ('\u{1b}', Numbers::Bash) => Some('E'),
        ('\u{7}', Numbers::Bash | Numbers::Octal) => Some('a'),
        ('\u{8}', Numbers::Bash | Numbers::Octal) => Some('b'),
        ('\u{b}', Numbers::Bash | Numbers::Octal) => Some('v'),
        ('\u{c}', Numbers::Bash | Numbers::Octal) => Some('f'),
        _ => quote.filter(|quote| *quote == c),
    };
    if let Some(letter) = letter {
        out.push(b'\\');
        raw(letter, out);
    } else if c < ' ' || c == '\u{7f}' || (ascii && !c.is_ascii()) {
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            let digits = match numbers {
                Numbers::Bash | Numbers::Octal => format!("\\{byte:03o}"),
                Numbers::Hex => format!("\\x{byte:02x}"),
            };
            out.extend(digits.bytes());
        }
    } else {
        raw(c, out);
    }
}

fn code_points(c: char, quote: Option<char>, upper: bool, out: &mut Vec<u8>) {
    let letter = match c {
        '\\' => Some('\\'),
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        '\u{1b}' if upper => Some('e'),
        '\u{7}' if upper => Some('a'),
        '\u{8}' if upper => Some('b'),
        '\u{b}' if upper => Some('v'),
        '\u{c}' if upper => Some('f'),
        _ => quote.filter(|quote| *quote == c),
    };
    if let Some(letter) = letter {
        out.push(b'\\');
        raw(letter, out);
    } else if (' '..='~').contains(&c) {
        raw(c, out);
    } else {
        let number = u32::from(c);
        let digits = match (number, upper) {
            (0..0x100, true) => format!("\\x{number:02X}"),
            (0..0x100, false) => format!("\\x{number:02x}"),
            (0x100..0x1_0000, true) => format!("\\u{number:04X}"),
            (0x100..0x1_0000, false) => format!("\\u{number:04x}"),
            (_, true) => format!("\\U{number:08X}"),
            (_, false) => format!("\\U{number:08x}"),
        };
        out.extend(digits.bytes());
    }
}

fn markup(c: char, marks: &[&str; 5], spaces: Numeric, letters: Numeric, out: &mut Vec<u8>) {
    let [and, less, greater, quote, apostrophe] = marks;
    let mark = match c {
        '&' => Some(and),
        '<' => Some(less),
        '>' => Some(greater),
        '"' => Some(quote),
        '\'' => Some(apostrophe),
        _ => None,
    };
    let numeric = match c {
        '\t' | '\n' | '\r' => spaces,
        _ if c.is_ascii() => Numeric::Raw,
        _ => letters,
    };
    let number = u32::from(c);
    match (mark, numeric) {
        (Some(mark), _) => out.extend_from_slice(mark.as_bytes()),
        (None, Numeric::Decimal) => out.extend(format!("&#{number};").bytes()),
        (None, Numeric::Hex) => out.extend(format!("&#x{number:X};").bytes()),
        (None, Numeric::Raw) => raw(c, out),
    }
}
