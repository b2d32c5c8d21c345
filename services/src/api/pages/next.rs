//! Where a browser goes after a sign-in: to one of our own pages, and to no address that somebody else wrote.

use std::fmt;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use url::form_urlencoded::{Serializer, byte_serialize, parse};

use super::{ACCEPT_INVITATION, ACCOUNT, VERIFY_EMAIL};

/// The pages that lead to a sign-in, and back.
const PAGES: [&str; 3] = [ACCOUNT, VERIFY_EMAIL, ACCEPT_INVITATION];
/// A token of a link has 91 characters.
const TOKEN_MAX: usize = 128;

/// A page, and the token of the link that leads to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    page: &'static str,
    token: Option<String>,
}

impl Next {
    pub const ACCOUNT: Self = Self::to(ACCOUNT);

    pub const fn to(page: &'static str) -> Self {
        Self { page, token: None }
    }

    /// What the query of a page says. Whatever is none of our pages is the account.
    pub fn of(request: &HttpRequest) -> Self {
        Self::read(&parameter(request, "next"))
    }

    pub fn read(text: &str) -> Self {
        Self::known(text).unwrap_or(Self::ACCOUNT)
    }

    fn known(text: &str) -> Option<Self> {
        let (name, token) = match text.split_once("?token=") {
            Some((name, token)) => (name, Some(token)),
            None => (text, None),
        };
        let page = *PAGES.iter().find(|page| **page == name)?;
        match token {
            Some(token) => is_token(token).then(|| Self { page, token: Some(token.to_owned()) }),
            None => Some(Self::to(page)),
        }
    }

    pub fn is_invitation(&self) -> bool {
        self.page == ACCEPT_INVITATION
    }

    /// The reference of a page that leads here at its end.
    pub fn after(&self, page: &str) -> String {
        if *self == Self::ACCOUNT {
            return page.to_owned();
        }
        let next: String = byte_serialize(self.to_string().as_bytes()).collect();
        format!("{page}?next={next}")
    }
}

/// A page with the link that it was opened with, and what it leads to, as far as these may be ours.
pub fn reference(path: &str, token: &str, next: &str) -> String {
    let mut query = Serializer::new(String::new());
    if is_token(token) {
        query.append_pair("token", token);
    }
    let next = Next::read(next);
    if next != Next::ACCOUNT {
        query.append_pair("next", &next.to_string());
    }
    let (page, query) = (path.trim_start_matches('/'), query.finish());
    if query.is_empty() { page.to_owned() } else { format!("{page}?{query}") }
}

/// A page that says what was done, as its seal shows.
pub fn done_at(page: &str, (what, seal): (&str, &str), next: &Next) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair("done", what).append_pair("seal", seal);
    if *next != Next::ACCOUNT {
        query.append_pair("next", &next.to_string());
    }
    format!("{page}?{}", query.finish())
}

/// Sends the browser to another page.
pub fn go_to(reference: &str) -> HttpResponseBuilder {
    let mut answer = HttpResponse::SeeOther();
    answer.insert_header((header::LOCATION, reference));
    answer
}

/// Relative: `public_url` may have a path, which a proxy takes off.
impl fmt::Display for Next {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.token {
            Some(token) => write!(out, "{}?token={token}", self.page),
            None => out.write_str(self.page),
        }
    }
}

/// A parameter of the query; empty where there is none. Others are passed over: programs that send mails on add
/// their own.
pub fn parameter(request: &HttpRequest, name: &str) -> String {
    let mut all = parse(request.query_string().as_bytes());
    all.find(|(of, _)| of == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// Whether it may be the token of a link: it then needs no encoding in one.
fn is_token(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=TOKEN_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_of_ours_is_gone_to_with_its_token() {
        for own in ["account", "verify-email", "accept-invitation?token=a-_9"] {
            assert_eq!(Next::read(own).to_string(), own);
        }
        let next = Next::read("accept-invitation?token=abc");
        assert_eq!(next.after("sign-in"), "sign-in?next=accept-invitation%3Ftoken%3Dabc");
        assert_eq!(Next::ACCOUNT.after("sign-in"), "sign-in");
    }

    #[test]
    fn the_way_back_has_what_may_be_ours_and_no_more() {
        assert_eq!(reference("/register", "", "account"), "register");
        let next = "accept-invitation?token=a-_9";
        let back = "verify-email?token=abc&next=accept-invitation%3Ftoken%3Da-_9";
        assert_eq!(reference("/verify-email", "abc", next), back);
        assert_eq!(reference("/verify-email", "a&b", "//evil.example"), "verify-email");
    }

    #[test]
    fn nothing_else_is_gone_to() {
        for other in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/account",
            "account/../x",
            "account?x=1",
            "account#x",
            "sign-out",
            "accept-invitation?token=",
            "accept-invitation?token=a&next=//evil.example",
            "accept-invitation?token=a\r\nSet-Cookie: x",
            "javascript:alert(1)",
        ] {
            assert_eq!(Next::read(other), Next::ACCOUNT, "{other}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_a_page_of_ours(text in ".{0,200}") {
            let next = Next::read(&text).to_string();
            prop_assert!(PAGES.contains(&next.split('?').next().unwrap()));
            prop_assert!(next.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}
