//! Another password: the mail with the link, and the page that it opens.

use actix_web::HttpResponse;
use maud::html;

use super::html::{Input, InputKind, Page, button, hidden, way_on};
use super::register::PASSWORD_HINT;
use super::visit::{FormPage, Outcome, Visit};
use super::{RESET_PASSWORD, SIGN_IN, link};
use crate::api::accounts::password::{ForgottenPasswordRequest, RESETS, ResetPasswordRequest};
use crate::api::http::problem::Problem;

pub struct ResetPassword;

impl FormPage for ResetPassword {
    const NAME: &'static str = RESET_PASSWORD;

    async fn draw(visit: &Visit<'_>) -> Result<HttpResponse, Problem> {
        if visit.value("token").is_empty() {
            return ask_for_address(visit).await;
        }
        match link::account_of(visit, &RESETS).await {
            Ok(_) => ask_for_password(visit).await,
            Err(over) if link::is_of_link(&over) => {
                let instead = way_on(RESET_PASSWORD, "Mail another link");
                Ok(link::refused(&over, instead).answer())
            }
            Err(over) => Err(over),
        }
    }

    async fn send(visit: &Visit<'_>) -> Result<Outcome, Problem> {
        let (caller, bytes) = visit.caller(RESET_PASSWORD).await?;
        if visit.value("token").is_empty() {
            let form: ForgottenPasswordRequest = visit.sent.fields(&["email"])?;
            form.mail(visit.api, &caller, bytes).await?;
            return Ok(Outcome::Done("mailed"));
        }
        let form: ResetPasswordRequest = visit.sent.fields(&["token", "password"])?;
        form.reset(visit.api, &caller, bytes).await?;
        Ok(Outcome::Done("changed"))
    }

    async fn done(visit: &Visit<'_>, what: &str) -> Option<Page> {
        if what == "changed" {
            let content = html! {
                p {
                    "You are signed out everywhere, and your API tokens have ended. Sign in with the new password."
                }
                (link::way_on_from(visit).await)
            };
            return Some(Page::new("Your password is changed", content));
        }
        // The same whether or not anybody has the address.
        let content = html! {
            p {
                "If an account has the address that you gave, a link is on its way there. It works for an hour, and \
                 your password until then."
            }
            nav { a href=(RESET_PASSWORD) { "No mail comes?" } }
        };
        Some(Page::new("Look into your mail", content))
    }
}

async fn ask_for_address(visit: &Visit<'_>) -> Result<HttpResponse, Problem> {
    let address = Input::address(visit.value("email"));
    let fields = html! { (address.draw(visit.problem)) (button("Mail the link")) };
    let page = visit.page((RESET_PASSWORD, "A new password"), fields, |form| {
        html! {
            p { "We mail you a link with which you choose another one." }
            (form)
            nav { a href=(SIGN_IN) { "Back to the sign-in" } }
        }
    });
    Ok(page.await?.taking_old_links().answer())
}

async fn ask_for_password(visit: &Visit<'_>) -> Result<HttpResponse, Problem> {
    let password = Input {
        name: "password",
        label: "New password",
        kind: InputKind::NewPassword,
        autocomplete: "new-password",
        value: "",
        hint: PASSWORD_HINT,
        is_required: true,
    };
    let fields = html! {
        (hidden("token", visit.value("token")))
        (password.draw(visit.problem))
        (button("Change the password"))
    };
    let page = visit.page((RESET_PASSWORD, "Choose a new password"), fields, |form| {
        html! { p { "It signs you out everywhere, and ends your API tokens." } (form) }
    });
    Ok(page.await?.answer())
}
