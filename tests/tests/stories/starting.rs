//! Starting, and starting again: on nothing, on what a kill -9 left, on somebody else's server.

use std::process::Command;

use tests::{Installation, Person, TestServer, until};

fn postgres_of(installation: &Installation) -> String {
    let file = installation.folder().join("data/postgres/data/postmaster.pid");
    std::fs::read_to_string(file).unwrap().lines().next().unwrap().to_owned()
}

/// Waits for the end of a process that is not ours.
fn ends(pid: &str) -> bool {
    let wait = ["60", "tail", "--pid", pid, "-f", "/dev/null"];
    Command::new("timeout").args(wait).status().unwrap().success()
}

async fn name_of(lethe: &TestServer, person: &Person) -> String {
    let me = person.sign_in(&lethe.client()).await;
    me.get("/v1/me").await.expect(200).field("/name")
}

#[tokio::test]
async fn a_private_start_finds_its_data_after_a_stop_and_after_kill_9() {
    let installation = Installation::private(&[]);
    let ada = Person::named("ada");
    let first = installation.node().await;
    ada.settle(&first.client(), &installation).await;
    let postgres = postgres_of(&installation);
    assert!(first.stop().await.success());
    assert!(ends(&postgres));

    let second = installation.node().await;
    assert_eq!(name_of(&second, &ada).await, ada.name);
    let postgres = postgres_of(&installation);
    second.kill();
    assert!(ends(&postgres), "kill -9 of Lethe left PostgreSQL behind");

    let third = installation.node().await;
    assert_eq!(name_of(&third, &ada).await, ada.name);
    assert!(third.stop().await.success());
}

#[tokio::test]
async fn a_second_lethe_on_the_same_data_is_refused_and_says_why() {
    let installation = Installation::private(&[]);
    let first = installation.node().await;

    let second = installation.run(&["serve"]).await;

    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("in use by another Lethe"), "{said}");
    assert!(first.stop().await.success());
}

#[tokio::test]
async fn a_server_beyond_this_machine_is_not_talked_to_in_the_clear() {
    let clear = "postgres://lethe@db.example/lethe?sslmode=disable";
    let installation = Installation::with(&[("database_url", clear)]).await;

    let refused = installation.run(&["serve"]).await;

    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("TLS is required"), "{said}");
}

#[tokio::test]
async fn no_subcommand_shows_a_password_however_it_is_written() {
    // Nobody listens on port 1.
    for url in [
        "postgres://lethe:hush@127.0.0.1:1/lethe",
        "postgres://lethe:a/hush?b@127.0.0.1:1/lethe",
        "postgres://lethe@127.0.0.1:1/lethe?pass%77ord=hush",
        "postgres://lethe:a@hush@127.0.0.1:1/lethe",
        "host=127.0.0.1 port=1 user=lethe password = hush dbname=lethe",
        "host=127.0.0.1 port=1 user=lethe password='a \\' hush'",
        "host=127.0.0.1 port=1 user=lethe password='a hush",
    ] {
        let settings =
            [("database_url", url), ("keyring_url", url), ("smtp_url", "smtp://me:hush@127.0.0.1")];
        let installation = Installation::with(&settings).await;
        for subcommand in ["config", "doctor", "serve", "replay accounts"] {
            let words: Vec<&str> = subcommand.split(' ').collect();

            let said = installation.run(&words).await;

            let said = [said.stdout, said.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(!said.is_empty() && !said.contains("hush"), "{subcommand}: {url}: {said}");
        }
    }
}

#[tokio::test]
async fn a_sigterm_ends_it_well_and_a_request_under_way_is_answered() {
    let installation = Installation::new().await;
    let mut lethe = installation.node().await;
    let client = lethe.client();
    let ada = Person::named("ada");
    let mut holder = installation.log().await;
    let held = holder.transaction().await.unwrap();
    held.execute("select event_log.lock()", &[]).await.unwrap();
    let registration = tokio::spawn(async move { ada.try_register(&client).await.status });
    let observer = installation.log().await;
    let waiting = "select count(*) from pg_locks where not granted and locktype = 'advisory' \
        and database = (select oid from pg_database where datname = current_database())";
    until("the registration waits to be appended", async || {
        observer.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) > 0
    })
    .await;

    lethe.signal("TERM");
    until("Lethe stops", async || lethe.log_text().contains("stopping")).await;
    held.commit().await.unwrap();

    assert_eq!(registration.await.unwrap(), 201);
    assert!(lethe.ended().await.success());
}

/// As the image listens: the links in its mails would lead to no place.
#[tokio::test]
async fn a_start_at_every_address_is_refused_without_the_url_that_people_open() {
    let installation = Installation::private(&[]);
    let serves = async |settings: &[(&str, &str)]| {
        let refused = installation.run_with(&["serve"], settings).await;
        (refused.status.code(), String::from_utf8(refused.stderr).unwrap())
    };
    for everywhere in ["0.0.0.0:0", "[::]:0"] {
        let (code, said) = serves(&[("listen", everywhere)]).await;
        assert_eq!(code, Some(2), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("public_url: is needed, since the API listens at every"), "{said}");
    }
    assert!(!installation.folder().join("data").exists(), "nothing is made");
}
