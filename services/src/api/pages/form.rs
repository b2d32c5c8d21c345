//! The forms of the pages. Each is signed for one browser, one session and one page, so that no other site can
//! send it (OWASP: signed double-submit cookie), and is one request, however often it is sent.

use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::{self, HeaderName};
use actix_web::web::Payload;
use actix_web::{HttpMessage, HttpRequest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use infra::keyring::RequestMacs;
use infra::random;
use url::form_urlencoded::parse;

use super::next::{Next, reference};
use crate::api::Api;
use crate::api::auth::caller::{self, Caller, wait_for_the_same};
use crate::api::auth::signed_in;
use crate::api::http::fields::{Fields, FromFields};
use crate::api::http::idempotency::FormKey;
use crate::api::http::problem::{Problem, ProblemKind};

/// Holds nothing but random bytes, and ends with the browser.
const COOKIE: &str = "__Host-lethe-form";
/// The hidden field.
pub const FIELD: &str = "form";
const TYPE: &str = "application/x-www-form-urlencoded";
const BYTES_MAX: usize = 64 * 1024;
const RANDOM_BYTES: usize = 16;
const MAC_BYTES: usize = 32;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What makes a form ours: the value of its hidden field, and the cookie that this belongs to.
pub struct Seal {
    pub value: String,
    /// `None`: the browser has it.
    pub cookie: Option<Cookie<'static>>,
}

impl Seal {
    /// For the form of a page that is about to be shown.
    ///
    /// # Errors
    /// The keyring is not reached.
    pub async fn new(request: &HttpRequest, api: &Api, page: &str) -> Result<Self, Problem> {
        let shown = request.cookie(COOKIE).map(|cookie| cookie.value().to_owned());
        let shown = shown.filter(|value| is_drawn(value));
        let cookie = match shown {
            Some(_) => None,
            None => Some(cookie(URL_SAFE_NO_PAD.encode(drawn()?))),
        };
        let browser = shown.or_else(|| cookie.as_ref().map(|cookie| cookie.value().to_owned()));
        let key = drawn()?;
        let macs = signatures(request, api, (page, &browser.unwrap_or_default(), &key)).await?;
        let value = URL_SAFE_NO_PAD.encode([key.as_slice(), &macs.today].concat());
        Ok(Self { value, cookie })
    }
}

fn drawn() -> Result<[u8; RANDOM_BYTES], Problem> {
    random::bytes().map_err(|error| Problem::unavailable(&error))
}

fn is_drawn(value: &str) -> bool {
    URL_SAFE_NO_PAD.decode(value).is_ok_and(|bytes| bytes.len() == RANDOM_BYTES)
}

/// `Lax`, so that a mailed link that is followed does not draw another one: other pages have forms of it.
fn cookie(value: String) -> Cookie<'static> {
    Cookie::build(COOKIE, value)
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .path("/")
        .finish()
}

/// Whoever signs in or out has other forms from then on.
async fn signatures(
    request: &HttpRequest,
    api: &Api,
    (page, browser, key): (&str, &str, &[u8]),
) -> Result<RequestMacs, Problem> {
    let session = request.cookie(signed_in::COOKIE);
    let session = session.as_ref().map_or("", Cookie::value);
    let parts = [page.as_bytes(), browser.as_bytes(), session.as_bytes(), key];
    Ok(api.app.keyring.request_macs.signatures("form of a page", &parts).await?)
}

/// What a form sent, whether or not it is ours: until [`Self::caller`] says so, it is only shown again.
pub struct SentForm {
    /// As it was sent: the same ones are the same request.
    pub bytes: Vec<u8>,
    sent: Vec<(String, String)>,
}

impl SentForm {
    /// # Errors
    /// Another site sent it, or it is no form.
    pub async fn read(request: &HttpRequest, api: &Api, payload: Payload) -> Result<Self, Problem> {
        if is_foreign(request, api) {
            return Err(Problem::of(ProblemKind::ForeignOrigin));
        }
        if request.content_type() != TYPE {
            return Err(Problem::of(ProblemKind::ContentType));
        }
        let bytes = payload.to_bytes_limited(BYTES_MAX).await;
        let bytes = bytes.map_err(|_| Problem::of(ProblemKind::TooLarge))?;
        let bytes = bytes.map_err(|_| Problem::of(ProblemKind::FormOver))?.to_vec();
        let sent: Vec<(String, String)> = parse(&bytes).into_owned().collect();
        let back = reference(request.path(), value(&sent, "token"), value(&sent, "next"));
        request.extensions_mut().insert(WayBack(back));
        Ok(Self { bytes, sent })
    }

    /// Of a page that is opened: nothing is typed yet.
    pub fn opened(token: &str, next: &Next) -> Self {
        let sent = [("token", token.to_owned()), ("next", next.to_string())];
        let sent = sent.into_iter().map(|(name, value)| (name.to_owned(), value));
        Self { bytes: vec![], sent: sent.collect() }
    }

