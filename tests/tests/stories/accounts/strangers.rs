//! What people without an account can make Lethe keep: bounded by time, not by tries. And what an answer to
//! them costs does not tell who has an account.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tests::{Answer, Client, Installation, Person, long, until};

/// As without settings.
const LIMITS: [(&str, &str); 6] = [
    ("trusted_proxies", "1"),
    ("address_requests_per_second", "50"),
    ("account_requests_per_second", "50"),
    ("sign_ins_per_minute", "10"),
    ("registrations_per_hour", "20"),
    ("mails_per_hour", "20"),
];
/// Each sends as many tries as it is let.
const NETWORKS: u8 = 50;
const TRIES: usize = 10;
/// Of those that are recorded one by one in an hour, and their counts; twice, where the hour ends meanwhile.
const ROWS_MAX: i64 = 2 * (20 + 10 + 2);

fn from(client: &Client, site: u8, network: u8) -> Client {
    client.saying("X-Forwarded-For", &format!("10.{site}.0.{network}"))
}

/// The rows of every table of both databases.
async fn rows(installation: &Installation) -> BTreeMap<String, i64> {
    let tables = "select format('%I.%I', schemaname, tablename) from pg_tables
        where schemaname not in ('pg_catalog', 'information_schema')";
    let mut found = BTreeMap::new();
    for client in [installation.log().await, installation.keyring().await] {
        for table in client.query(tables, &[]).await.unwrap() {
            let table: String = table.get(0);
            let count = format!("select count(*) from {table}");
            found.insert(table, client.query_one(&count, &[]).await.unwrap().get(0));
        }
    }
    found
}

async fn tries(client: &Client, site: u8, whose: &Person) -> Vec<Answer> {
    let networks = (0..NETWORKS).map(|network| {
        let client = from(client, site, network);
        async move {
            let mut answers = Vec::new();
            for number in 0..TRIES {
                let email = if whose.name == "nobody" {
                    format!("nobody{site}.{network}.{number}@example.org")
                } else {
                    whose.email.clone()
                };
                let body = json!({ "email": email, "password": "it is none of hers" });
                answers.push(client.post("/v1/sessions", body).await);
            }
            answers
        }
    });
    join_all(networks).await.into_iter().flatten().collect()
}

fn total(counted: &[Value]) -> u64 {
    counted.iter().map(|event| event["count"].as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_make_lethe_keep_is_bounded_by_time_and_not_by_tries() {
    let _alone = tests::alone().await;
    let installation = Installation::with(&LIMITS).await;
    let node = installation.node().await;
    let client = node.client();
    let ada = Person::named("ada");
    ada.settle(&from(&client, 1, 1), &installation).await;
    let nobody = Person { name: "nobody".to_owned(), ..Person::named("nobody") };
    // The first ones make a key of the day.
    for network in 0..4 {
        for person in [&nobody, &Person { password: "wrong".to_owned(), ..ada.clone() }] {
            person.try_sign_in(&from(&client, 2, network)).await.expect(401);
        }
    }
    until("they are in the log", async || {
        let found = [
            installation.events("account.login_failed").await.len(),
            installation.events("strangers.sign_in_refused").await.len(),
        ];
        if found == [4, 4] { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
    let before = rows(&installation).await;

    let (started, minutes) = (Instant::now(), if long() { 10 } else { 0 });
    let (mut unknown, mut known) = (4, 4);
    let mut round = 10;
    loop {
        let answers = [tries(&client, round, &nobody).await, tries(&client, round + 1, &ada).await];
        let [of_nobody, of_ada] = answers;
        unknown += of_nobody.iter().filter(|answer| answer.status == 401).count();
        known += of_ada.iter().filter(|answer| answer.status == 401).count();
        let resets = (0..NETWORKS).map(|network| {
            let email = format!("nobody{network}@example.org");
            let client = from(&client, round, network);
            async move { client.post("/v1/password-resets", json!({ "email": email })).await }
        });
        for answer in join_all(resets).await {
            answer.expect(202);
        }
        round += 2;
        if started.elapsed() >= Duration::from_mins(minutes) || round > 250 {
            break;
        }
    }
    assert!(node.stop().await.success());

    let after = rows(&installation).await;
    for (table, count) in &after {
        let more = count - before.get(table).copied().unwrap_or_default();
        assert!(more <= ROWS_MAX * if long() { 2 } else { 1 }, "{table} has {more} rows more");
        if more != 0 {
            println!("{table}: {more} rows more after {unknown} + {known} tries");
        }
    }
    let events = async |of: &str| installation.events(of).await;
    let singly = events("strangers.sign_in_refused").await.len();
    let counted = total(&events("strangers.sign_ins_refused").await);
    assert_eq!(u64::try_from(singly).unwrap() + counted, u64::try_from(unknown).unwrap());
    let singly = events("account.login_failed").await.len();
    let counted = total(&events("account.logins_failed").await);
    assert_eq!(u64::try_from(singly).unwrap() + counted, u64::try_from(known).unwrap());
    assert!(unknown >= usize::from(NETWORKS) * TRIES && known > 50, "{unknown} {known}");
}

/// Whoever measures answers learns nothing: nothing is appended before them.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_is_refused_or_mailed_is_appended_after_the_answer() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    let client = node.client();
    let ada = Person::named("ada");
    ada.settle(&client, &installation).await;
    let log = installation.log().await;
    log.batch_execute("begin; select event_log.lock()").await.unwrap();

    for email in [&ada.email, "nobody@example.org"] {
        let body = json!({ "email": email, "password": "it is none of hers" });
        client.post("/v1/sessions", body).await.expect(401);
        client.post("/v1/password-resets", json!({ "email": email })).await.expect(202);
    }

    let types =
        ["account.login_failed", "strangers.sign_in_refused", "account.password_reset_requested"];
    for event_type in types {
        assert!(installation.events(event_type).await.is_empty(), "{event_type}");
    }
    log.batch_execute("rollback").await.unwrap();
    for event_type in types {
        until(event_type, async || {
            (installation.events(event_type).await.len() == 1).then_some(())
        })
        .await;
    }
    installation.mail(&ada.email, 2).await.token();
}
