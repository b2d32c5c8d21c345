use chrono::TimeDelta;
use secrecy::ExposeSecret;

use super::*;
use crate::ids::Ids;
use crate::postgres::{ConnectOptions, connect, connect_one};
use test_support::databases;

#[tokio::test]
async fn a_token_opens_until_it_expires_or_is_revoked() {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let clock = Clock::fixed(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let operators = Operators::new(pool, clock.clone());
    let expires_at = clock.now() + TimeDelta::days(1);
    let (first, second) = (Operators::draw_token().unwrap(), Operators::draw_token().unwrap());
    let admin =
        OperatorToken { id: TokenId(Ids::system().uuid()), scope: Scope::Admin, expires_at };
    let audit =
        OperatorToken { id: TokenId(Ids::system().uuid()), scope: Scope::Audit, expires_at };

    assert!(operators.insert(&admin, first.hash, Some("support desk")).await.unwrap());
    assert!(operators.insert(&audit, second.hash, None).await.unwrap());
    assert!(!operators.insert(&admin, second.hash, None).await.unwrap());

    let find =
        async |token: &BearerToken| operators.find(token.secret.expose_secret()).await.unwrap();
    assert_eq!(find(&first).await, Some(admin));
    assert_eq!(find(&second).await, Some(audit));
    assert_eq!(operators.find("lo_nothing").await.unwrap(), None);
    assert!(admin.may(Scope::Audit) && audit.may(Scope::Audit) && !audit.may(Scope::Admin));
    assert!(operators.revoke(audit.id).await.unwrap());
    assert_eq!(find(&second).await, None);
    let list = async |state, order, last, limit| {
        operators.list(state, (order, last), limit).await.unwrap()
    };
    let mut listed = list(None, TimeOrder::Oldest, None, 10).await;
    let place = |token: &ListedOperatorToken| Some((token.issued_at, token.id.0));
    for (order, all) in [
        (TimeOrder::Oldest, listed.clone()),
        (TimeOrder::Newest, listed.iter().rev().cloned().collect()),
    ] {
        assert_eq!(list(None, order, None, 1).await, all[..1]);
        assert_eq!(list(None, order, place(&all[0]), 10).await, all[1..]);
    }
    for (state, found) in
        [("live", vec![admin.id]), ("revoked", vec![audit.id]), ("expired", vec![])]
    {
        let tokens = list(Some(state), TimeOrder::Oldest, None, 10).await;
        assert_eq!(tokens.iter().map(|token| token.id).collect::<Vec<_>>(), found, "{state}");
    }
    listed.sort_by_key(|token| token.revoked_at.is_some());
    let revoked_at =
        |token: &ListedOperatorToken| (token.name.clone(), token.scope, token.revoked_at);
    let now = Some(clock.now());
    let expected =
        [(Some("support desk".to_owned()), Scope::Admin, None), (None, Scope::Audit, now)];
    assert_eq!(listed.iter().map(revoked_at).collect::<Vec<_>>(), expected);
    clock.advance(TimeDelta::days(1));
    assert_eq!(find(&first).await, None);
}

#[tokio::test]
async fn a_scope_that_cannot_be_read_is_an_error_and_not_the_audit_scope() {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let clock = Clock::fixed(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let operators = Operators::new(pool, clock.clone());
    let drawn = Operators::draw_token().unwrap();
    let id = TokenId(Ids::system().uuid());
    let expires_at = clock.now() + TimeDelta::days(1);
    let token = OperatorToken { id, scope: Scope::Admin, expires_at };
    operators.insert(&token, drawn.hash, None).await.unwrap();

    let owner = connect_one(&databases.log_url, &ConnectOptions::default()).await.unwrap();
    let damage = "alter table working.operator_tokens drop constraint operator_tokens_scope_check;
                  update working.operator_tokens set scope = 'Admin'";
    owner.batch_execute(damage).await.unwrap();

    let found = operators.find(drawn.secret.expose_secret()).await;
    assert!(matches!(found, Err(PgError::Database(_))), "{found:?}");
}
