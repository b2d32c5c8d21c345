//! Two owners who ask for erasure at once: one of them stays.

use reqwest::Method;
use serde_json::json;
use test_support::{until_waits_for_lock, waiting_for_lock};
use tests::{Answer, Client, Harness, Person, problem, until};

use crate::failpoints::checks::settled;

/// Two hundred with `LETHE_LONG=1`.
fn pairs() -> usize {
    if tests::long() { 200 } else { 25 }
}

/// Of an erasure with what would make others depend on whoever is erased; forty with `LETHE_LONG=1`.
fn races() -> usize {
    if tests::long() { 40 } else { 20 }
}

/// While it is not known whether others depend on the account, the answer is 503.
async fn ask(client: &Client, person: &Person) -> Answer {
    let body = json!({ "password": person.password, "grace_days": 7 });
    client.ask_for_erasure(body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_owners_who_ask_for_erasure_at_once_one_stays() {
    let _alone = tests::alone().await;
    let harness = Harness::new().await;
    let there = harness.installation.node().await;
    let people = [Person::named("ada"), Person::named("bob")];
    let bob = harness.member("bob", "owner").await;
    let mut clients = [harness.ada.clone(), bob.at(there.client().base())];

    let pairs = pairs();
    for pair in 0..pairs {
        let [ada, bob] = &clients;
        let answers = tokio::join!(ask(ada, &people[0]), ask(bob, &people[1]));

        let answers = [answers.0, answers.1];
        let accepted: Vec<usize> = (0..2).filter(|at| answers[*at].status == 202).collect();
        let [accepted] = accepted[..] else { panic!("pair {pair}: {} accepted", accepted.len()) };
        assert_eq!(problem(&answers[1 - accepted], 409), "owns-workspaces");
        // Who may leave is signed out, and comes back.
        let again = until("the next sign-in", async || {
            let answer = people[accepted].try_sign_in(&clients[accepted]).await;
            (answer.status == 201).then(|| answer.field("/token"))
        });
        clients[accepted] = clients[accepted].bearing(&again.await);
        clients[accepted].delete("/v1/me/erasure").await.expect(204);
    }
    println!("{pairs} pairs of owners asked for erasure at once: one of each was accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_leaves_is_not_counted_as_one_who_stays() {
    let harness = Harness::new().await;
    let bob = harness.member("bob", "owner").await;
    let member = |whom: &str| harness.at(&format!("members/{whom}"));
    let own = member(&harness.ada.account().await);
    ask(&bob, &Person::named("bob")).await.expect(202);

    let asked = ask(&harness.ada, &Person::named("ada")).await;
    let left = harness.ada.delete(&own).await;
    let lowered = harness.ada.put(&own, "*", json!({ "role": "admin" })).await;

    assert_eq!(problem(&asked, 409), "owns-workspaces");
    assert_eq!(problem(&left, 409), "refused");
    assert_eq!(problem(&lowered, 409), "refused");
    let back = Person::named("bob").sign_in(&harness.node.client()).await;
    back.delete("/v1/me/erasure").await.expect(204);
    harness.ada.delete(&own).await.expect(204);
}

/// Ada, who is signed out where her erasure was accepted, and stays after all.
async fn comes_back(ada: &Client) -> Client {
    returns(ada, &Person::named("ada")).await
}

async fn returns(client: &Client, person: &Person) -> Client {
    let again = until("the next sign-in", async || {
        let answer = person.try_sign_in(client).await;
        (answer.status == 201).then(|| answer.field("/token"))
    });
    let client = client.bearing(&again.await);
    client.delete("/v1/me/erasure").await.expect(204);
    client
}

/// Until so many appends wait for the log.
async fn until_waiting(watcher: &tokio_postgres::Client, appends: usize) {
    until(&format!("{appends} wait for the log"), async || {
        let waiting = waiting_for_lock(watcher, "event_log.append").await;
        if waiting.len() >= appends { Ok(()) } else { Err(waiting.len()) }
    })
    .await;
}

/// Each has decided before the other has appended. An erasure takes longer to come so far: the acceptance waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn of_an_erasure_and_a_member_who_joins_the_second_is_refused() {
    let _alone = tests::alone().await;
    let mut harness = Harness::new().await;
    let there = harness.installation.node().await;
    let bob = harness.person("bob").await.at(there.client().base());
    let member = harness.at(&format!("members/{}", bob.account().await));
    let (log, watcher) = (harness.installation.log().await, harness.installation.log().await);
    let owner = Person::named("ada");

    for erasure_is_first in [true, false] {
        let accepts = json!({ "token": harness.invite("bob@example.org", "viewer").await });
        // Nobody else appends any more: whoever waits is one of these two.
        settled(&harness.installation, "a race").await;
        log.batch_execute("begin; select event_log.lock()").await.unwrap();
        let asks = async {
            if !erasure_is_first {
                until_waiting(&watcher, 1).await;
            }
            ask(&harness.ada, &owner).await
        };
        let joins = async {
            if erasure_is_first {
                until_waiting(&watcher, 1).await;
            }
            bob.post("/v1/invitations/accept", accepts).await
        };
        let releases = async {
            until_waiting(&watcher, 2).await;
            log.batch_execute("rollback").await.unwrap();
        };
        let (asked, joined, ()) = tokio::join!(asks, joins, releases);

        if erasure_is_first {
            assert_eq!(problem(&joined, 409), "refused");
            asked.expect(202);
            harness.ada = comes_back(&harness.ada).await;
        } else {
            assert_eq!(problem(&asked, 409), "owns-workspaces");
            joined.expect(200);
            harness.ada.delete(&member).await.expect(204);
        }
    }
}

/// Between the check of an erasure and its append.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_who_is_made_the_owner_as_the_erasure_is_requested_stays() {
    let harness = Harness::new().await;
    let bob = harness.member("bob", "viewer").await;
    let member = |whom: &str| harness.at(&format!("members/{whom}"));
    let (his, hers) = (bob.account().await, harness.ada.account().await);
    let keyring = harness.installation.keyring().await;
    // The ledger is read, and not written.
    let holds = "begin; lock table keyring.erasures in share row exclusive mode";
    keyring.batch_execute(holds).await.unwrap();
    let watcher = harness.installation.keyring().await;
    let person = Person::named("bob");
    let becomes_owner = async {
        until_waits_for_lock(&watcher, "insert into keyring.erasures").await;
        harness.ada.put(&member(&his), "*", json!({ "role": "owner" })).await.expect(200);
        harness.ada.put(&member(&hers), "*", json!({ "role": "admin" })).await.expect(200);
        keyring.batch_execute("rollback").await.unwrap();
    };

    let (asked, ()) = tokio::join!(ask(&bob, &person), becomes_owner);

    assert_eq!(problem(&asked, 409), "owns-workspaces");
}

/// She makes him an owner after he has looked at the owners, and before he has left.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_made_an_owner_on_leaving_leaves_where_another_owner_stays() {
    let _alone = tests::alone().await;
    let harness = Harness::new().await;
    let there = harness.installation.node().await;
    let bob = harness.member("bob", "admin").await.at(there.client().base());
    let his = harness.at(&format!("members/{}", bob.account().await));
    let (log, watcher) = (harness.installation.log().await, harness.installation.log().await);
    // Nobody else appends any more: whoever waits is one of these two.
    settled(&harness.installation, "a race").await;
    log.batch_execute("begin; select event_log.lock()").await.unwrap();
    let makes_owner = harness.ada.put(&his, "*", json!({ "role": "owner" }));
    let leaves = async {
        until_waiting(&watcher, 1).await;
        bob.delete(&his).await
    };
    let releases = async {
        until_waiting(&watcher, 2).await;
        log.batch_execute("rollback").await.unwrap();
    };

    let (promoted, left, ()) = tokio::join!(makes_owner, leaves, releases);

    promoted.expect(200);
    left.expect(204);
    let changed = harness.events("workspace.role_changed").await;
    assert_eq!(changed.len(), 1, "he was an owner: {changed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_erasure_and_a_deletion_that_is_cancelled_one_is_refused() {
    let _alone = tests::alone().await;
    let harness = Harness::new().await;
    let bob = harness.person("bob").await.account().await;
    let there = harness.installation.node().await;
    let mut ada = harness.ada.clone();
    let mut erased = 0;

    let races = races();
    for race in 0..races {
        // The deletion of one workspace is requested and cancelled twice a day at most.
        let made = ada.post("/v1/workspaces", json!({ "name": "Mills" })).await.expect(201);
        let path = made.header("location").unwrap().to_owned();
        let workspace = made.field("/workspace_id");
        harness.installation.join(&workspace, &bob, "viewer").await;
        until("the read side has both", async || {
            let shown = ada.get("/v1/workspaces?limit=200").await.expect(200).json();
            let mut items = shown["items"].as_array().unwrap().iter();
            items.any(|it| it["workspace_id"] == workspace.as_str() && it["members"] == 2)
        })
        .await;
        let deletion = format!("{path}/deletion");
        let deletes = ada.call(Method::POST, &deletion).header("If-Match", "*");
        let asks = json!({ "password": Person::named("ada").password, "grace_days": 7 });
        deletes.json(asks).send().await.expect(202);
        let cancels = ada.at(there.client().base());
        let owner = Person::named("ada");
        let both = tokio::join!(ask(&ada, &owner), cancels.delete(&deletion));

        match (both.0.status, both.1.status) {
            (202, 409 | 401) => {
                erased += 1;
                ada = comes_back(&ada).await;
                ada.delete(&deletion).await.expect(204);
            }
            (409, 204) => assert_eq!(problem(&both.0, 409), "owns-workspaces"),
            other => panic!("race {race}: {other:?}"),
        }
        // Nobody depends on it any more.
        ada.delete(&format!("{path}/members/{bob}")).await.expect(204);
    }
    println!("{races} races of an erasure and a cancellation: {erased} erasures were first");
}
