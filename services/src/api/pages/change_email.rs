//! The link that proves another address.

use actix_web::HttpResponse;
use maud::html;

use super::html::{Page, button, hidden};
use super::visit::{FormPage, Outcome, Visit};
use super::{CHANGE_EMAIL, link};
use crate::api::accounts::email::{CONFIRMS, confirm_by, requested_address};
use crate::api::accounts::link::LinkRequest;
use crate::api::http::problem::Problem;

pub struct ChangeEmail;

impl FormPage for ChangeEmail {
    const NAME: &'static str = CHANGE_EMAIL;

    async fn draw(visit: &Visit<'_>) -> Result<HttpResponse, Problem> {
        let token = visit.value("token");
        if token.is_empty() && visit.problem.is_none() {
            return Ok(link::paste(CHANGE_EMAIL, "Confirm your new address").answer());
        }
        let email = match link::account_of(visit, &CONFIRMS).await {
            Ok(Some(account)) => Some(requested_address(visit.api, account).await?),
            Ok(None) => None,
            Err(over) if link::is_of_link(&over) => {
                let text = "A change of address lasts a day, and a new password ends it.";
                return Ok(link::refused(&over, html! { p { (text) } }).answer());
            }
            Err(over) => return Err(over),
        };
        let fields = html! { (hidden("token", token)) (button("Use this address")) };
        let title = "Use this address from now on?";
        let page = visit.page((CHANGE_EMAIL, title), fields, |form| {
            html! {
                @if let Some(email) = email {
                    p { strong { bdi { (email.expose()) } } }
                }
                p { "It becomes the address of your account, and no mail goes to the old one." }
                p { "Was it not you? Close this page." }
                (form)
            }
        });
        Ok(page.await?.answer())
    }

    async fn send(visit: &Visit<'_>) -> Result<Outcome, Problem> {
        let (caller, bytes) = visit.caller(CHANGE_EMAIL).await?;
        let link = LinkRequest::new(visit.value("token").to_owned());
        confirm_by(&link, visit.api, &caller, bytes).await?;
        Ok(Outcome::Done("changed"))
    }

    async fn done(visit: &Visit<'_>, _: &str) -> Option<Page> {
        let content = html! {
            p { "Sign in with it from now on." }
            (link::way_on_from(visit).await)
        };
        Some(Page::new("Your address is changed", content))
    }
}
