//! The link that proves an address, and another mail with it.

use actix_web::HttpResponse;
use domain::AccountId;
use maud::{Markup, html};

use super::html::{Page, button, hidden, way_on};
use super::next::{Next, go_to};
use super::visit::{FormPage, Outcome, Visit};
use super::{ACCOUNT, RESET_PASSWORD, SIGN_IN, VERIFY_EMAIL, link};
use crate::api::Api;
use crate::api::accounts::link::LinkRequest;
use crate::api::accounts::me::{account_row, address_of, view};
use crate::api::accounts::register::{VERIFIES, mail_again, verify_by};
use crate::api::auth::signed_in::SignedIn;
use crate::api::http::problem::{Problem, ProblemKind};

const WITHOUT_LINK: &str = "Confirm your address";

pub struct VerifyEmail;

impl FormPage for VerifyEmail {
    const NAME: &'static str = VERIFY_EMAIL;

    async fn draw(visit: &Visit<'_>) -> Result<HttpResponse, Problem> {
        if visit.value("token").is_empty() {
            return match (visit.problem, visit.signed_in().await?) {
                (Some(problem), _) if problem.kind() == ProblemKind::AlreadyDone => {
                    Ok(refused(problem))
                }
                (_, Some(signed_in)) => without_link(visit, &signed_in).await,
                (_, None) => Ok(asks_who_it_is()),
            };
        }
        match link::account_of(visit, &VERIFIES).await {
            Ok(account) => with_link(visit, account).await,
            Err(over) if link::is_of_link(&over) => Ok(refused(&over)),
            Err(over) => Err(over),
        }
    }

    async fn send(visit: &Visit<'_>) -> Result<Outcome, Problem> {
        let (caller, bytes) = visit.caller(VERIFY_EMAIL).await?;
        let token = visit.value("token");
        if !token.is_empty() {
            let link = LinkRequest::new(token.to_owned());
            verify_by(&link, visit.api, &caller, bytes).await?;
            return Ok(Outcome::Done("confirmed"));
        }
        let Some(signed_in) = visit.signed_in().await? else {
            let goes = go_to(&Next::to(VERIFY_EMAIL).after(SIGN_IN)).finish();
            return Ok(Outcome::Goes(goes));
        };
        mail_again(visit.api, &signed_in, &caller, bytes).await?;
        Ok(Outcome::Done("mailed"))
    }

    async fn done(visit: &Visit<'_>, what: &str) -> Option<Page> {
        if what == "confirmed" {
            let content = html! {
                p { "We know now that mail to it reaches you." }
                (link::way_on_from(visit).await)
            };
            return Some(Page::new("Your address is confirmed", content));
        }
        let next = visit.next();
        let content = html! {
            p { "Another link is on its way. It works for three days, and the earlier one no longer." }
            @if next.is_invitation() {
                p { "First follow that link. Then open the invitation again." }
                (way_on(&next.to_string(), "Open the invitation"))
            }
            nav { a href=(next.after(VERIFY_EMAIL)) { "No mail comes?" } }
        };
        Some(Page::new("Look into your mail", content))
    }
}

/// A link that did its work says so as well when it is followed once more.
fn refused(problem: &Problem) -> HttpResponse {
    if problem.kind() != ProblemKind::AlreadyDone {
        return link::refused(problem, way_on(VERIFY_EMAIL, "Mail another link")).answer();
    }
    let content = html! {
        p { "There is nothing left to do, and links to confirm it do nothing any more." }
        (way_on(ACCOUNT, "Go on"))
    };
    let title = "The address of the account is confirmed already";
    Page::new(title, content).refusing(Some(problem)).answer()
}

async fn with_link(visit: &Visit<'_>, account: Option<AccountId>) -> Result<HttpResponse, Problem> {
    let mut about = html! {};
    if let Some(account) = account {
        about = of_account(visit.api, account).await?;
    }
    let fields = html! {
        (hidden("token", visit.value("token")))
        (hidden("next", &visit.next().to_string()))
        (button("Yes, it is mine"))
    };
    let page = visit.page((VERIFY_EMAIL, "Is this your address?"), fields, |form| {
        html! {
            p { "This account was opened with your address. Confirm that both are yours." }
            (about)
            (form)
            p { "Was it not you? Close this page. Or choose a new password: the account is yours then." }
            nav { a href=(RESET_PASSWORD) { "Choose a new password" } }
        }
    });
    Ok(page.await?.answer())
}

/// Whoever has the mail may see whose account it is about.
async fn of_account(api: &Api, account: AccountId) -> Result<Markup, Problem> {
    let me = view(api, &account_row(api, account).await?).await?;
    Ok(html! {
        dl {
            dt { "Name" }
            dd { bdi { (me.name.as_ref().map_or("", |name| name.expose())) } }
            dt { "E-mail address" }
            dd { bdi { (me.email.as_ref().map_or("", |email| email.expose())) } }
        }
    })
}

fn asks_who_it_is() -> HttpResponse {
    let content = html! {
        p { "Follow the link in the mail that we sent you. To get another mail, sign in." }
        (way_on(&Next::to(VERIFY_EMAIL).after(SIGN_IN), "Sign in"))
    };
    Page::new(WITHOUT_LINK, content).taking_old_links().answer()
}

/// Whoever is signed in gets another mail.
async fn without_link(visit: &Visit<'_>, signed_in: &SignedIn) -> Result<HttpResponse, Problem> {
    let email = address_of(visit.api, signed_in.account).await?;
    let fields = html! {
        (hidden("next", &visit.next().to_string()))
        (button("Mail another link"))
    };
    let page = visit.page((VERIFY_EMAIL, WITHOUT_LINK), fields, |form| {
        html! {
            p {
                "Follow the link in the mail that we sent to " strong { bdi { (email.expose()) } } ". It is not \
                 there? We mail another one, and the earlier link no longer works."
            }
            (form)
        }
    });
    Ok(page.await?.taking_old_links().answer())
}
