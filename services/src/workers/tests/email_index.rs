//! The key of the e-mail index turns, and everybody's address stays reserved.

use infra::keyring::{AddressReservations, IndexRotation, IndexTurn};
use infra::reservations::UNREADABLE;

use super::super::email_index::{Accounts, BATCH, ROTATION, reserve_restored, reserve_unreadable};
use super::*;
use crate::operations::email_addresses::{owner, reserve, reserve_instead};

/// No command is under way.
const AT_ONCE: IndexRotation = IndexRotation { command_max: Duration::ZERO, ..ROTATION };

pub(super) async fn rotate(app: &App) -> IndexTurn {
    app.keyring.email_index.rotate(AT_ONCE, &Accounts::of(app)).await.unwrap()
}

/// Whether the account has these addresses under each key that is written, and nothing else.
async fn has_only(app: &App, account: AccountId, email: &str) -> bool {
    let mut indexes = app.keyring.email_index.indexes(&address(email)).await.unwrap();
    indexes.sort();
    app.reservations.of_owner(account.0).await.unwrap() == indexes
}

#[tokio::test]
async fn an_address_stays_reserved_when_the_index_gets_another_key() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let before = app.keyring.email_index.indexes(&address(ada.email)).await.unwrap();
    harness.clock.advance(TimeDelta::days(8));

    assert_eq!(rotate(&app).await, IndexTurn::Rotated);

    let after = app.keyring.email_index.indexes(&address(ada.email)).await.unwrap();
    assert_ne!(before, after);
    assert!(has_only(&app, ada.account, ada.email).await);
    let (kind, index) = &after[0];
    let owner = app.executor.reservation_owner(kind, index).await.unwrap();
    assert_eq!(owner, Some(ada.account.0));
    assert_eq!(rotate(&app).await, IndexTurn::NotDue);
    assert_eq!(app.keyring.email_index.indexes(&address(ada.email)).await.unwrap(), after);
}

#[tokio::test]
async fn an_account_that_cannot_be_read_holds_a_rotation_up_for_days_and_not_for_ever() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let bob = register(&app, "bob@example.org").await;
    damage(&harness.databases, ada.account.0).await;
    let app = harness.node().await;
    harness.clock.advance(TimeDelta::days(7));

    assert_eq!(rotate(&app).await, IndexTurn::Waiting);

    assert!(has_only(&app, bob.account, bob.email).await, "he has both keys already");
    assert_eq!(app.reservations.count_unreadable().await.unwrap(), 1);
    let indexes = app.keyring.email_index.indexes(&address(ada.email)).await.unwrap();
    let (kind, index) = &indexes[1];
    let owner = app.executor.reservation_owner(kind, index).await.unwrap();
    assert_eq!(owner, Some(ada.account.0), "nobody else takes her address meanwhile");
    harness.clock.advance(TimeDelta::days(6));
    assert_eq!(rotate(&app).await, IndexTurn::Rotated);
    assert!(has_only(&app, bob.account, bob.email).await);
    let kinds = app.reservations.kinds().await.unwrap();
    assert_eq!(kinds, ["account.email.2", UNREADABLE]);

    reserve_unreadable(app.clone()).await.unwrap();
    assert_eq!(app.reservations.count_unreadable().await.unwrap(), 1, "she stays unreadable");
    repair(&harness.databases, ada.account.0).await;
    reserve_unreadable(app.clone()).await.unwrap();
    assert_eq!(app.reservations.count_unreadable().await.unwrap(), 0);
    assert!(has_only(&app, ada.account, ada.email).await);
}

#[tokio::test]
async fn an_address_that_changes_while_it_is_moved_leaves_nothing_behind() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let bob = register(&app, "bob@example.org").await;
    let (other, verification) = ("ada@example.com", proof(&app));
    let requests =
        AccountCommand::RequestEmailChange { email: Personal::Clear(address(other)), verification };
    ask(&app, ada.account, None, requests).await.unwrap();
    harness.clock.advance(TimeDelta::days(7));
    let begins = IndexRotation { batches_max: 0, ..AT_ONCE };
    let turn = app.keyring.email_index.rotate(begins, &Accounts::of(&app)).await.unwrap();
    assert_eq!(turn, IndexTurn::Moved);

    // The confirmation has read what she has reserved when the batch is committed.
    let until_now = address(ada.email);
    let changes = reserve_instead(&app, &address(other), Some(&until_now), ada.account).await;
    let accounts = Accounts::of(&app);
    assert!(!accounts.move_batch("account.email.1", "account.email.2").await.unwrap());
    assert!(has_only(&app, ada.account, ada.email).await, "the batch was first");
    let mut request = Request::new(ada.account.into(), CommandId(app.ids.uuid()));
    request.reservations = changes.unwrap();
    let now = harness.clock.now() - TimeDelta::days(7);
    let confirms = AccountCommand::ConfirmEmailChange { proof: verification.id, now };
    let steps = [Step::new::<Account>(ada.account.0, confirms)];
    app.executor.execute(&request, &steps).await.unwrap();

    assert!(has_only(&app, ada.account, other).await);
    assert_eq!(rotate(&app).await, IndexTurn::Rotated);
    assert!(has_only(&app, ada.account, other).await);
    assert!(has_only(&app, bob.account, bob.email).await);
}

