//! A database URL, in either form, with what libpq understands and tokio-postgres does not.

use std::path::PathBuf;

use tokio_postgres::Config;

use super::PgError;

const ROOT: &str = "sslrootcert=";

/// The settings of a URL, and the file of certificates that it trusts in place of the web's
/// authorities (`sslrootcert`). Names are always verified: `verify-full` is what `require` does.
pub(super) fn read(url: &str) -> Result<(Config, Option<PathBuf>), PgError> {
    let (text, root) = if url.contains("://") { of_url(url) } else { of_pairs(url) };
    let text = ["verify-full", "verify-ca"]
        .iter()
        .fold(text, |text, mode| text.replace(&format!("sslmode={mode}"), "sslmode=require"));
    let config = text.parse().map_err(|_| PgError::Url)?;
    let root = root.filter(|root| root != "system").map(PathBuf::from);
    Ok((config, root))
}

fn of_url(url: &str) -> (String, Option<String>) {
    let Some((place, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let (roots, others): (Vec<&str>, Vec<&str>) =
        query.split('&').partition(|pair| pair.starts_with(ROOT));
    let root = roots.last().and_then(|pair| pair.strip_prefix(ROOT)).map(decoded);
    let mark = if others.is_empty() { "" } else { "?" };
    (format!("{place}{mark}{}", others.join("&")), root)
}

fn decoded(value: &str) -> String {
    let mut parts = value.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|code| hex::decode(code).ok()) {
            Some(byte) => {
                bytes.extend(byte);
                bytes.extend(part.bytes().skip(2));
            }
            None => bytes.extend(b"%".iter().copied().chain(part.bytes())),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn of_pairs(pairs: &str) -> (String, Option<String>) {
    let start = pairs.match_indices(ROOT).map(|(at, _)| at);
    let mut starts = start.filter(|at| pairs.get(..*at).is_some_and(begins_a_pair));
    let Some((before, rest)) = starts.next().and_then(|at| pairs.split_at_checked(at)) else {
        return (pairs.to_owned(), None);
    };
    let value = rest.strip_prefix(ROOT).unwrap_or_default();
    let (root, after) = match value.strip_prefix('\'') {
        Some(quoted) => quoted.split_once('\'').unwrap_or((quoted, "")),
        None => value.split_once(char::is_whitespace).unwrap_or((value, "")),
    };
    (format!("{before} {after}"), Some(root.to_owned()))
}

fn begins_a_pair(before: &str) -> bool {
    before.is_empty() || before.ends_with(char::is_whitespace)
}
