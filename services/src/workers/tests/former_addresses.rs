//! Accounts from before an address had one canonical form, and a rule that refuses look-alikes.

use domain::privacy::TypedAddress;
use infra::keyring::IndexTurn;

use super::super::email_index::reserve_restored;
use super::email_index::rotate;
use super::*;
use crate::operations::email_addresses::{owner, owner_of_typed};

const COMPOSED: &str = "j\u{f6}rg@home.example";
const DECOMPOSED: &str = "jo\u{308}rg@home.example";

/// As former versions stored it: reserved without case, and otherwise as it was typed.
async fn register_before(app: &App, account: AccountId, typed: &str) {
    let email: EmailAddress = serde_json::from_value(typed.into()).unwrap();
    let form = std::iter::once(email.canonical()).chain(email.former_forms());
    let form = form.enumerate().find(|(_, form)| *form == typed.to_lowercase()).unwrap().0;
    let index = app.keyring.email_index.indexes_of_all_forms(&email).await.unwrap();
    let (kind, blind_index) = index[form].clone();
    let mut request = Request::new(account.into(), CommandId(app.ids.uuid()));
    request.reservations = vec![ReservationChange::Take { kind, blind_index, owner: account.0 }];
    let command = AccountCommand::Register {
        email: Personal::Clear(email),
        name: Personal::Clear(PersonName::parse("Ada Lovelace").unwrap()),
        username: None,
        credential: hash(app, account).await,
        verification: proof(app),
    };
    app.executor.execute(&request, &[Step::new::<Account>(account.0, command)]).await.unwrap();
}

async fn someone(app: &App, typed: &str) -> AccountId {
    let account = AccountId(app.ids.uuid());
    register_before(app, account, typed).await;
    account
}

/// Whose account it is, for whoever types this.
async fn typed(app: &App, text: &str) -> Option<AccountId> {
    owner_of_typed(app, &TypedAddress::parse(text).unwrap()).await.unwrap()
}

#[tokio::test]
async fn an_address_that_is_refused_today_is_found_by_whoever_has_it_and_by_nobody_else() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let sharp = someone(&app, "Gro\u{df}@home.example").await;
    let sigma = someone(&app, "\u{3c3}\u{3b1}\u{3c3}@home.example").await;
    let mark = someone(&app, "mark@home.example").await;
    let kelvin = someone(&app, "\u{212a}elvin@home.example").await;

    for _ in 0..2 {
        assert_eq!(typed(&app, "gro\u{df}@home.example").await, Some(sharp));
        assert_eq!(typed(&app, "\u{3c3}\u{3b1}\u{3c3}@home.example").await, Some(sigma));
        assert_eq!(typed(&app, "gross@home.example").await, None);
        assert_eq!(typed(&app, "Mark@home.example").await, Some(mark));
        assert_eq!(typed(&app, "mar\u{212a}@home.example").await, None);
        assert_eq!(typed(&app, "\u{212a}elvin@home.example").await, Some(kelvin));
        harness.clock.advance(TimeDelta::days(8));
        assert_eq!(rotate(&app).await, IndexTurn::Rotated);
    }
}

#[tokio::test]
async fn an_address_that_was_not_composed_is_found_and_taken_before_a_rotation_and_after_it() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let first = someone(&app, DECOMPOSED).await;

    for _ in 0..2 {
        for text in [COMPOSED, DECOMPOSED] {
            assert_eq!(owner(&app, &address(text)).await.unwrap(), Some(first), "{text}");
            assert_eq!(typed(&app, text).await, Some(first), "{text}");
        }
        harness.clock.advance(TimeDelta::days(8));
        assert_eq!(rotate(&app).await, IndexTurn::Rotated);
    }
}

#[tokio::test]
async fn two_accounts_with_one_address_in_two_spellings_are_each_found_by_their_own() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let first = someone(&app, DECOMPOSED).await;
    let second = someone(&app, COMPOSED).await;

    for _ in 0..3 {
        assert_eq!(typed(&app, DECOMPOSED).await, Some(first));
        assert_eq!(typed(&app, COMPOSED).await, Some(second));
        harness.clock.advance(TimeDelta::days(8));
        assert_eq!(rotate(&app).await, IndexTurn::Rotated);
    }
    let kinds = app.reservations.kinds().await.unwrap();
    assert_eq!(kinds, ["account.email.4"]);
}

#[tokio::test]
async fn a_restored_log_reserves_both_spellings_again() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let before = databases().await.unwrap();
    let restored = harness.node_with(app.transport.clone(), &before.log_url).await;
    let mut people = Vec::new();
    for text in [DECOMPOSED, COMPOSED] {
        let account = someone(&app, text).await;
        register_before(&restored, account, text).await;
        people.push((text, account));
    }
    harness.clock.advance(TimeDelta::days(8));
    assert_eq!(rotate(&app).await, IndexTurn::Rotated);

    assert_eq!(reserve_restored(&restored).await.unwrap(), 2);

    for (text, account) in people {
        assert_eq!(typed(&restored, text).await, Some(account), "{text}");
    }
}
