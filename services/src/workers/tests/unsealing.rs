//! One field among others: absent when its key is erased, and an error when that is not known.

use domain::account::LiveAccount;
use domain::privacy::{AccountEmail, AccountName};
use infra::postgres::connect_one;

use super::*;
use crate::unseal::{UnknownField, Unsealer};

async fn live(app: &App, account: AccountId) -> LiveAccount {
    let loaded = app.executor.load::<Account>(account.into(), account.0).await.unwrap();
    let Account::Live(live) = &*loaded.state else { panic!("a live account") };
    (**live).clone()
}

#[tokio::test]
async fn a_field_whose_key_is_erased_is_absent_and_a_damaged_one_is_an_error() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let email = live(&app, ada).await.email;
    let unsealer = Unsealer::of_account(&app, ada);

    let opened = unsealer.optional::<AccountEmail>(Some(&email)).await.unwrap();
    assert_eq!(opened.unwrap().folded(), "ada@example.org");
    // Sealed for another field.
    let damaged = unsealer.optional::<AccountName>(Some(email.sealed().unwrap())).await;
    assert!(matches!(damaged, Err(UnknownField::Damaged)));

    app.keyring.eraser.erase_subject(ada.into()).await.unwrap();
    let erased = unsealer.optional::<AccountEmail>(Some(&email)).await;
    assert!(matches!(erased, Ok(None)));
}

#[tokio::test]
async fn a_field_is_not_absent_because_the_keyring_is_not_reached() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let email = live(&app, ada).await.email;
    let other = harness.node().await;
    let owner = connect_one(&harness.databases.keyring_url, &ConnectOptions::default()).await;
    owner.unwrap().batch_execute("revoke select on keyring.keys from lethe_app").await.unwrap();

    // It has no key in memory.
    let unknown = Unsealer::of_account(&other, ada).optional::<AccountEmail>(Some(&email)).await;

    assert!(matches!(unknown, Err(UnknownField::Unavailable(_))));
}
