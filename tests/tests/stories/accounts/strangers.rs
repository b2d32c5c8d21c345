//! What people without an account can make Lethe keep: bounded by time, not by tries. And what an answer to
//! them costs does not tell who has an account.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use tests::{Answer, Client, Installation, Person, answered, long, until};

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
/// Resets of one address in an hour, whoever asks for them.
const RESETS: usize = 20;
/// Of those that are recorded one by one in an hour, and their counts, and of the resets of one address with the keys
/// of their links; twice, where the hour ends meanwhile.
const ROWS_MAX: i64 = 2 * (20 + 10 + 2 + 2 * 20);
/// In an hour, from one network.
const REGISTRATIONS: u64 = 20;
/// In any one table.
const ROWS_OF_A_REGISTRATION: i64 = 4;

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

/// Fails if any table has got more than `max` rows since `before`; prints those that have got some.
async fn no_more_rows_than(
    max: i64,
    (installation, before): (&Installation, &BTreeMap<String, i64>),
    after_what: &str,
) {
    for (table, count) in rows(installation).await {
        let more = count - before.get(&table).copied().unwrap_or_default();
        if more != 0 {
            println!("{table}: {more} rows more after {after_what}");
        }
        assert!(more <= max, "{table} has {more} rows more after {after_what}, and not {max}");
    }
}

/// A sign-in with a wrong password.
async fn try_once(client: &Client, email: &str, again: &[u16]) -> Answer {
    let body = json!({ "email": email, "password": "it is none of hers" });
    answered(again, async || client.post("/v1/sessions", &body).await).await
}

/// Each network's tries one after the other. What its own limit refuses is sent again, for an address that nobody has:
/// what was answered 503 was counted, too. How many were answered 401.
async fn tries(client: &Client, site: u8, known: Option<&str>) -> usize {
    let networks = (0..NETWORKS).map(|network| {
        let client = from(client, site, network);
        async move {
            let mut refused = 0;
            for number in 0..TRIES {
                let answer = if let Some(email) = known {
                    try_once(&client, email, &[503]).await
                } else {
                    let email = format!("nobody{site}.{network}.{number}@example.org");
                    try_once(&client, &email, &[429, 503]).await
                };
                refused += usize::from(answer.status == 401);
            }
            refused
        }
    });
    join_all(networks).await.into_iter().sum()
}

/// Each network asks for a reset of nobody's address, and of a known one. How many of these are taken.
async fn resets(client: &Client, site: u8, known: &str) -> usize {
    let networks = (0..NETWORKS).map(|network| {
        let client = from(client, site, network);
        async move {
            let ask = async |email: &str| {
                let body = json!({ "email": email });
                answered(&[503], async || client.post("/v1/password-resets", &body).await).await
            };
            ask(&format!("nobody{site}.{network}@example.org")).await.expect(202);
            let of_known = ask(known).await;
            assert!(matches!(of_known.status, 202 | 429), "{}", of_known.text());
            usize::from(of_known.status == 202)
        }
    });
    join_all(networks).await.into_iter().sum()
}

