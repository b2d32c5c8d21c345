mod secrets;

use domain::SealedId;
use secrecy::ExposeSecret;

use super::*;
use crate::ids::Ids;
use crate::postgres::{ConnectOptions, connect};
use test_support::databases;

fn issued(clock: &Clock, workspace: WorkspaceId) -> NewApiToken {
    let ids = Ids::system();
    NewApiToken {
        token: ApiTokenId(ids.uuid()),
        workspace,
        account: AccountId(ids.uuid()),
        account_version: 3,
        name: Sealed { id: SealedId(ids.uuid()), envelope: vec![1, 2, 3] },
        expires_at: clock.now() + TimeDelta::days(1),
    }
}

async fn kept(tokens: &ApiTokens, token: ApiTokenId) -> Option<TokenHash> {
    tokens.kept(token.into()).await.unwrap().map(|kept| kept.hash)
}

#[tokio::test]
async fn a_token_is_found_until_it_expires_or_is_removed() {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let clock = Clock::fixed(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let tokens = ApiTokens::new(pool, clock.clone());
    let workspace = WorkspaceId(Ids::system().uuid());
    let (one, other) = (issued(&clock, workspace), issued(&clock, workspace));
    let (first, second) = (ApiTokens::draw_token().unwrap(), ApiTokens::draw_token().unwrap());

    tokens.insert(&one, first.hash).await.unwrap();
    tokens.insert(&one, second.hash).await.unwrap();
    assert_eq!(kept(&tokens, one.token).await, Some(first.hash), "it keeps its hash");
    tokens.insert(&other, second.hash).await.unwrap();

    let find = async |token: &BearerToken| tokens.find(token.secret.expose_secret()).await.unwrap();
    assert_eq!(
        find(&first).await,
        Some(ApiTokenRow { token: one.token, secret: one.token.into(), workspace })
    );
    assert_eq!(tokens.find("lw_nothing").await.unwrap(), None);
    assert_eq!(tokens.of_workspace(workspace).await.unwrap().len(), 2);
    assert!(tokens.delete(other.token).await.unwrap());
    assert!(!tokens.delete(other.token).await.unwrap());
    assert_eq!(find(&second).await, None);
    clock.advance(TimeDelta::days(1));
    assert_eq!(find(&first).await, None);
}

#[tokio::test]
async fn a_token_of_an_erased_workspace_gets_no_row() {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let clock = Clock::fixed(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let tokens = ApiTokens::new(pool.clone(), clock.clone());
    let one = issued(&clock, WorkspaceId(Ids::system().uuid()));
    let fence = "select event_log.fence($1, '{}')";
    pool.get().await.unwrap().execute(fence, &[&one.workspace.0]).await.unwrap();

    let drawn = ApiTokens::draw_token().unwrap();
    tokens.insert(&one, drawn.hash).await.unwrap();

    assert_eq!(kept(&tokens, one.token).await, None);
    assert_eq!(tokens.find(drawn.secret.expose_secret()).await.unwrap(), None);
}

#[tokio::test]
async fn the_last_use_is_written_once_a_minute() {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let clock = Clock::fixed(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let tokens = ApiTokens::new(pool, clock.clone());
    let one = issued(&clock, WorkspaceId(Ids::system().uuid()));
    let drawn = ApiTokens::draw_token().unwrap();
    tokens.insert(&one, drawn.hash).await.unwrap();
    let used = async || {
        let kept = tokens.of_workspace(one.workspace).await.unwrap();
        assert_eq!(kept[0].name, one.name);
        kept[0].last_used_at
    };
    assert_eq!(used().await, None);

    tokens.find(drawn.secret.expose_secret()).await.unwrap();
    let first = used().await;
    clock.advance(TimeDelta::seconds(59));
    tokens.find(drawn.secret.expose_secret()).await.unwrap();

    assert_eq!(used().await, first);
    clock.advance(TimeDelta::seconds(1));
    tokens.find(drawn.secret.expose_secret()).await.unwrap();
    assert_eq!(used().await, Some(clock.now()));
}

#[tokio::test]
async fn what_ends_the_tokens_of_an_account_spares_those_of_others_and_those_issued_since() {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let clock = Clock::fixed(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let (tokens, ids) = (ApiTokens::new(pool, clock.clone()), Ids::system());
    let workspace = WorkspaceId(ids.uuid());
    let old = issued(&clock, workspace);
    let newer =
        NewApiToken { account: old.account, account_version: 4, ..issued(&clock, workspace) };
    let others = issued(&clock, workspace);
    let mut drawn = Vec::new();
    for token in [&old, &newer, &others] {
        let secret = ApiTokens::draw_token().unwrap();
        tokens.insert(token, secret.hash).await.unwrap();
        drawn.push(secret);
    }

    // A request that is repeated, and a worker that is late.
    for version in [4, 4, 3] {
        let by = EndedBy { event: EventId(ids.uuid()), version };
        tokens.end_all(old.account, by).await.unwrap();
        for (secret, is_left) in drawn.iter().zip([false, true, true]) {
            let found = tokens.find(secret.secret.expose_secret()).await.unwrap();
            assert_eq!(found.is_some(), is_left, "{version}");
        }
    }

    let ended = tokens.ended(old.account).await.unwrap();
    assert_eq!(ended, [EndedOfAccount { token: old.token, workspace }]);
    assert!(tokens.kept(old.token.into()).await.unwrap().unwrap().is_ended);
    let kept = tokens.of_account(old.account).await.unwrap();
    assert_eq!(kept.iter().map(|kept| kept.token).collect::<Vec<_>>(), [newer.token]);
    assert!(tokens.delete(old.token).await.unwrap());
    assert_eq!(tokens.ended(old.account).await.unwrap(), []);
}

#[tokio::test]
async fn a_row_is_taken_back_as_it_was_written_and_not_once_it_is_named() {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let clock = Clock::fixed(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let tokens = ApiTokens::new(pool, clock.clone());
    let one = issued(&clock, WorkspaceId(Ids::system().uuid()));
    let hash = ApiTokens::draw_token().unwrap().hash;
    let first = tokens.insert(&one, hash).await.unwrap();
    clock.advance(TimeDelta::seconds(1));
    let again = tokens.insert(&one, hash).await.unwrap();
    let unnamed = async || tokens.unnamed(clock.now() + TimeDelta::hours(1), 9, 0).await.unwrap();

    tokens.take_back(one.token, first).await.unwrap();
    let NewApiToken { token, workspace, account, account_version, .. } = one;
    let written = UnnamedApiToken { token, workspace, account, account_version, written_at: again };
    assert_eq!(unnamed().await, [written]);
    assert_eq!(tokens.unnamed(again, 9, 0).await.unwrap(), []);
    tokens.name(one.token).await.unwrap();
    tokens.take_back(one.token, again).await.unwrap();
    clock.advance(TimeDelta::seconds(1));
    tokens.insert(&one, hash).await.unwrap();

    assert_eq!(unnamed().await, []);
    assert_eq!(kept(&tokens, one.token).await, Some(hash));
    assert_eq!(tokens.of_workspace(one.workspace).await.unwrap()[0].issued_at, again);
}
