//! The secrets of a token that is rotated.

use super::*;

struct Rotating {
    tokens: ApiTokens,
    clock: Clock,
    pool: Pool,
    one: NewApiToken,
    first: BearerToken,
    _databases: test_support::Databases,
}

/// A token, and its first secret.
async fn given() -> Rotating {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let clock = Clock::fixed(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let tokens = ApiTokens::new(pool.clone(), clock.clone());
    let one = issued(&clock, WorkspaceId(Ids::system().uuid()));
    let first = ApiTokens::draw_token().unwrap();
    tokens.insert(&one, first.hash).await.unwrap();
    tokens.name(one.token).await.unwrap();
    Rotating { tokens, clock, pool, one, first, _databases: databases }
}

impl Rotating {
    fn another(&self) -> (NewApiTokenSecret, BearerToken) {
        let drawn = ApiTokens::draw_token().unwrap();
        let NewApiToken { token, expires_at, .. } = self.one;
        let secret = ApiTokenSecretId(Ids::system().uuid());
        (NewApiTokenSecret { secret, token, hash: drawn.hash, expires_at }, drawn)
    }

    /// By which secret the token is found.
    async fn found(&self, token: &BearerToken) -> Option<ApiTokenSecretId> {
        let found = self.tokens.find(token.secret.expose_secret()).await.unwrap();
        found.map(|found| {
            assert_eq!(found.token, self.one.token);
            found.secret
        })
    }

    async fn secrets(&self) -> i64 {
        let client = self.pool.get().await.unwrap();
        let count = "select count(*) from working.api_token_secrets";
        client.query_one(count, &[]).await.unwrap().get(0)
    }
}

#[tokio::test]
async fn a_token_is_found_by_each_of_its_secrets_and_by_none_once_it_is_ended_or_deleted() {
    let given = given().await;
    let (second, drawn) = given.another();

    given.tokens.insert_secret(&second).await.unwrap();
    let (mut again, other) = given.another();
    again.secret = second.secret;
    given.tokens.insert_secret(&again).await.unwrap();

    assert_eq!(given.found(&given.first).await, Some(given.one.token.into()));
    assert_eq!(given.found(&drawn).await, Some(second.secret));
    assert_eq!(given.found(&other).await, None, "it keeps its hash");
    let by = EndedBy { event: EventId(Ids::system().uuid()), version: 9 };
    given.tokens.end_all(given.one.account, by).await.unwrap();
    assert_eq!(given.found(&given.first).await, None);
    assert_eq!(given.found(&drawn).await, None);
    let (third, drawn) = given.another();
    given.tokens.insert_secret(&third).await.unwrap();
    assert_eq!(given.found(&drawn).await, None);
    assert_eq!(given.tokens.kept(third.secret).await.unwrap(), None, "an ended token gets none");
    assert!(given.tokens.delete(given.one.token).await.unwrap());
    assert_eq!(given.secrets().await, 0);
}

#[tokio::test]
async fn a_named_secret_leaves_the_one_before_it_and_no_earlier_one_in_whatever_order_they_are_named()
 {
    let given = given().await;
    let mut secrets = Vec::new();
    for _ in 0..3 {
        let (new, _) = given.another();
        given.tokens.insert_secret(&new).await.unwrap();
        secrets.push(new.secret);
    }
    let kept = async |secret: ApiTokenSecretId| given.tokens.kept(secret).await.unwrap().is_some();

    given.tokens.name_secret(secrets[0], 5).await.unwrap();
    assert_eq!(given.secrets().await, 4, "the first one may work still");
    given.tokens.name_secret(secrets[2], 7).await.unwrap();
    assert!(!kept(given.one.token.into()).await);
    given.tokens.name_secret(secrets[1], 6).await.unwrap();
    assert!(kept(secrets[1]).await && kept(secrets[2]).await);
    // It is handled again.
    given.tokens.name_secret(secrets[2], 7).await.unwrap();
    assert!(kept(secrets[1]).await && kept(secrets[2]).await);
}

#[tokio::test]
async fn a_secret_is_taken_back_as_it_was_written_and_not_once_it_is_named() {
    let given = given().await;
    let (new, _) = given.another();
    let first = given.tokens.insert_secret(&new).await.unwrap();
    given.clock.advance(TimeDelta::seconds(1));
    let again = given.tokens.insert_secret(&new).await.unwrap();
    let until = given.clock.now() + TimeDelta::hours(1);
    let unnamed = async || given.tokens.unnamed_secrets(until, 9, 0).await.unwrap();

    given.tokens.take_back_secret(new.secret, first).await.unwrap();
    let NewApiToken { token, workspace, .. } = given.one;
    let secret = new.secret;
    let left = UnnamedApiTokenSecret { secret, token, workspace, written_at: again };
    assert_eq!(unnamed().await, [left]);
    given.tokens.name_secret(secret, 5).await.unwrap();
    given.tokens.take_back_secret(secret, again).await.unwrap();

    assert_eq!(unnamed().await, []);
    assert!(given.tokens.kept(secret).await.unwrap().is_some());
    let (other, _) = given.another();
    let written = given.tokens.insert_secret(&other).await.unwrap();
    given.tokens.take_back_secret(other.secret, written).await.unwrap();
    assert_eq!(given.tokens.kept(other.secret).await.unwrap(), None);
}

#[tokio::test]
async fn a_rotated_token_is_found_until_its_later_end() {
    let given = given().await;
    let (mut longer, drawn) = given.another();
    longer.expires_at = given.one.expires_at + TimeDelta::days(1);
    given.tokens.insert_secret(&longer).await.unwrap();
    let (mut shorter, _) = given.another();
    shorter.expires_at = given.clock.now();
    given.tokens.insert_secret(&shorter).await.unwrap();

    given.clock.advance(TimeDelta::hours(47));
    assert!(given.found(&drawn).await.is_some());
    given.clock.advance(TimeDelta::hours(1));
    assert!(given.found(&drawn).await.is_none());
}

#[tokio::test]
async fn a_name_is_replaced_by_later_ones_only() {
    let given = given().await;
    let name = |byte| Sealed { id: SealedId(Ids::system().uuid()), envelope: vec![byte] };
    let (second, third) = (name(2), name(3));

    for (name, version) in [(&third, 7), (&second, 5), (&third, 7)] {
        given.tokens.rename(given.one.token, name, version).await.unwrap();
    }

    let listed = given.tokens.of_workspace(given.one.workspace).await.unwrap();
    assert_eq!(listed[0].name, third);
}