/// The events of a type, and those that events of another type count.
async fn recorded(installation: &Installation, singly: &str, counts: &str) -> u64 {
    let singly = installation.events(singly).await.len();
    let counted = installation.events(counts).await;
    let counted: u64 = counted.iter().map(|event| event["count"].as_u64().unwrap()).sum();
    u64::try_from(singly).unwrap() + counted
}

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_make_lethe_keep_is_bounded_by_time_and_not_by_tries() {
    let _alone = tests::alone().await;
    let installation = Installation::with(&LIMITS).await;
    let node = installation.node().await;
    let client = node.client();
    let ada = Person::named("ada");
    ada.settle(&from(&client, 1, 1), &installation).await;
    // The first ones make a key of the day.
    for network in 0..4 {
        for email in ["nobody@example.org", &ada.email] {
            try_once(&from(&client, 2, network), email, &[503]).await.expect(401);
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
    let (mut unknown, mut known, mut mailed) = (4, 4, 0);
    let mut round = 10;
    loop {
        unknown += tries(&client, round, None).await;
        known += tries(&client, round + 1, Some(&ada.email)).await;
        mailed += resets(&client, round, &ada.email).await;
        round += 2;
        if started.elapsed() >= Duration::from_mins(minutes) || round > 250 {
            break;
        }
    }
    assert!(node.stop().await.success());

    let after_what = format!("{unknown} + {known} tries and {mailed} resets");
    no_more_rows_than(ROWS_MAX * if long() { 2 } else { 1 }, (&installation, &before), &after_what)
        .await;
    let refused =
        recorded(&installation, "strangers.sign_in_refused", "strangers.sign_ins_refused").await;
    assert_eq!(refused, u64::try_from(unknown).unwrap());
    let failed = recorded(&installation, "account.login_failed", "account.logins_failed").await;
    assert_eq!(failed, u64::try_from(known).unwrap());
    let requested = installation.events("account.password_reset_requested").await.len();
    assert_eq!(requested, mailed);
    assert!(unknown >= usize::from(NETWORKS) * TRIES && known > 20, "{after_what}");
    assert!((1..=2 * RESETS).contains(&mailed), "{after_what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_registrations_leave_is_bounded_by_registrations_per_hour() {
    let _alone = tests::alone().await;
    let installation = Installation::with(&LIMITS).await;
    let node = installation.node().await;
    let client = node.client();
    Person::named("ada").register(&from(&client, 1, 1)).await;
    let before = rows(&installation).await;

    let (started, networks) = (Instant::now(), if long() { NETWORKS } else { 2 });
    let register = |network| {
        let client = from(&client, 2, network);
        async move {
            let mut registered = 0_u64;
            for number in 0..2 * REGISTRATIONS {
                let stranger = Person::named(&format!("stranger{network}x{number}"));
                let answer = answered(&[503], async || stranger.try_register(&client).await).await;
                assert!(matches!(answer.status, 201 | 429), "{}", answer.text());
                registered += u64::from(answer.status == 201);
            }
            registered
        }
    };
    let registered: u64 = join_all((0..networks).map(register)).await.into_iter().sum();
    let minutes = started.elapsed().as_secs() / 60 + 1;
    assert!(node.stop().await.success());

    let allowed = u64::from(networks) * (REGISTRATIONS + (minutes * REGISTRATIONS).div_ceil(60));
    let after_what =
        format!("{registered} registrations of {allowed} that registrations_per_hour allows");
    assert!((1..=allowed).contains(&registered), "{after_what}");
    let max = ROWS_MAX + ROWS_OF_A_REGISTRATION * i64::try_from(allowed).unwrap();
    no_more_rows_than(max, (&installation, &before), &after_what).await;
}

/// So many that each signs in every eight seconds: the limit of a network allows every six.
const PEOPLE: u8 = 40;
const PACE: Duration = Duration::from_millis(200);
/// Of the 99th percentile of others' sign-ins, while strangers try.
const P99_RATIO_MAX: f64 = 2.0;

/// People sign in at a steady pace, in turns. The 99th percentile of how long each took, from when it was due.
async fn p99_of_sign_ins(people: &[(Client, Person)], lasting: Duration) -> Duration {
    let (start, count) = (Instant::now(), lasting.as_millis() / PACE.as_millis());
    let turns = 0..u32::try_from(count).unwrap();
    let sign_ins = turns.zip(people.iter().cycle()).map(|(turn, (client, person))| async move {
        let due = start + PACE * turn;
        tokio::time::sleep_until(due.into()).await;
        // Not sent again where it is 503: there is room for people, however many strangers wait.
        let opened = answered(&[429], async || person.try_sign_in(client).await).await;
        opened.expect(201);
        due.elapsed()
    });
    let mut took = join_all(sign_ins).await;
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

/// As often as the limits let the networks of strangers, from the first try on.
#[tokio::test(flavor = "multi_thread")]
async fn others_sign_in_while_strangers_try_and_wait_hardly_longer() {
    let _alone = tests::alone().await;
    let installation = Installation::with(&LIMITS).await;
    let node = installation.node().await;
    let client = node.client();
    let mut people = Vec::new();
    // In four seconds twenty of them have their turn.
    for number in 0..if long() { PEOPLE } else { PEOPLE / 2 } {
        let person = Person::named(&format!("person{number}"));
        let client = from(&client, 1, number);
        person.settle(&client, &installation).await;
        people.push((client, person));
    }
    let (quiet, busy) = if long() { (60, 600) } else { (4, 4) };

    let before = p99_of_sign_ins(&people, Duration::from_secs(quiet)).await;
    let strangers = join_all((0..NETWORKS).map(|network| {
        let client = from(&client, 2, network);
        async move {
            for number in 0_u64.. {
                let email = format!("nobody{network}.{number}@example.org");
                try_once(&client, &email, &[429, 503]).await.expect(401);
            }
        }
    }));
    let meanwhile = tokio::select! {
        meanwhile = p99_of_sign_ins(&people, Duration::from_secs(busy)) => meanwhile,
        _ = strangers => panic!("the strangers have stopped"),
    };

    let ratio = meanwhile.as_secs_f64() / before.as_secs_f64();
    println!("sign-ins of others: p99 {meanwhile:?}, and {before:?} before: {ratio:.2} times");
    assert!(!long() || ratio <= P99_RATIO_MAX, "{ratio:.2} times");
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