    /// Who sent it, once it is found to be ours, and once no other request is doing the same.
    ///
    /// # Errors
    /// It is over, it is being worked on, or a field is no text.
    pub async fn caller(
        &self,
        request: &HttpRequest,
        api: &Api,
        page: &str,
    ) -> Result<Caller, Problem> {
        let key = key(request, api, (page, self.value(FIELD))).await?;
        request.extensions_mut().insert(FormKey(key));
        wait_for_the_same(request).await?;
        // What is not UTF-8 is read as this character: different passwords would become one.
        let broken =
            self.sent.iter().find(|(_, value)| value.contains(char::REPLACEMENT_CHARACTER));
        if let Some((name, _)) = broken {
            return Err(Problem::field(name, "this is not text in UTF-8"));
        }
        caller::read(request)
    }

    /// For the form that is shown next. It is the same request for as long as nobody knows whether this one was
    /// done.
    ///
    /// # Errors
    /// The keyring is not reached.
    pub async fn seal(
        &self,
        request: &HttpRequest,
        api: &Api,
        (page, problem): (&str, Option<&Problem>),
    ) -> Result<Seal, Problem> {
        match problem {
            Some(problem) if may_be_done(problem) => {
                Ok(Seal { value: self.value(FIELD).to_owned(), cookie: None })
            }
            Some(_) | None => Seal::new(request, api, page).await,
        }
    }

    /// What was typed into a field; empty where there is none.
    pub fn value(&self, name: &str) -> &str {
        value(&self.sent, name)
    }

    pub fn next(&self) -> Next {
        Next::read(self.value("next"))
    }

    /// The fields of these names, as an `F`.
    ///
    /// # Errors
    /// What does not fit.
    pub fn fields<F: FromFields>(&self, names: &[&str]) -> Result<F, Problem> {
        let values = names.iter().map(|name| ((*name).to_owned(), self.value(name).to_owned()));
        Fields::form(&values.collect::<Vec<_>>())
    }
}

/// The page that a form was sent from, with its link and what it leads to.
pub struct WayBack(pub String);

/// Whether a form may have done its work, although its answer says otherwise.
pub fn may_be_done(problem: &Problem) -> bool {
    !problem.is_refusal() || problem.kind() == ProblemKind::InFlight
}

fn value<'a>(sent: &'a [(String, String)], name: &str) -> &'a str {
    sent.iter().find(|(of, _)| of == name).map_or("", |(_, value)| value)
}

/// Browsers say `null` as the origin of our own forms, since our pages have no referrer (Fetch, 3.2): newer ones
/// say in another header whose form it is; `none` is a form that is sent again when its page is loaded again. The
/// seal decides where neither does.
fn is_foreign(request: &HttpRequest, api: &Api) -> bool {
    let headers = request.headers();
    let is_other = |name: HeaderName, own: &[&[u8]]| {
        headers.get(name).is_some_and(|value| !own.contains(&value.as_bytes()))
    };
    is_other(SEC_FETCH_SITE, &[b"same-origin", b"none"])
        || is_other(header::ORIGIN, &[api.origin().as_bytes(), b"null"])
}

/// The key of a form that is ours.
///
/// # Errors
/// It is over, or was never ours; or the keyring is not reached.
pub async fn key(
    request: &HttpRequest,
    api: &Api,
    (page, sent): (&str, &str),
) -> Result<String, Problem> {
    let over = || Problem::of(ProblemKind::FormOver);
    let browser = request.cookie(COOKIE).ok_or_else(over)?;
    let bytes = URL_SAFE_NO_PAD.decode(sent).map_err(|_| over())?;
    let (key, mac) = bytes.split_first_chunk::<RANDOM_BYTES>().ok_or_else(over)?;
    let macs = signatures(request, api, (page, browser.value(), key)).await?;
    let is_ours = is_drawn(browser.value()) && mac.len() == MAC_BYTES && macs.has(mac);
    if is_ours { Ok(URL_SAFE_NO_PAD.encode(key)) } else { Err(over()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_done_is_sent_again_as_the_same_request() {
        for kind in [
            ProblemKind::Unavailable,
            ProblemKind::Internal,
            ProblemKind::InFlight,
            ProblemKind::TooManyRequests,
        ] {
            assert!(may_be_done(&Problem::of(kind)), "{}", kind.slug());
        }
        for kind in [
            ProblemKind::AddressTaken,
            ProblemKind::BadBody,
            ProblemKind::FormOver,
            ProblemKind::IdempotencyKeyReused,
            ProblemKind::SignInRefused,
        ] {
            assert!(!may_be_done(&Problem::of(kind)), "{}", kind.slug());
        }
    }
}
