//! The `Idempotency-Key` header: the same request sent again is the same command.

use actix_web::HttpRequest;
use domain::{ActorId, CommandId};
use infra::ids;

use crate::api::http::problem::Problem;

const HEADER: &str = "Idempotency-Key";
const FORM: &str = "this must be 16 to 128 printable ASCII characters, no spaces";

/// A key, with the method and the path that it was sent to.
pub struct IdempotencyKey {
    method: String,
    path: String,
    key: String,
}

impl IdempotencyKey {
    /// # Errors
    /// The header is there and is no key.
    pub fn of(request: &HttpRequest) -> Result<Option<Self>, Problem> {
        let Some(value) = request.headers().get(HEADER) else { return Ok(None) };
        let key = value.to_str().ok().filter(|text| is_key(text));
        let key = key.ok_or_else(|| Problem::header(HEADER, FORM))?;
        let (method, path) = (request.method().as_str().to_owned(), request.path().to_owned());
        Ok(Some(Self { method, path, key: key.to_owned() }))
    }

    /// What a request without a key is answered where one is required.
    pub fn missing() -> Problem {
        Problem::header(HEADER, "this is required: 16 to 128 printable ASCII characters, no spaces")
    }

    /// The same key from the same actor, to the same method and path, is the same command.
    pub fn command(&self, actor: Option<ActorId>) -> CommandId {
        let actor = actor.map_or([0; 16], |actor| actor.0.into_bytes());
        let [method, path, key] = [&self.method, &self.path, &self.key].map(String::as_bytes);
        CommandId(ids::hashed(&[b"idempotency", method, path, &actor, key]))
    }
}

fn is_key(text: &str) -> bool {
    (16..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn sent(method: &str, path: &str, key: &str) -> IdempotencyKey {
        let [method, path, key] = [method, path, key].map(ToOwned::to_owned);
        IdempotencyKey { method, path, key }
    }

    #[test]
    fn the_same_key_is_another_command_for_another_actor_method_or_path() {
        let [ada, bob] = [1, 2].map(|id| Some(ActorId(Uuid::from_u128(id))));
        let key = sent("POST", "/v1/workspaces", "a key");
        assert_eq!(key.command(ada), key.command(ada));
        let mut commands = vec![key.command(ada), key.command(bob), key.command(None)];
        for other in [
            sent("PUT", "/v1/workspaces", "a key"),
            sent("POST", "/v1/accounts", "a key"),
            sent("POST", "/v1/workspaces", "another key"),
        ] {
            commands.push(other.command(ada));
        }
        commands.sort_by_key(|command| command.0);
        commands.dedup();
        assert_eq!(commands.len(), 6, "{commands:?}");
    }

    #[test]
    fn a_key_is_16_to_128_printable_characters() {
        assert!(is_key("0123456789abcdef"));
        assert!(!is_key("short"));
        assert!(!is_key("with a space in it"));
        assert!(!is_key(&"k".repeat(129)));
    }
}
