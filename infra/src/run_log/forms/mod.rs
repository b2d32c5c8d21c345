//! The forms in which a command may print a secret.

mod digits;
mod parts;
mod styles;
mod url;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

pub(super) use parts::{bytes_to_find, is_scattered};
use styles::Style;

/// In bytes. A shorter secret would mask much of any text.
pub(super) const SECRET_BYTES_MIN: usize = 4;
/// In bytes, of all forms of the secrets of a run: bounds the memory of the search, which takes up to
/// 16 bytes for each.
pub(super) const FORMS_BYTES_MAX: usize = 1024 * 1024;
/// The encoders that fold long lines at spaces: plain, in single quotes, in double quotes.
const FOLDED: [Style; 4] = [
    Style::Raw,
    Style::Replaced('\'', "''"),
    Style::Json { ascii: false, html: false, slash: false },
    Style::CodePoints { quote: Some('"'), upper: true },
];

/// Takes a form; breaks off if it wants no more.
type Put<'a> = &'a mut dyn FnMut(&[u8]) -> ControlFlow<()>;

/// Every form of the secrets. None has a line end: a line that is cut short is masked up to there.
pub(super) fn forms(secrets: &[&str]) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::new();
    let mut bytes = 0;
    let values = values(secrets);
    let mut put = |form: &[u8]| -> ControlFlow<()> {
        if !form.is_empty() && !form.contains(&b'\n') {
            bytes += form.len();
            all.insert(form.to_vec());
        }
        ControlFlow::Continue(())
    };
    let _ = each_form(&values, &mut put);
    for value in with_wrapped_hex(&values, FORMS_BYTES_MAX.saturating_sub(bytes)) {
        let mut put = |form: &[u8]| -> ControlFlow<()> {
            all.insert(form.to_vec());
            ControlFlow::Continue(())
        };
        let _ = digits::wrapped_hex(value.as_bytes(), &mut put);
    }
    all
}

/// Whether the forms have more than [`FORMS_BYTES_MAX`]. Encodes no more than that.
pub(super) fn are_too_many(secrets: &[&str]) -> bool {
    let mut left = FORMS_BYTES_MAX;
    let mut put = |form: &[u8]| -> ControlFlow<()> {
        match left.checked_sub(form.len()) {
            Some(rest) => {
                left = rest;
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
        }
    };
    each_form(&values(secrets), &mut put).is_break()
}

/// The secrets, and what a command may print of them alone.
fn values(secrets: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for secret in secrets {
        let value = secret.trim_ascii();
        all.push(value.to_owned());
        // An HTML form sends line ends as CR LF, and a shell may have turned them into LF.
        if value.contains("\r\n") {
            all.push(value.replace("\r\n", "\n"));
        }
        let passwords = url::passwords(value).into_iter();
        let passwords = passwords.map(|password| password.trim_ascii().to_owned());
        all.extend(passwords.filter(|password| {
            bytes_to_find(password) >= SECRET_BYTES_MIN && !is_scattered(password)
        }));
    }
    all
}

/// The forms without wrapped hex.
fn each_form(values: &[String], put: Put<'_>) -> ControlFlow<()> {
    for value in values {
        for part in parts::parts(value) {
            for style in styles::distinct(part) {
                put(&style.form(part))?;
            }
        }
        for words in parts::folded(value) {
            let forms: BTreeSet<Vec<u8>> = FOLDED.map(|style| style.form(words)).into();
            for form in &forms {
                put(form)?;
            }
        }
        digits::base64(value.as_bytes(), put)?;
        digits::hex(value.as_bytes(), put)?;
    }
    ControlFlow::Continue(())
}

/// The shortest values, as far as their wrapped hex has room. It takes far more of it than any other
/// form: long secrets go without, so that they need not be refused.
fn with_wrapped_hex(values: &[String], mut room: usize) -> Vec<&String> {
    let mut shortest: Vec<&String> = values.iter().collect();
    shortest.sort_by_key(|value| value.len());
    let fits = |value: &&String| {
        let bytes = value.len() * digits::WRAPPED_HEX_BYTES;
        let has_room = bytes <= room;
        room = room.saturating_sub(bytes);
        has_room
    };
    shortest.into_iter().take_while(fits).collect()
}
