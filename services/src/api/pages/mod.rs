//! Pages for people who have a browser and no other program: to register, to sign in and out, and what mailed
//! links open. They are drawn here and run no script. A GET changes nothing, since programs that look into mails
//! follow links, too; a POST does what the API does.

mod accept_invitation;
mod account;
mod change_email;
mod form;
mod html;
mod link;
mod next;
mod register;
mod reset_password;
mod sign_in;
mod sign_out;
mod verify_email;
mod visit;
mod wording;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::{self, from_fn};
use actix_web::web::{ServiceConfig, get, head, post, resource, to};
use actix_web::{Error, Handler, HttpMessage, HttpRequest, HttpResponse, Route};

use self::form::WayBack;
use self::visit::{FormPage, act, show};
use crate::api::ApiData;
use crate::api::auth::signed_in::SignedIn;
use crate::api::http::deadline;
use crate::api::http::problem::{Problem, ProblemKind};

const ACCOUNT: &str = "account";
const ACCEPT_INVITATION: &str = "accept-invitation";
const CHANGE_EMAIL: &str = "change-email";
const REGISTER: &str = "register";
const RESET_PASSWORD: &str = "reset-password";
const SIGN_IN: &str = "sign-in";
const SIGN_OUT: &str = "sign-out";
const VERIFY_EMAIL: &str = "verify-email";
const ALL: [&str; 8] = [
    ACCOUNT,
    ACCEPT_INVITATION,
    CHANGE_EMAIL,
    REGISTER,
    RESET_PASSWORD,
    SIGN_IN,
    SIGN_OUT,
    VERIFY_EMAIL,
];

const STYLE: (&str, &str) = ("text/css; charset=utf-8", include_str!("pages.css"));
/// For links of former versions, which have their secret behind a `#`, where no server sees it.
const OLD_LINKS: (&str, &str) = ("text/javascript; charset=utf-8", include_str!("old_links.js"));

/// Puts the pages into the application.
pub fn serve(config: &mut ServiceConfig) {
    form_page::<sign_in::SignIn>(config);
    form_page::<sign_out::SignOut>(config);
    form_page::<register::Register>(config);
    form_page::<verify_email::VerifyEmail>(config);
    form_page::<change_email::ChangeEmail>(config);
    form_page::<reset_password::ResetPassword>(config);
    form_page::<accept_invitation::AcceptInvitation>(config);
    page(config, ACCOUNT, account::show, None);
    for (path, (kind, text)) in [("/pages.css", STYLE), ("/old-links.js", OLD_LINKS)] {
        for method in [get(), head()] {
            config.route(path, method.to(move || std::future::ready(file(kind, text))));
        }
    }
}

/// Whether one of the pages is at this path.
pub fn is_page(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(|name| ALL.contains(&name))
}

/// A refusal as a page of its own, in place of the answer to this request.
pub fn refusal(request: &HttpRequest, problem: &Problem) -> HttpResponse {
    let page = html::Page::of_problem(problem);
    if request.method() != Method::POST {
        return page.answer();
    }
    let plain = || request.path().trim_start_matches('/').to_owned();
    let back = request.extensions().get::<WayBack>().map_or_else(plain, |back| back.0.clone());
    page.adding(html::way_on(&back, "Open the page again")).answer()
}

fn form_page<P: FormPage>(config: &mut ServiceConfig) {
    page(config, P::NAME, show::<P>, Some(post().to(act::<P>)));
}

fn page<S>(config: &mut ServiceConfig, name: &str, show: S, act: Option<Route>)
where
    S: Handler<(HttpRequest, ApiData), Output = Result<HttpResponse, Problem>>,
{
    let allow = if act.is_some() { "GET, HEAD, POST" } else { "GET, HEAD" };
    let other = move || {
        let problem = Problem::of(ProblemKind::MethodNotAllowed);
        let problem = problem.with_header(header::ALLOW, HeaderValue::from_static(allow));
        std::future::ready(Err::<HttpResponse, Problem>(problem))
    };
    let mut page = resource(format!("/{name}")).route(get().to(show.clone()));
    page = page.route(head().to(show)).default_service(to(other));
    if let Some(act) = act {
        page = page.route(act);
    }
    config.service(page.wrap(from_fn(as_page)));
}

fn file(kind: &str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(kind)
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(text)
}

/// Whoever opens a page reads its refusals as a page, too.
async fn as_page(
    request: ServiceRequest,
    next: middleware::Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let asked = request.request().clone();
    let Some(answer) = deadline::in_time(next.call(request)).await else {
        let refused = refusal(&asked, &Problem::of(ProblemKind::TimedOut));
        return Ok(ServiceResponse::new(asked, refused));
    };
    let answer = answer?.map_into_boxed_body();
    let problem = answer.response().error().and_then(|error| error.as_error::<Problem>());
    match problem.map(|problem| refusal(&asked, problem)) {
        Some(refused) => Ok(answer.into_response(refused)),
        None => Ok(answer),
    }
}

/// Who is signed in in this browser.
///
/// # Errors
/// Too many requests; that nobody is signed in is none.
async fn signed_in(request: &HttpRequest) -> Result<Option<SignedIn>, Problem> {
    match SignedIn::by_cookie(request).await {
        Ok(signed_in) => Ok(Some(signed_in)),
        Err(problem) if problem.kind() == ProblemKind::Unauthorised => Ok(None),
        Err(problem) => Err(problem),
    }
}
