//! An erased account has no snapshot, whoever loads its events later.

use domain::privacy::Purpose;

use super::super::eraser::erase_due;
use super::erasing::request;
use super::*;

#[tokio::test]
async fn a_load_of_an_erased_account_leaves_no_snapshot() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let bob = register(&app, "bob@example.org").await;
    for person in [&ada, &bob] {
        let purpose = Purpose::ProductNews;
        for policy_version in 1..=60 {
            let give = AccountCommand::GiveConsent { purpose, policy_version };
            ask(&app, person.account, None, give).await.unwrap();
            let withdraw = AccountCommand::WithdrawConsent { purpose };
            ask(&app, person.account, None, withdraw).await.unwrap();
        }
    }
    request(&app, ada.account, TimeDelta::zero()).await;
    erase_due(app.clone()).await.unwrap();

    let later = harness.node().await;
    for person in [&ada, &bob] {
        let account = person.account;
        later.executor.load::<Account>(account.into(), account.0).await.unwrap();
    }

    // They are written in the order of their loads.
    let snapshots = async |person: &Person| {
        let of = format!("stream_id = '{}'", person.account.0);
        count(&app, &format!("select count(*) from event_log.snapshots where {of}")).await
    };
    test_support::until("the other one is written", async || snapshots(&bob).await == 1).await;
    assert_eq!(snapshots(&ada).await, 0);
}
