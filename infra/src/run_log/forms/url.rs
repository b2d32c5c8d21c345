//! The password in a URL is a secret of its own: commands print it alone.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The passwords of every `scheme://user:password@host` in a text, as they stand there, and decoded.
pub fn passwords(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for (at, separator) in text.match_indices("://") {
        let rest = text.get(at + separator.len()..).unwrap_or_default();
        let ends = |c: char| matches!(c, '/' | '?' | '#' | '"') || c.is_whitespace();
        let authority = rest.split(ends).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        let Some((_, password)) = user.and_then(|user| user.split_once(':')) else { continue };
        let decoded = percent_decode_str(password).decode_utf8();
        all.extend(decoded.ok().filter(|decoded| decoded != password).map(Cow::into_owned));
        all.push(password.to_owned());
    }
    all
}
