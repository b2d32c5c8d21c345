//! What the pages of mailed links have in common.

use actix_web::HttpRequest;
use maud::{Markup, html};

use super::html::{Input, InputKind, Page, button};
use super::next::parameter;
use super::wording::wording;
use crate::api::http::problem::{Problem, ProblemKind};

/// The token of the link that was followed, or pasted as a whole. `None`: the page was opened without one.
pub fn token(request: &HttpRequest) -> Option<String> {
    let shown = parameter(request, "token");
    let token = shown.trim().rsplit(['=', '#']).next().unwrap_or_default();
    (!token.is_empty()).then(|| token.to_owned())
}

/// Says of a link that it does nothing, and what leads on.
///
/// # Errors
/// The problem, if it is not the link's.
pub fn refused(problem: Problem, instead: Markup) -> Result<Page, Problem> {
    let of_link = [
        ProblemKind::LinkGone,
        ProblemKind::LinkInvalid,
        ProblemKind::AlreadyDone,
        ProblemKind::AddressTaken,
        ProblemKind::ErasureRequested,
    ];
    if !of_link.contains(&problem.kind()) {
        return Err(problem);
    }
    let (title, text) = wording(&problem);
    Ok(Page::new(&title, html! { p { (text) } (instead) }).refusing(Some(&problem)))
}

/// Asks for the link that the page was opened without. To send it changes nothing.
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
        for none in ["/verify-email", "/verify-email?token=", "/verify-email?other=abc"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
