use std::sync::{Arc, Mutex, mpsc};

use chrono::TimeDelta;
use tokio::sync::oneshot;

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
    let hash = credentials.hash(password("correct horse battery"), HashQueue::Known).await.unwrap();
    credentials.insert(account, credential, &hash).await.unwrap();
    let verify = async |account, credential, text: &str| {
        credentials.verify(account, credential, &secret(text), HashQueue::Strangers).await.unwrap()
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

    let verify = async || {
        let password = secret("correct horse battery");
        credentials.verify(account, credential, &password, HashQueue::Known).await.unwrap()
    };
    assert!(verify().await);

    let row = query_opt(&credentials.pool, FIND, &[&credential.0, &account.0]).await.unwrap();
    let hash: String = row.unwrap().get(0);
    assert!(PasswordHash::stored(hash).is_current());
    assert!(verify().await);
}

#[tokio::test]
async fn a_long_queue_is_refused() {
    for queue in [HashQueue::Known, HashQueue::Strangers] {
        let hashing = Hashing::bounded(1, 2);
        let one = |text: &'static str| hashing.hash(secret(text), queue);

        // The core is taken until all have asked.
        let core = hashing.cores.clone().try_acquire_owned().unwrap();
        let (a, b, c, waiting) = tokio::join!(
            biased;
            one("a password"),
            one("a password"),
            one("a password"),
            async {
                drop(core);
                hashing.waiting(queue)
            }
        );

        assert!(a.is_ok() && b.is_ok());
        assert!(matches!(c, Err(CredentialsError::Overloaded)));
        assert_eq!((waiting, hashing.waiting(queue)), (2, 0));
    }
}

#[tokio::test]
async fn strangers_use_up_neither_the_cores_nor_the_queue_of_those_who_are_known() {
    let hashing = &Hashing::bounded(2, 1);
    let stranger = || hashing.hash(secret("a password"), HashQueue::Strangers);
    let (end, wait_for_end) = mpsc::channel::<()>();

    let (first, second, third, known) = tokio::join!(
        biased;
        // Has its core until the last one is answered.
        hashing.run(HashQueue::Strangers, move || wait_for_end.recv().is_err()),
        stranger(),
        stranger(),
        async move {
            let known = hashing.hash(secret("a password"), HashQueue::Known).await;
            let strangers = hashing.waiting(HashQueue::Strangers);
            drop(end);
            known.map(|_| strangers)
        }
    );

    assert_eq!(known.unwrap(), 1, "one stranger waits meanwhile");
    assert!(first.unwrap() && second.is_ok());
    assert!(matches!(third, Err(CredentialsError::Overloaded)), "there is one place to wait in");
}

/// It is made once: whoever is known and signs in at an address that nobody has may need it, too.
#[tokio::test]
async fn the_hash_of_nobody_is_made_however_many_strangers_wait() {
    let hashing = &Hashing::bounded(2, 1);
    let (end, wait_for_end) = mpsc::channel::<()>();

    let (first, second, nobody) = tokio::join!(
        biased;
        // Has its core until the hash is made.
        hashing.run(HashQueue::Strangers, move || wait_for_end.recv().is_err()),
        hashing.run(HashQueue::Strangers, || true),
        async move {
            let nobody = hashing.nobody().await;
            drop(end);
            nobody
        }
    );

    assert!(nobody.is_ok(), "{nobody:?}");
    assert!(first.unwrap() && second.unwrap());
}

#[tokio::test]
async fn who_is_known_waits_for_one_stranger_at_most_where_there_is_one_core() {
    let hashing = Hashing::bounded(1, 3);
    let core = hashing.cores.clone().try_acquire_owned().unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let run = |queue, name: &'static str| {
        let order = Arc::clone(&order);
        hashing.run(queue, move || order.lock().unwrap().push(name))
    };

    let (a, b, c, d, ()) = tokio::join!(
        biased;
        run(HashQueue::Strangers, "a stranger"),
        run(HashQueue::Strangers, "another"),
        run(HashQueue::Strangers, "a third"),
        run(HashQueue::Known, "known"),
        async move { drop(core) }
    );

    assert!([a, b, c, d].iter().all(Result::is_ok));
    assert_eq!(*order.lock().unwrap(), ["a stranger", "known", "another", "a third"]);
}

#[tokio::test]
async fn whoever_gives_up_has_a_core_until_the_work_is_done() {
    let hashing = Hashing::bounded(1, 2);
    let (begun, has_begun) = oneshot::channel();
    let (end, wait_for_end) = mpsc::channel::<()>();
    let works = hashing.run(HashQueue::Strangers, move || {
        begun.send(()).unwrap();
        wait_for_end.recv().is_err()
    });

    tokio::select! {
        _ = works => panic!("it has ended"),
        begun = has_begun => begun.unwrap(),
    }

    assert_eq!(hashing.cores.available_permits(), 0);
    drop(end);
    drop(hashing.cores.acquire().await.unwrap());
}

#[tokio::test]
async fn a_named_hash_replaces_those_before_it_and_an_unnamed_one_is_found() {
    let (_databases, clock, credentials) = given().await;
    let (account, first) = ids();
    let hash = credentials.hash(password("correct horse battery"), HashQueue::Known).await.unwrap();
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
    let hash = credentials.hash(password("correct horse battery"), HashQueue::Known).await.unwrap();
    let fence = "select event_log.fence($1, '{}')";
    credentials.pool.get().await.unwrap().execute(fence, &[&account.0]).await.unwrap();

    credentials.insert(account, credential, &hash).await.unwrap();

    assert_eq!(credentials.delete_of_account(account).await.unwrap(), 0);
}
