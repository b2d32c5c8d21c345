use chrono::TimeDelta;

use super::*;
use crate::ids::Ids;
use crate::postgres::{ConnectOptions, connect};
use test_support::{Databases, databases};

async fn given() -> (Databases, Clock, Credentials) {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let clock = Clock::fixed(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let credentials = Credentials::new(pool, clock.clone());
    (databases, clock, credentials)
}

fn ids() -> (AccountId, CredentialId) {
    (AccountId(Ids::system().uuid()), CredentialId(Ids::system().uuid()))
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

fn password(text: &str) -> Password {
    Password::parse(secret(text)).unwrap()
}

#[test]
fn a_password_has_a_length_and_no_other_rule() {
    let parse = |text: &str| Password::parse(secret(text)).map(drop);

    assert_eq!(parse("elevenbytes"), Err(PasswordError::TooShort));
    assert_eq!(parse("twelve bytes"), Ok(()));
    assert_eq!(parse("ひらがな"), Ok(()));
    assert_eq!(parse(&"ab".repeat(512)), Ok(()));
    assert_eq!(parse(&"ab".repeat(513)), Err(PasswordError::TooLong));
}

#[test]
fn a_password_that_everybody_chooses_is_refused() {
    for common in ["password1234", "PassWord1234", "qwertyuiop123", "zzzzzzzzzzzzzz"] {
        let refused = Password::parse(secret(common)).map(drop);
        assert_eq!(refused, Err(PasswordError::Common));
    }
}

#[tokio::test]
async fn a_password_opens_its_own_credential_only() {
    let (_databases, _, credentials) = given().await;
    let (account, credential) = ids();
    let hash = credentials.hash(password("correct horse battery")).await.unwrap();
    credentials.insert(account, credential, &hash).await.unwrap();
    let verify = async |account, credential, text: &str| {
        credentials.verify(account, credential, &secret(text)).await.unwrap()
    };

    assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert!(verify(account, credential, "correct horse battery").await);
    assert!(!verify(account, credential, "correct horse batterz").await);
    assert!(!verify(account, ids().1, "correct horse battery").await);
    assert!(!verify(ids().0, credential, "correct horse battery").await);
    assert!(!verify(account, credential, &"x".repeat(2000)).await);
}

#[tokio::test]
async fn an_older_hash_is_made_anew_at_the_next_login() {
    let (_databases, _, credentials) = given().await;
    let (account, credential) = ids();
    let weak = argon2::Params::new(8, 1, 1, None).unwrap();
    let weak = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, weak);
    let weak: argon2::password_hash::phc::PasswordHash =
        argon2::PasswordHasher::hash_password(&weak, b"correct horse battery").unwrap();
    let weak = PasswordHash::stored(weak.to_string());
    credentials.insert(account, credential, &weak).await.unwrap();

    let right = credentials.verify(account, credential, &secret("correct horse battery")).await;

    assert!(right.unwrap());
    let row = query_opt(&credentials.pool, FIND, &[&credential.0, &account.0]).await.unwrap();
    let hash: String = row.unwrap().get(0);
    assert!(PasswordHash::stored(hash).is_current());
    let right = credentials.verify(account, credential, &secret("correct horse battery")).await;
    assert!(right.unwrap());
}

#[tokio::test]
async fn a_long_queue_is_refused() {
    let hashing = Hashing::bounded(1, 1);
    let one = |text: &'static str| hashing.hash(secret(text));

    // The core is taken until all have asked.
    let core = hashing.cores.clone().try_acquire_owned().unwrap();
    let (a, b, c, ()) = tokio::join!(
        biased;
        one("a password"),
        one("a password"),
        one("a password"),
        async move { drop(core) }
    );

    assert!(a.is_ok() && b.is_ok());
    assert!(matches!(c, Err(CredentialsError::Overloaded)));
}

#[tokio::test]
async fn a_named_hash_replaces_those_before_it_and_an_unnamed_one_is_found() {
    let (_databases, clock, credentials) = given().await;
    let (account, first) = ids();
    let hash = credentials.hash(password("correct horse battery")).await.unwrap();
    credentials.insert(account, first, &hash).await.unwrap();
    credentials.name(account, first).await.unwrap();
    clock.advance(TimeDelta::hours(1));
    let second = ids().1;
    credentials.insert(account, second, &hash).await.unwrap();

    let unnamed = credentials.unnamed(clock.now() + TimeDelta::seconds(1), 10, 0).await.unwrap();
    assert_eq!(unnamed.len(), 1);
    assert_eq!((unnamed[0].account, unnamed[0].credential), (account, second));
    credentials.name(account, first).await.unwrap();
    assert!(query_opt(&credentials.pool, FIND, &[&second.0, &account.0]).await.unwrap().is_some());
    credentials.take_back(second, clock.now() - TimeDelta::seconds(1)).await.unwrap();
    assert!(query_opt(&credentials.pool, FIND, &[&second.0, &account.0]).await.unwrap().is_some());

    credentials.name(account, second).await.unwrap();

    assert!(query_opt(&credentials.pool, FIND, &[&first.0, &account.0]).await.unwrap().is_none());
    credentials.take_back(second, clock.now()).await.unwrap();
    assert_eq!(credentials.delete_of_account(account).await.unwrap(), 1);
}

#[tokio::test]
async fn a_fenced_person_gets_no_hash() {
    let (_databases, _, credentials) = given().await;
    let (account, credential) = ids();
    let hash = credentials.hash(password("correct horse battery")).await.unwrap();
    let fence = "select event_log.fence($1, '{}')";
    credentials.pool.get().await.unwrap().execute(fence, &[&account.0]).await.unwrap();

    credentials.insert(account, credential, &hash).await.unwrap();

    assert_eq!(credentials.delete_of_account(account).await.unwrap(), 0);
}
