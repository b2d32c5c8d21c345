//! An invitation: accepted or declined by whoever has the address that it was mailed to.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use infra::keyring::LinkPurpose;
use maud::{Markup, html};

use super::form::{PageForm, Seal};
use super::html::{Page, form, hidden, way_on};
use super::next::Next;
use super::wording::date;
use super::{
    ACCEPT_INVITATION, ACCOUNT, REGISTER, SIGN_IN, SIGN_OUT, VERIFY_EMAIL, link, signed_in,
};
use crate::api::accounts::link::LinkRequest;
use crate::api::accounts::me::address_of;
use crate::api::auth::signed_in::SignedIn;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::workspaces::acceptance::join;
use crate::api::workspaces::invited::{InvitedView, decline_by, invited};
use crate::api::{Api, ApiData};

pub async fn show(request: HttpRequest, api: ApiData) -> Result<HttpResponse, Problem> {
    let Some(token) = link::token(&request) else {
        return Ok(link::paste(ACCEPT_INVITATION, "Your invitation").answer());
    };
    let link = LinkRequest::new(token.clone());
    let Some(signed_in) = signed_in(&request).await? else {
        return match link.subject(&api, LinkPurpose::AcceptInvitation).await {
            Ok(_) => Ok(asks_who_it_is(&back_to(&token)).answer()),
            Err(problem) => Ok(link::refused(problem, html! {})?.answer()),
        };
    };
    match invited(&api, &signed_in, &link).await {
        Ok(to) => {
            let seal = Seal::new(&request, &api, ACCEPT_INVITATION).await?;
            let page = question(&to, form(ACCEPT_INVITATION, &seal, answers(&token)));
            Ok(page.sealed(seal).answer())
        }
        Err(problem) => refused(&api, &signed_in, (&token, problem)).await,
    }
}

pub async fn act(
    request: HttpRequest,
    api: ApiData,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let sent = PageForm::read(&request, &api, payload, ACCEPT_INVITATION).await?;
    let token = sent.value("token");
    let Some(signed_in) = signed_in(&request).await? else {
        return Ok(asks_who_it_is(&back_to(token)).answer());
    };
    let done = match sent.value("answer") {
        "decline" => decline(&api, &signed_in, &sent).await,
        _ => accept(&api, &signed_in, &sent).await,
    };
    match done {
        Ok(page) => Ok(page.answer()),
        Err(problem) => refused(&api, &signed_in, (token, problem)).await,
    }
}

async fn accept(api: &Api, signed_in: &SignedIn, sent: &PageForm) -> Result<Page, Problem> {
    let link = LinkRequest::new(sent.value("token").to_owned());
    join(api, signed_in, &sent.caller, (&link, sent.bytes.clone())).await?;
    let content = html! {
        p { "You are a member of the workspace now." }
        (way_on(ACCOUNT, "Go on"))
    };
    Ok(Page::new("Welcome", content))
}

async fn decline(api: &Api, signed_in: &SignedIn, sent: &PageForm) -> Result<Page, Problem> {
    let link = LinkRequest::new(sent.value("token").to_owned());
    decline_by(&link, api, signed_in, (&sent.caller, sent.bytes.clone())).await?;
    let text = "The link no longer works, and the workspace keeps nothing of your address.";
    Ok(Page::new("You declined", html! { p { (text) } (way_on(ACCOUNT, "Go on")) }))
}

fn question(to: &InvitedView, answers: Markup) -> Page {
    let content = html! {
        dl {
            dt { "Workspace" }
            dd { (to.workspace_name.expose()) }
            dt { "You would be" }
            dd { (to.role.as_str()) }
            dt { "The invitation ends" }
            dd { (date(to.expires_at)) }
        }
        (answers)
    };
    Page::new("You are invited", content)
}

fn answers(token: &str) -> Markup {
    html! {
        (hidden("token", token))
        button type="submit" name="answer" value="accept" { "Join the workspace" }
        button.second type="submit" name="answer" value="decline" { "Decline" }
    }
}

fn back_to(token: &str) -> Next {
    Next::read(&format!("{ACCEPT_INVITATION}?token={token}"))
}

fn asks_who_it_is(back: &Next) -> Page {
    let content = html! {
        p {
            "Somebody invites you to a workspace. Sign in with the address that the invitation was mailed to, or \
             open an account with it, and you come back here."
        }
        (way_on(&back.after(SIGN_IN), "Sign in"))
        nav { a href=(back.after(REGISTER)) { "Open an account" } }
    };
    Page::new("You are invited", content)
}

/// Whoever has another address, or none that is confirmed, reads what to do about that.
async fn refused(
    api: &Api,
    signed_in: &SignedIn,
    (token, problem): (&str, Problem),
) -> Result<HttpResponse, Problem> {
    if problem.kind() != ProblemKind::NotInvited {
        return Ok(link::refused(problem, way_on(ACCOUNT, "Go on"))?.answer());
    }
    let email = address_of(api, signed_in.account).await?;
    let back = back_to(token);
    let content = html! {
        p { "You are signed in as " strong { (email.expose()) } "." }
        (way_on(&back.after(SIGN_OUT), "Sign in with another address"))
        nav { a href=(VERIFY_EMAIL) { "Confirm this address" } }
    };
    Ok(Page::of_problem(&problem).adding(content).answer())
}
