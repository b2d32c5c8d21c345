//! What is interrupted goes on: an erasure that kill -9 cut short, and work while root keys turn.

use futures_util::future::join_all;
use serde_json::json;
use tests::{Client, Installation, Person, until};
use uuid::Uuid;

const ROTATIONS: usize = 3;

const STATES: [&str; 5] = ["requested", "fenced", "destroyed", "completed", "backup_proven"];

/// How far the ledger says that an erasure has come.
async fn is_at(ledger: &tokio_postgres::Client, subject: Uuid, least: &str) -> Option<()> {
    let select = "select state from keyring.erasures where subject = $1";
    let row = ledger.query_opt(select, &[&subject]).await.unwrap()?;
    let rank = |state: &str| STATES.iter().position(|known| *known == state).unwrap();
    (rank(row.get(0)) >= rank(least)).then_some(())
}

/// kill -9 as soon as the ledger says that the erasure has `reached` a state, and another start.
async fn cut_short(reached: &str) {
    let installation = Installation::new().await;
    let (ledger, log) = (installation.keyring().await, installation.log().await);
    let lethe = installation.node().await;
    let (client, ada) = (lethe.client(), Person::named("ada"));
    let subject: Uuid = ada.register(&client).await.parse().unwrap();
    ada.verify(&client, &installation).await;
    let signed_in = ada.sign_in(&client).await;
    let ask = json!({ "password": ada.password, "grace_days": 0 });
    let code = signed_in.post("/v1/me/erasure", ask).await.expect(202).field("/claim_code");
    until("the erasure has come so far", async || is_at(&ledger, subject, reached).await).await;

    lethe.kill();
    let lethe = installation.node().await;

    until("it is complete", async || is_at(&ledger, subject, "completed").await).await;
    is_gone(&log, subject).await;
    assert!(installation.mails(&ada.email).is_empty(), "her mails are still there");
    let client = lethe.client();
    client.get(&format!("/v1/erasures/{code}")).await.expect(200).field("/certificate");
    client.bearing(signed_in.token().unwrap()).get("/v1/me").await.expect(401);
    ada.try_sign_in(&client).await.expect(401);
}

#[tokio::test]
async fn an_erasure_goes_on_after_kill_9_once_it_was_requested() {
    cut_short("requested").await;
}

#[tokio::test]
async fn an_erasure_goes_on_after_kill_9_once_the_fence_stood() {
    cut_short("fenced").await;
}

#[tokio::test]
async fn an_erasure_goes_on_after_kill_9_once_the_keys_were_destroyed() {
    cut_short("destroyed").await;
}

async fn is_gone(log: &tokio_postgres::Client, subject: Uuid) {
    let count =
        async |select: &str| -> i64 { log.query_one(select, &[&subject]).await.unwrap().get(0) };
    let completed = "select count(*) from event_log.events
        where stream_id = $1 and event_type = 'account.erasure_completed'";
    assert_eq!(count(completed).await, 1, "completed once");
    for left in [
        "select count(*) from event_log.reservations where owner = $1",
        "select count(*) from working.credentials where account_id = $1",
        "select count(*) from working.sessions where account_id = $1",
        "select count(*) from working.outbox where subject_id = $1",
    ] {
        assert_eq!(count(left).await, 0, "{left}");
    }
}

/// Registers people one after the other until it shall stop; answers who got a 201.
async fn register_on(client: Client, caller: usize, stop: &tokio::sync::Notify) -> Vec<Person> {
    let mut people = Vec::new();
    let registers = async {
        for turn in 0.. {
            let person = Person::named(&format!("caller{caller}-{turn}"));
            person.register(&client).await;
            people.push(person);
        }
    };
    tokio::select! {
        () = registers => {}
        () = stop.notified() => {}
    }
    people
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_lost_when_another_process_turns_the_root_meanwhile() {
    let installation = Installation::new().await;
    let nodes = [installation.node().await, installation.node().await];
    let stop = tokio::sync::Notify::new();
    let turns = async {
        for _ in 0..ROTATIONS {
            let rotated = installation.run(&["keys", "rotate"]).await;
            assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
        }
        stop.notify_waiters();
    };
    let (first, second, ()) = tokio::join!(
        register_on(nodes[0].client(), 0, &stop),
        register_on(nodes[1].client(), 1, &stop),
        turns,
    );
    assert!(first.len() > ROTATIONS && second.len() > ROTATIONS, "nobody was there meanwhile");
    for node in nodes {
        assert!(node.stop().await.success());
    }

    // A node that has nothing in memory opens everybody, under the one root that is left.
    let left = std::fs::read_dir(installation.root_dir()).unwrap().count();
    assert_eq!(left, 1, "old roots are still there");
    let lethe = installation.node().await;
    let client = lethe.client();
    let opens = async |person: &Person| {
        let signed_in = person.sign_in(&client).await;
        let me = until("the read side has caught up", async || {
            Some(signed_in.get("/v1/me").await).filter(|me| me.status == 200)
        });
        assert_eq!(me.await.field("/name"), person.name);
    };
    join_all(first.iter().chain(&second).map(opens)).await;
}
