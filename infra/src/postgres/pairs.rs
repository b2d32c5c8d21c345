//! The form `host=HOST dbname=DATABASE` of a database URL, by the grammar of libpq and the driver.

use std::iter::Peekable;
use std::str::Chars;

use super::DatabaseUrlError;

/// What the driver reads, and the file of `sslrootcert`, which it does not know.
pub(super) fn read(text: &str) -> Result<(String, Option<String>), DatabaseUrlError> {
    let mut rest = text.chars().peekable();
    let (mut root, mut others) = (None, Vec::new());
    loop {
        skip_space(&mut rest);
        if rest.peek().is_none() {
            return Ok((others.join(" "), root));
        }
        let name = take_while(&mut rest, |c| !c.is_whitespace() && c != '=');
        if name.is_empty() {
            return Err(DatabaseUrlError::Form);
        }
        skip_space(&mut rest);
        rest.next_if_eq(&'=').ok_or(DatabaseUrlError::Form)?;
        skip_space(&mut rest);
        let value = value(&mut rest)?;
        match name.as_str() {
            "sslrootcert" => root = Some(value),
            "sslmode" => others.push(format!("sslmode={}", quoted(driver_mode(&value)))),
            _ => others.push(format!("{name}={}", quoted(&value))),
        }
    }
}

/// The driver verifies names whenever it requires TLS.
pub(super) fn driver_mode(mode: &str) -> &str {
    if matches!(mode, "verify-ca" | "verify-full") { "require" } else { mode }
}

/// A value as it stands in this form.
pub(super) fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn value(rest: &mut Peekable<Chars<'_>>) -> Result<String, DatabaseUrlError> {
    let in_quotes = rest.next_if_eq(&'\'').is_some();
    let mut value = String::new();
    loop {
        let ends = |c: char| if in_quotes { c == '\'' } else { c.is_whitespace() };
        match rest.peek().copied() {
            None if in_quotes => return Err(DatabaseUrlError::Form),
            Some(c) if !ends(c) => {
                rest.next();
                let escaped = if c == '\\' { rest.next() } else { Some(c) };
                value.extend(escaped);
            }
            _ => break,
        }
    }
    if in_quotes {
        rest.next();
    } else if value.is_empty() {
        return Err(DatabaseUrlError::Form);
    }
    Ok(value)
}

fn take_while(rest: &mut Peekable<Chars<'_>>, holds: impl Fn(char) -> bool) -> String {
    let mut taken = String::new();
    while let Some(c) = rest.next_if(|c| holds(*c)) {
        taken.push(c);
    }
    taken
}

fn skip_space(rest: &mut Peekable<Chars<'_>>) {
    take_while(rest, char::is_whitespace);
}
