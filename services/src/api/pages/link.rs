//! What the pages of mailed links have in common.

use actix_web::HttpRequest;
use domain::AccountId;
use maud::{Markup, html};
use url::form_urlencoded::parse;

use super::form::may_be_done;
use super::html::{Input, InputKind, Page, button, way_on};
use super::next::parameter;
use super::visit::Visit;
use super::wording::wording;
use super::{SIGN_IN, SIGN_OUT};
use crate::api::accounts::link::{ByLink, LinkRequest};
use crate::api::accounts::me::address_of;
use crate::api::http::deadline::in_time_behind_write;
use crate::api::http::problem::{Problem, ProblemKind};

/// The token of the link that was followed, or pasted as a whole. `None`: the page was opened without one.
pub fn token(request: &HttpRequest) -> Option<String> {
    let shown = parameter(request, "token");
    let token = token_in(shown.trim());
    (!token.is_empty()).then_some(token)
}

/// Former versions had it behind a `#`. Programs that send mails on add parameters of their own.
fn token_in(shown: &str) -> String {
    let (link, fragment) = shown.split_once('#').unwrap_or((shown, ""));
    let Some((_, query)) = link.split_once('?') else {
        return if fragment.is_empty() { link } else { fragment }.to_owned();
    };
    let token = parse(query.as_bytes()).find(|(name, _)| name == "token");
    token.map_or_else(|| fragment.to_owned(), |(_, token)| token.into_owned())
}

/// Whether the link does nothing, however often it is tried.
pub fn is_of_link(problem: &Problem) -> bool {
    let of_link = [
        ProblemKind::LinkGone,
        ProblemKind::LinkInvalid,
        ProblemKind::AlreadyDone,
        ProblemKind::AddressTaken,
        ProblemKind::ErasureRequested,
    ];
    of_link.contains(&problem.kind())
}

/// Says of a link that it does nothing, and what leads on.
pub fn refused(problem: &Problem, instead: Markup) -> Page {
    let (title, text) = wording(problem);
    Page::new(&title, html! { p { (text) } (instead) }).refusing(Some(problem))
}

/// The account of the link of this visit, if following it would do what it is for. `None`: it is not looked at, since by
/// what went wrong it may have done so.
///
/// # Errors
/// The link does nothing, or the databases are not reached.
pub async fn account_of(visit: &Visit<'_>, by: &ByLink) -> Result<Option<AccountId>, Problem> {
    match visit.problem {
        Some(problem) if may_be_done(problem) => Ok(None),
        Some(problem) if is_of_link(problem) => Err(problem.clone()),
        Some(_) | None => {
            let link = LinkRequest::new(visit.value("token").to_owned());
            link.look(visit.api, by).await.map(Some)
        }
    }
}

/// What leads on from a link that did its work. Somebody else than its account's person may be signed in in this browser.
pub async fn way_on_from(visit: &Visit<'_>) -> Markup {
    let next = visit.next();
    let own = in_time_behind_write(visit.signed_in()).await.and_then(Result::ok).flatten();
    let Some(own) = own else {
        return way_on(&next.after(SIGN_IN), "Sign in");
    };
    let email = in_time_behind_write(address_of(visit.api, own.account)).await;
    let email = email.and_then(Result::ok);
    html! {
        @if let Some(email) = email {
            p { "In this browser " strong { bdi { (email.expose()) } } " is signed in." }
        }
        (way_on(&next.to_string(), "Go on"))
        nav { a href=(next.after(SIGN_OUT)) { "Sign in with another address" } }
    }
}

/// A form for the link that the page was opened without. Submitting it changes nothing.
pub fn paste(page: &str, title: &str) -> Page {
    let input = Input {
        name: "token",
        label: "Link from the mail",
        kind: InputKind::Text,
        autocomplete: "off",
        value: "",
        hint: "Or only what stands behind its last =",
        is_required: true,
    };
    let content = html! {
        p { "Open this page with the link that we mailed to you, or copy the link to here." }
        form method="get" action=(page) { (input.draw(None)) (button("Go on")) }
    };
    Page::new(title, content).taking_old_links()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn of(uri: &str) -> Option<String> {
        token(&TestRequest::with_uri(uri).to_http_request())
    }

    #[test]
    fn a_token_is_found_in_the_query_and_in_a_link_that_was_pasted() {
        assert_eq!(of("/verify-email?token=a-_9"), Some("a-_9".to_owned()));
        assert_eq!(of("/verify-email?utm_source=mail&token=abc&x=%00"), Some("abc".to_owned()));
        let pasted = "/verify-email?token=+https%3A%2F%2Fl.example%2Fverify-email%3Ftoken%3Dabc+";
        assert_eq!(of(pasted), Some("abc".to_owned()));
        let old = "/verify-email?token=https%3A%2F%2Fl.example%2Fverify-email%23abc";
        assert_eq!(of(old), Some("abc".to_owned()));
        let further = "https://l.example/verify-email?token=a-_9&utm_source=m#top";
        assert_eq!(token_in(further), "a-_9", "what others add is passed over");
        for none in ["/verify-email", "/verify-email?token=", "/verify-email?other=abc"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
