//! What the connection and the headers say of the caller: address, device, request id, key.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use domain::privacy::{IpAddress, LoginIp, LoginUserAgent, Personal, UserAgent};
use domain::{ActorId, CommandId, TenantId};
use infra::event_store::Request;
use infra::ids;
use tracing_actix_web::RequestId;
use uuid::Uuid;

use crate::api::Api;
use crate::api::http::problem::Problem;

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
const KEY_FORM: &str = "this must be 16 to 128 printable ASCII characters, no spaces";

/// What a handler may know of the caller before it knows who that is.
pub struct Caller {
    pub address: IpAddr,
    user_agent: UserAgent,
    request: Option<Uuid>,
    /// Method, path and key of a request that may be sent again.
    key: Option<[String; 3]>,
    fresh: Uuid,
}

impl Caller {
    /// The same request of the same actor under the same key is the same command.
    pub fn command(&self, actor: Option<ActorId>) -> CommandId {
        let Some([method, path, key]) = &self.key else { return CommandId(self.fresh) };
        let actor = actor.map_or([0; 16], |actor| actor.0.into_bytes());
        let parts = [b"idempotency", method.as_bytes(), path.as_bytes(), &actor, key.as_bytes()];
        CommandId(ids::hashed(&parts))
    }

    /// Whether the same request may have come before.
    pub const fn may_repeat(&self) -> bool {
        self.key.is_some()
    }

    /// # Errors
    /// The request has no `Idempotency-Key`, so a repetition could not be recognised.
    pub fn needs_key(&self) -> Result<(), Problem> {
        if self.key.is_some() {
            return Ok(());
        }
        Err(Problem::header(
            IDEMPOTENCY_KEY,
            "this is required: 16 to 128 printable ASCII characters, no spaces",
        ))
    }

    /// What stands on every event of the append. `body` is compared when the command comes again.
    pub fn request(
        &self,
        tenant: TenantId,
        command: CommandId,
        actor: Option<ActorId>,
        body: Vec<u8>,
    ) -> Request {
        let mut request = Request::new(tenant, command);
        request.body = Some(body);
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
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(read(request))
    }
}

fn read(request: &HttpRequest) -> Result<Caller, Problem> {
    let api = Api::of(request)?;
    let agent = request.headers().get(header::USER_AGENT);
    let agent = agent.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let key = request.headers().get(IDEMPOTENCY_KEY).map(|value| {
        let text = value.to_str().ok().filter(|text| is_key(text));
        text.ok_or_else(|| Problem::header(IDEMPOTENCY_KEY, KEY_FORM))
    });
    let key = key.transpose()?.map(|key| {
        [request.method().as_str().to_owned(), request.path().to_owned(), key.to_owned()]
    });
    Ok(Caller {
        address: address(request.peer_addr(), request.headers(), api.proxies()),
        user_agent: UserAgent::cut(agent.as_deref().unwrap_or_default()),
        request: request.extensions().get::<RequestId>().map(|id| (*id).into()),
        key,
        fresh: api.app.ids.uuid(),
    })
}

fn is_key(text: &str) -> bool {
    (16..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
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

    fn keyed(method: &str, path: &str, key: &str) -> Caller {
        Caller {
            address: Ipv4Addr::LOCALHOST.into(),
            user_agent: UserAgent::cut(""),
            request: None,
            key: Some([method, path, key].map(ToOwned::to_owned)),
            fresh: Uuid::from_u128(7),
        }
    }

    #[test]
    fn the_same_key_is_another_command_for_another_actor_method_or_path() {
        let [ada, bob] = [1, 2].map(|id| Some(ActorId(Uuid::from_u128(id))));
        let request = keyed("POST", "/v1/workspaces", "a key");
        assert_eq!(request.command(ada), request.command(ada));
        let mut commands = vec![request.command(ada), request.command(bob), request.command(None)];
        for other in [
            keyed("PUT", "/v1/workspaces", "a key"),
            keyed("POST", "/v1/accounts", "a key"),
            keyed("POST", "/v1/workspaces", "another key"),
        ] {
            commands.push(other.command(ada));
        }
        commands.sort_by_key(|command| command.0);
        commands.dedup();
        assert_eq!(commands.len(), 6, "{commands:?}");
    }

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

    #[test]
    fn a_key_is_16_to_128_printable_characters() {
        assert!(is_key("0123456789abcdef"));
        assert!(!is_key("short"));
        assert!(!is_key("with a space in it"));
        assert!(!is_key(&"k".repeat(129)));
    }
}
