//! The link that proves an address, and another mail with it.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use domain::AccountId;
use maud::{Markup, html};

use super::form::SentForm;
use super::html::{Page, alert, button, form, hidden, way_on};
use super::next::{Next, go_to};
use super::{ACCOUNT, RESET_PASSWORD, SIGN_IN, VERIFY_EMAIL, link, signed_in};
use crate::api::accounts::link::LinkRequest;
use crate::api::accounts::me::{account_row, address_of, view};
use crate::api::accounts::register::{VERIFIES, mail_again, verify_by};
use crate::api::auth::signed_in::SignedIn;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::{Api, ApiData};

pub async fn show(request: HttpRequest, api: ApiData) -> Result<HttpResponse, Problem> {
    let token = link::token(&request).unwrap_or_default();
    draw(&request, &api, &SentForm::opened(&token, &Next::of(&request)), None).await
}

pub async fn act(
    request: HttpRequest,
    api: ApiData,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let sent = SentForm::read(&request, &api, payload).await?;
    let has_link = !sent.value("token").is_empty();
    let done = if has_link {
        verify(&request, &api, &sent).await
    } else {
        mail_another(&request, &api, &sent).await
    };
    let is_over = |problem: &Problem| {
        problem.kind() == ProblemKind::AlreadyDone || has_link && link::is_of_link(problem)
    };
    match done {
        Ok(answer) => Ok(answer),
        Err(problem) if is_over(&problem) => Ok(refused(&problem)),
        Err(problem) => draw(&request, &api, &sent, Some(&problem)).await,
    }
}

async fn verify(
    request: &HttpRequest,
    api: &Api,
    sent: &SentForm,
) -> Result<HttpResponse, Problem> {
    let caller = sent.caller(request, api, VERIFY_EMAIL).await?;
    let link = LinkRequest::new(sent.value("token").to_owned());
    let (account, _) = verify_by(&link, api, &caller, sent.bytes.clone()).await?;
    let content = html! {
        p { "We know now that mail to it reaches you." }
        (link::way_on_of(request, api, account, &sent.next()).await)
    };
    Ok(Page::new("Your address is confirmed", content).answer())
}

async fn mail_another(
    request: &HttpRequest,
    api: &Api,
    sent: &SentForm,
) -> Result<HttpResponse, Problem> {
    let (caller, next) = (sent.caller(request, api, VERIFY_EMAIL).await?, sent.next());
    let Some(signed_in) = signed_in(request).await? else {
        return Ok(go_to(&Next::to(VERIFY_EMAIL).after(SIGN_IN)).finish());
    };
    mail_again(api, &signed_in, &caller, sent.bytes.clone()).await?;
    let content = html! {
        p { "Another link is on its way. It works for three days, and the earlier one no longer." }
        @if next.is_invitation() {
            p { "First follow that link. Then open the invitation again." }
            (way_on(&next.to_string(), "Open the invitation"))
        }
        nav { a href=(next.after(VERIFY_EMAIL)) { "No mail comes?" } }
    };
    Ok(Page::new("Look into your mail", content).answer())
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

async fn draw(
    request: &HttpRequest,
    api: &Api,
    sent: &SentForm,
    problem: Option<&Problem>,
) -> Result<HttpResponse, Problem> {
    let token = sent.value("token");
    if token.is_empty() {
        return match signed_in(request).await? {
            Some(signed_in) => without_link(request, api, &signed_in, (sent, problem)).await,
            None => Ok(asks_who_it_is()),
        };
    }
    let about = match link::account_of(api, token, (&VERIFIES, problem)).await {
        Ok(Some(account)) => of_account(api, account).await?,
        Ok(None) => html! {},
        Err(over) if link::is_of_link(&over) => return Ok(refused(&over)),
        Err(over) => return Err(over),
    };
    let seal = sent.seal(request, api, (VERIFY_EMAIL, problem)).await?;
    let fields = html! {
        (hidden("token", token))
        (hidden("next", &sent.next().to_string()))
        (button("Yes, it is mine"))
    };
    let content = html! {
        (alert(problem))
        p { "This account was opened with your address. Confirm that both are yours." }
        (about)
        (form(VERIFY_EMAIL, &seal, fields))
        p { "Was it not you? Close this page. Or choose a new password: the account is yours then." }
        nav { a href=(RESET_PASSWORD) { "Choose a new password" } }
    };
    let title = "Is this your address?";
    Ok(Page::new(title, content).refusing(problem).sealed(seal).answer())
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

const WITHOUT_LINK: &str = "Confirm your address";

fn asks_who_it_is() -> HttpResponse {
    let content = html! {
        p { "Follow the link in the mail that we sent you. To get another mail, sign in." }
        (way_on(&Next::to(VERIFY_EMAIL).after(SIGN_IN), "Sign in"))
    };
    Page::new(WITHOUT_LINK, content).taking_old_links().answer()
}

/// Whoever is signed in gets another mail.
async fn without_link(
    request: &HttpRequest,
    api: &Api,
    signed_in: &SignedIn,
    (sent, problem): (&SentForm, Option<&Problem>),
) -> Result<HttpResponse, Problem> {
    let email = address_of(api, signed_in.account).await?;
    let seal = sent.seal(request, api, (VERIFY_EMAIL, problem)).await?;
    let fields = html! {
        (hidden("next", &sent.next().to_string()))
        (button("Mail another link"))
    };
    let content = html! {
        (alert(problem))
        p {
            "Follow the link in the mail that we sent to " strong { bdi { (email.expose()) } } ". It is not \
             there? We mail another one, and the earlier link no longer works."
        }
        (form(VERIFY_EMAIL, &seal, fields))
    };
    let page = Page::new(WITHOUT_LINK, content).refusing(problem).sealed(seal);
    Ok(page.taking_old_links().answer())
}
