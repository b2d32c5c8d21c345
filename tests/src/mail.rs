//! Mails as they were written to the mail folder.

use std::path::PathBuf;

use crate::until;

#[derive(Clone, Debug)]
pub struct Mail {
    pub to: String,
    pub subject: String,
    pub text: String,
}

/// A mail folder.
#[derive(Clone, Debug)]
pub struct Mailbox(PathBuf);

impl Mailbox {
    pub const fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Mail number `count` to this address, once it is there.
    pub async fn mail(&self, address: &str, count: usize) -> Mail {
        let found = async || self.mails(address).into_iter().nth(count - 1);
        until(&format!("mail {count} to {address}"), found).await
    }

    /// A mail to this address that is none of `before`, once it is there. The mails of an invitation are deleted
    /// when it ends, so that their number says nothing.
    pub async fn another(&self, address: &str, before: &[Mail]) -> Mail {
        let is_new = |mail: &Mail| before.iter().all(|other| other.text != mail.text);
        let found = async || self.mails(address).into_iter().find(is_new);
        until(&format!("another mail to {address}"), found).await
    }

    /// Every mail to this address, the oldest first.
    pub fn mails(&self, address: &str) -> Vec<Mail> {
        let mut files: Vec<_> = std::fs::read_dir(&self.0)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|ending| ending == "eml"))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        files.sort();
        let text = files.into_iter().filter_map(|(_, path)| std::fs::read_to_string(path).ok());
        text.map(|text| Mail::parse(&text)).filter(|mail| mail.to == address).collect()
    }
}

impl Mail {
    pub fn parse(source: &str) -> Self {
        let source = source.replace("\r\n", "\n");
        let (head, body) = source.split_once("\n\n").unwrap_or((&source, ""));
        let head = head.replace("\n ", " ");
        let header = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.unwrap_or_default().to_owned()
        };
        let to = header("To").trim_matches(|c| matches!(c, '<' | '>')).to_owned();
        let text = match header("Content-Transfer-Encoding").as_str() {
            "quoted-printable" => quoted_printable(body),
            "base64" => base64(body),
            _ => body.to_owned(),
        };
        Self { to, subject: header("Subject"), text }
    }

    /// The first link of the text.
    #[track_caller]
    pub fn link(&self) -> &str {
        let link = self.text.split_whitespace().find(|word| word.starts_with("http"));
        link.unwrap_or_else(|| panic!("no link in {}", self.text))
    }

    /// The secret of the first link: what follows its last `=`, `#` or `/`.
    #[track_caller]
    pub fn token(&self) -> &str {
        self.link().rsplit(['=', '#', '/']).next().unwrap()
    }
}

fn quoted_printable(body: &str) -> String {
    let body = body.replace("=\n", "");
    let mut bytes = Vec::new();
    let mut rest = body.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| hex::decode(code).ok());
        if let (b'=', Some(code)) = (first, code) {
            bytes.extend(code);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn base64(body: &str) -> String {
    use base64::Engine;
    let body: String = body.split_whitespace().collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(body).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_read_as_its_reader_sees_it() {
        let source = "Subject: Welcome\r\nTo: <ada@example.org>\r\nContent-Transfer-Encoding: \
                      quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe:\r\nhttp://x/?token=3Dab=\r\ncd\r\n";

        let mail = Mail::parse(source);

        assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("ada@example.org", "Welcome"));
        assert!(mail.text.starts_with("Grüße"), "{}", mail.text);
        assert_eq!(mail.token(), "abcd");
    }
}
