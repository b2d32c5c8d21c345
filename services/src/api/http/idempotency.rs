//! The `Idempotency-Key` header: the same request sent again is the same command.

use std::net::IpAddr;

use actix_web::http::{Method, header};
use actix_web::{HttpMessage, HttpRequest};
use domain::{ActorId, CommandId};
use infra::ids;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::api::http::problem::Problem;
use crate::api::http::rate_limits::network;
use crate::api::http::schemas;

const HEADER: &str = "Idempotency-Key";
const LENGTH_MAX: usize = 255;
const FORM: &str = "this must be 1 to 255 printable ASCII characters, no spaces";

/// A key, with the request that it was sent with.
pub struct IdempotencyKey {
    method: String,
    path: String,
    query: String,
    matches: String,
    key: String,
    by_form: bool,
}

/// In place of the network of a form: its key is a random number that no other browser has, and a phone that leaves
/// a Wi-Fi sends the same form from another network.
const ANY_NETWORK: &str = "form";

impl IdempotencyKey {
    /// The key of a request that changes something. A read is done each time.
    ///
    /// # Errors
    /// The header is there and is no key.
    pub fn of(request: &HttpRequest) -> Result<Option<Self>, Problem> {
        if !is_write(request.method()) {
            return Ok(None);
        }
        let Some(key) = sent_key(request)? else { return Ok(None) };
        let matches = request.headers().get_all(header::IF_MATCH);
        let matches: Vec<_> = matches.map(|it| String::from_utf8_lossy(it.as_bytes())).collect();
        Ok(Some(Self {
            method: request.method().as_str().to_owned(),
            path: request.path().to_owned(),
            query: request.query_string().to_owned(),
            matches: matches.join(", "),
            key,
            by_form: request.extensions().contains::<FormKey>(),
        }))
    }

    /// What a request without a key is answered where one is required.
    pub fn missing() -> Problem {
        Problem::header(HEADER, "this is required: 1 to 255 printable ASCII characters, no spaces")
    }

    /// The same key from the same actor, to the same method and path, is the same command. Callers
    /// without a session are distinguished by their network, except those who send a form.
    pub fn command(&self, actor: Option<ActorId>, from: IpAddr) -> CommandId {
        let network = self.network(from);
        let by = actor.map_or_else(|| network.into_bytes(), |actor| actor.0.into_bytes().to_vec());
        let [method, path, key] = [&self.method, &self.path, &self.key].map(String::as_bytes);
        CommandId(ids::hashed(&[b"idempotency", method, path, &by, key]))
    }

    /// What a caller without a session is known by.
    pub fn network(&self, from: IpAddr) -> String {
        if self.by_form { ANY_NETWORK.to_owned() } else { network(from).to_string() }
    }

    /// What is compared when the command comes again: query and If-Match, where there are any, and the body.
    /// No body begins as these do. Method and path are in the command's id.
    pub fn compared(&self, body: &[u8]) -> Vec<u8> {
        let Self { query, matches, .. } = self;
        if query.is_empty() && matches.is_empty() {
            return body.to_vec();
        }
        [format!("?{query}\n{matches}\n").as_bytes(), body].concat()
    }

    /// What former versions compared, where it was another form. They left If-Match out.
    pub fn formerly_compared(&self, body: &[u8]) -> Option<Vec<u8>> {
        (self.query.is_empty() && !self.matches.is_empty()).then(|| body.to_vec())
    }

    /// As former versions knew the command of a caller without a session: from any network.
    pub fn former_command(&self) -> CommandId {
        let [method, path, key] = [&self.method, &self.path, &self.key].map(String::as_bytes);
        CommandId(ids::hashed(&[b"idempotency", method, path, &[0; 16], key]))
    }

    /// One value for the request of one caller, who is known by `shown`: a token, or an address.
    pub fn of_caller(&self, shown: &str) -> uuid::Uuid {
        let [method, path, key] = [&self.method, &self.path, &self.key].map(String::as_bytes);
        ids::hashed(&[b"in flight", method, path, shown.as_bytes(), key])
    }
}

/// The header, where a request may do without.
impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter(Required::False)]
    }
}

/// The header, where a request may not do without.
pub struct NeededIdempotencyKey;

impl IntoParams for NeededIdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter(Required::True)]
    }
}

