//! Who is signed in, and what can be done from here.

use actix_web::{HttpRequest, HttpResponse};
use maud::html;

use super::html::Page;
use super::next::go_to;
use super::wording::date;
use super::{RESET_PASSWORD, SIGN_IN, SIGN_OUT, VERIFY_EMAIL, signed_in};
use crate::api::ApiData;
use crate::api::accounts::me::{account_row, view};
use crate::api::http::problem::Problem;

pub async fn show(request: HttpRequest, api: ApiData) -> Result<HttpResponse, Problem> {
    let Some(signed_in) = signed_in(&request).await? else {
        return Ok(go_to(SIGN_IN).finish());
    };
    let me = view(&api, &account_row(&api, signed_in.account).await?).await?;
    let email = me.email.as_ref().map_or("", |email| email.expose());
    let content = html! {
        @if let Some(due) = me.erasure_due_at {
            div.alert {
                strong { "This account will be erased on " (date(due)) "." }
                p { "Until then, whoever is signed in can cancel that, by the API." }
            }
        }
        dl {
            dt { "Name" }
            dd { bdi { (me.name.as_ref().map_or("", |name| name.expose())) } }
            @if let Some(username) = &me.username {
                dt { "Username" }
                dd { bdi { (username.expose()) } }
            }
            dt { "E-mail address" }
            dd {
                bdi { (email) }
                @if !me.email_verified {
                    " " span.badge { "not confirmed" }
                }
            }
        }
        nav {
            @if !me.email_verified { a href=(VERIFY_EMAIL) { "Confirm the address" } }
            a href=(RESET_PASSWORD) { "Choose a new password" }
            a href=(SIGN_OUT) { "Sign out" }
        }
    };
    Ok(Page::new("Your account", content).answer())
}