#[tokio::test]
async fn a_reservation_that_its_owner_does_not_have_any_more_ends_with_its_key() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let stale = "insert into event_log.reservations values ('account.email.1', '\\x07', $1)";
    let admin = connect_one(&harness.databases.log_url, &ConnectOptions::default()).await.unwrap();
    admin.execute(stale, &[&ada.account.0]).await.unwrap();
    harness.clock.advance(TimeDelta::days(7));

    assert_eq!(rotate(&app).await, IndexTurn::Rotated);

    assert!(has_only(&app, ada.account, ada.email).await);
}

#[tokio::test]
async fn an_address_that_a_former_version_reserved_is_found_and_moves_to_its_canonical_form() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@b\u{fc}cher.example").await;
    let canonical = app.keyring.email_index.indexes(&address(ada.email)).await.unwrap();
    let mut former =
        app.keyring.email_index.indexes_of_all_forms(&address(ada.email)).await.unwrap();
    former.retain(|index| !canonical.contains(index));
    let as_before = "update event_log.reservations set blind_index = $1 where owner = $2";
    let admin = connect_one(&harness.databases.log_url, &ConnectOptions::default()).await.unwrap();
    admin.execute(as_before, &[&former[0].1, &ada.account.0]).await.unwrap();
    let as_dns_has_it = address("Ada@xn--bcher-kva.example");

    assert_eq!(owner(&app, &as_dns_has_it).await.unwrap(), Some(ada.account));
    let bob = AccountId(app.ids.uuid());
    let mut second = Request::new(bob.into(), CommandId(app.ids.uuid()));
    second.reservations = reserve(&app, &as_dns_has_it, bob).await.unwrap();
    let registers = AccountCommand::Register {
        email: Personal::Clear(as_dns_has_it),
        name: Personal::Clear(PersonName::parse("Bob").unwrap()),
        username: None,
        credential: hash(&app, bob).await,
        verification: proof(&app),
    };
    let refused = app.executor.execute(&second, &[Step::new::<Account>(bob.0, registers)]).await;
    assert!(matches!(refused, Err(ExecuteError::Reserved { .. })), "{refused:?}");

    harness.clock.advance(TimeDelta::days(8));
    assert_eq!(rotate(&app).await, IndexTurn::Rotated);
    assert!(has_only(&app, ada.account, ada.email).await);
}

#[tokio::test]
async fn an_address_in_another_spelling_stays_reserved() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let (to, until_now) = (address("Ada@Example.org"), address(ada.email));

    let changes = reserve_instead(&app, &to, Some(&until_now), ada.account).await.unwrap();

    let is_taken = |change: &ReservationChange| matches!(change, ReservationChange::Take { .. });
    assert!(changes.iter().all(is_taken), "{changes:?}");
}

#[tokio::test]
async fn a_rotation_goes_on_after_a_batch_that_is_exactly_full() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    // As many as a batch has, each before hers.
    let of_nobody = "insert into event_log.reservations
        select 'account.email.1', decode(lpad(to_hex(n), 8, '0'), 'hex'), gen_random_uuid()
        from generate_series(1, $1::bigint) n";
    let admin = connect_one(&harness.databases.log_url, &ConnectOptions::default()).await.unwrap();
    admin.execute(of_nobody, &[&BATCH]).await.unwrap();
    harness.clock.advance(TimeDelta::days(7));

    assert_eq!(rotate(&app).await, IndexTurn::Rotated);

    assert!(has_only(&app, ada.account, ada.email).await);
}

#[tokio::test]
async fn addresses_of_a_restored_log_are_reserved_under_the_key_of_today() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let before = databases().await.unwrap();
    let restored = harness.node_with(app.transport.clone(), &before.log_url).await;
    let mut people = Vec::new();
    for email in ["ada@example.org", "bob@example.org"] {
        let person = register(&app, email).await;
        register_as(&restored, person.account, email).await;
        people.push(person);
    }
    harness.clock.advance(TimeDelta::days(8));
    assert_eq!(rotate(&app).await, IndexTurn::Rotated);

    assert_eq!(reserve_restored(&restored).await.unwrap(), 2);

    for person in people {
        assert!(has_only(&restored, person.account, person.email).await);
    }
    assert_eq!(restored.metrics.addresses_restored.get(), 2);
    assert_eq!(reserve_restored(&restored).await.unwrap(), 0);
}

async fn repair(databases: &Databases, stream: Uuid) {
    let owner = connect_one(&databases.log_url, &ConnectOptions::default()).await.unwrap();
    owner.batch_execute("set session_replication_role = replica").await.unwrap();
    let known = "update event_log.events set event_type = 'account.registered' \
        where stream_id = $1 and version = 1";
    assert_eq!(owner.execute(known, &[&stream]).await.unwrap(), 1);
}