fn parameter(required: Required) -> Parameter {
    let description = "Sent again with the same key, the request is answered as before, and nothing \
        is done twice. While the first is being served, it waits for some seconds; after that it is refused \
        (`in-flight`).";
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(LENGTH_MAX))
        .pattern(Some("^[!-~]+$"));
    schemas::header(HEADER, required, description, schema)
}

/// The key of a form on one of our pages: it is drawn for each, so that a form that is sent twice is one
/// request.
pub struct FormKey(pub String);

fn sent_key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    if let Some(FormKey(key)) = request.extensions().get() {
        return Ok(Some(key.clone()));
    }
    let Some(value) = request.headers().get(HEADER) else { return Ok(None) };
    let key = value.to_str().ok().filter(|text| is_key(text));
    Ok(Some(key.ok_or_else(|| Problem::header(HEADER, FORM))?.to_owned()))
}

fn is_write(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH | Method::DELETE)
}

fn is_key(text: &str) -> bool {
    (1..=LENGTH_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use uuid::Uuid;

    use super::*;

    fn sent(method: Method, uri: &str, key: &str) -> IdempotencyKey {
        let request = TestRequest::with_uri(uri).method(method).insert_header((HEADER, key));
        IdempotencyKey::of(&request.to_http_request()).unwrap().unwrap()
    }

    #[test]
    fn the_same_key_is_another_command_for_another_actor_network_method_or_path() {
        let [ada, bob] = [1, 2].map(|id| Some(ActorId(Uuid::from_u128(id))));
        let [home, work] = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse().unwrap());
        let key = sent(Method::POST, "/v1/workspaces", "a-key");
        assert_eq!(key.command(ada, home), key.command(ada, work));
        let mut commands = vec![
            key.command(ada, home),
            key.command(bob, home),
            key.command(None, home),
            key.command(None, work),
        ];
        for other in [
            sent(Method::PUT, "/v1/workspaces", "a-key"),
            sent(Method::POST, "/v1/accounts", "a-key"),
            sent(Method::POST, "/v1/workspaces", "another-key"),
        ] {
            commands.push(other.command(ada, home));
        }
        commands.sort_by_key(|command| command.0);
        commands.dedup();
        assert_eq!(commands.len(), 7, "{commands:?}");
    }

    #[test]
    fn a_form_is_the_same_command_from_any_network() {
        let [home, work] = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse().unwrap());
        let request = TestRequest::with_uri("/register").method(Method::POST).to_http_request();
        request.extensions_mut().insert(FormKey("drawn".to_owned()));
        let key = IdempotencyKey::of(&request).unwrap().unwrap();
        assert_eq!(key.command(None, home), key.command(None, work));
        assert_eq!(key.network(home), key.network(work));
    }

    #[test]
    fn query_and_precondition_are_compared_with_the_body() {
        let plain = sent(Method::POST, "/v1/workspaces", "a-key");
        assert_eq!(plain.compared(b"{}"), b"{}", "as former versions compared it");
        assert_eq!(plain.formerly_compared(b"{}"), None);
        let queried = sent(Method::POST, "/v1/workspaces?a=1", "a-key");
        assert_eq!(queried.compared(b"{}"), b"?a=1\n\n{}");
        assert_eq!(queried.formerly_compared(b"{}"), None);
        let request = TestRequest::with_uri("/v1/workspaces").method(Method::POST);
        let request = request.insert_header((HEADER, "a-key")).insert_header(("If-Match", "*"));
        let matching = IdempotencyKey::of(&request.to_http_request()).unwrap().unwrap();
        assert_eq!(matching.compared(b"{}"), b"?\n*\n{}");
        assert_eq!(matching.formerly_compared(b"{}"), Some(b"{}".to_vec()));
    }

    #[test]
    fn a_read_has_no_key() {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            let request = TestRequest::default().method(method).insert_header((HEADER, "a key"));
            assert!(IdempotencyKey::of(&request.to_http_request()).unwrap().is_none());
        }
    }

    #[test]
    fn a_key_is_1_to_255_printable_characters() {
        for good in ["1", "0123456789abcdef", &"k".repeat(255)] {
            assert!(is_key(good), "{good}");
        }
        for bad in ["", "with a space in it", "ä", &"k".repeat(256)] {
            assert!(!is_key(bad), "{bad}");
        }
    }
}
