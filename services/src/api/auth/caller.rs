//! What the connection and the headers say of the caller: address, device, request id, key.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use chrono::{DateTime, Utc};
use domain::privacy::{IpAddress, LoginIp, LoginUserAgent, Personal, UserAgent};
use domain::{ActorId, CommandId, TenantId};
use futures_util::future::LocalBoxFuture;
use infra::clock::Clock;
use infra::event_store::Request;
use infra::ids::hashed;
use tracing_actix_web::RequestId;
use uuid::Uuid;

use crate::api::Api;
use crate::api::auth::signed_in::presented;
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::rate_limits::subscriber;

/// What a handler may know of the caller before it knows who that is.
pub struct Caller {
    pub address: IpAddr,
    user_agent: UserAgent,
    request: Option<Uuid>,
    key: Option<IdempotencyKey>,
    fresh: Uuid,
    clock: Clock,
}

impl Caller {
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// The same request of the same actor under the same key is the same command.
    pub fn command(&self, actor: Option<ActorId>) -> CommandId {
        self.key.as_ref().map_or(CommandId(self.fresh), |key| key.command(actor, self.address))
    }

    /// As a former version knew the request of somebody without a session.
    pub fn former_command(&self) -> Option<CommandId> {
        self.key.as_ref().map(IdempotencyKey::former_command)
    }

    /// For what is done each time, also under one key.
    pub const fn fresh_command(&self) -> CommandId {
        CommandId(self.fresh)
    }

    /// As [`Self::command`] of nobody, of a request about something that only its body names: for something else
    /// it is another command.
    pub fn command_about(&self, about: &[u8]) -> CommandId {
        let command = self.command(None);
        CommandId(hashed(&[command.0.as_bytes(), b"about", about]))
    }

    /// Whether the same request may have come before.
    pub const fn may_repeat(&self) -> bool {
        self.key.is_some()
    }

    /// # Errors
    /// The request has no `Idempotency-Key`, so a repetition could not be recognised.
    pub fn needs_key(&self) -> Result<(), Problem> {
        self.key.as_ref().map(|_| ()).ok_or_else(IdempotencyKey::missing)
    }

    /// What stands on every event of the append. The request, with its `body`, is compared when the
    /// command comes again.
    pub fn request(
        &self,
        tenant: TenantId,
        command: CommandId,
        actor: Option<ActorId>,
        body: Vec<u8>,
    ) -> Request {
        let mut request = Request::new(tenant, command);
        request.former_body = self.key.as_ref().and_then(|key| key.formerly_compared(&body));
        request.body = Some(match &self.key {
            Some(key) => key.compared(&body),
            None => body,
        });
        request.actor = actor;
        request.request = self.request;
        request
    }

    pub fn ip(&self) -> Personal<LoginIp> {
        Personal::Clear(IpAddress(self.address))
    }

    pub fn user_agent(&self) -> Personal<LoginUserAgent> {
        Personal::Clear(self.user_agent.clone())
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let caller = read(&request)?;
            if !(has_body(&request) && reads_body(&request)) {
                wait_for_the_same(&request).await?;
            }
            Ok(caller)
        })
    }
}

/// The caller of a request.
///
/// # Errors
/// Its `Idempotency-Key` is none.
pub fn read(request: &HttpRequest) -> Result<Caller, Problem> {
    let api = Api::of(request)?;
    let address = address(request.peer_addr(), request.headers(), api.proxies());
    let key = IdempotencyKey::of(request)?;
    let agent = request.headers().get(header::USER_AGENT);
    let agent = agent.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    Ok(Caller {
        address,
        user_agent: UserAgent::cut(agent.as_deref().unwrap_or_default()),
        request: request.extensions().get::<RequestId>().map(|id| (*id).into()),
        key,
        fresh: api.app.ids.uuid(),
        clock: api.app.clock.clone(),
    })
}

/// The same request of the same caller is served once at a time: the next one waits, and is answered as the
/// first one was. To be called once a request has come as a whole.
///
/// # Errors
/// The first one takes long.
pub async fn wait_for_the_same(request: &HttpRequest) -> Result<(), Problem> {
    let Some(key) = IdempotencyKey::of(request)? else { return Ok(()) };
    let api = Api::of(request)?;
    let from = address(request.peer_addr(), request.headers(), api.proxies());
    let shown = presented(request).unwrap_or_else(|| key.network(from));
    let serving = api.in_flight.begin(key.of_caller(&shown), subscriber(from)).await;
    let serving = serving
        .ok_or_else(|| Problem::of(ProblemKind::InFlight).with_header(header::RETRY_AFTER, 1))?;
    request.extensions_mut().insert(serving);
    Ok(())
}

/// The handler reads the body, and [`wait_for_the_same`] is called after that. Each extractor is created
/// before the first one is polled, so that all know it.
pub struct ReadsBody;

fn reads_body(request: &HttpRequest) -> bool {
    request.extensions().contains::<ReadsBody>()
}

/// Whether a body follows.
pub fn has_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let length = headers.get(header::CONTENT_LENGTH).map(header::HeaderValue::as_bytes);
    headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length != b"0")
}

/// The address that the outermost of our own `proxies` saw. Addresses before it in the header could
/// have been written by anybody.
pub fn address(peer: Option<SocketAddr>, headers: &HeaderMap, proxies: usize) -> IpAddr {
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    if proxies == 0 {
        return peer.to_canonical();
    }
    let hops = headers.get_all(header::X_FORWARDED_FOR).filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = hops.flat_map(|value| value.split(',')).map(str::trim).collect();
    let seen = hops.len().checked_sub(proxies).and_then(|index| hops.get(index));
    seen.and_then(|hop| parse(hop)).unwrap_or(peer).to_canonical()
}

fn parse(hop: &str) -> Option<IpAddr> {
    let bare = hop.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn seen(forwarded: &[&'static str], proxies: usize) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(header::X_FORWARDED_FOR, HeaderValue::from_static(value));
        }
        address(Some("192.0.2.1:5".parse().unwrap()), &headers, proxies).to_string()
    }

    #[test]
    fn without_proxies_of_ours_the_header_is_anybodys_claim() {
        assert_eq!(seen(&["203.0.113.9"], 0), "192.0.2.1");
    }

    #[test]
    fn the_outermost_of_our_proxies_is_believed_and_no_further() {
        assert_eq!(seen(&["203.0.113.9, 198.51.100.2"], 1), "198.51.100.2");
        assert_eq!(seen(&["203.0.113.9", "198.51.100.2"], 2), "203.0.113.9");
        assert_eq!(seen(&["[2001:db8::1]:443"], 1), "2001:db8::1");
    }

    #[test]
    fn a_header_that_is_too_short_or_garbage_leaves_the_peer() {
        assert_eq!(seen(&["203.0.113.9"], 2), "192.0.2.1");
        assert_eq!(seen(&["someone"], 1), "192.0.2.1");
    }
}
