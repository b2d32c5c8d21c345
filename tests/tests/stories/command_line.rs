//! The words of the programme: what they do beside a node that runs, and how they refuse.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Output;

use infra::log::{Reader, status};
use infra::postgres::{ConnectOptions, connect, connect_one};
use test_support::empty_database;
use tests::{Harness, Installation, Person, until};

use crate::accounts::causes_of_closing;

/// Exit code, standard output and standard error.
pub(crate) fn printed(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Runs a word that must do what it is asked; answers what it prints.
pub(crate) async fn done(installation: &Installation, words: &[&str]) -> String {
    succeeded(&installation.run(words).await)
}

pub(crate) fn succeeded(output: &Output) -> String {
    let (code, out, errors) = printed(output);
    assert_eq!(code, Some(0), "{errors}");
    out
}

/// Runs a word that must refuse; answers its one line.
pub(crate) async fn refused(installation: &Installation, words: &[&str]) -> String {
    refusal(&installation.run(words).await)
}

fn refusal(output: &Output) -> String {
    let (code, _, errors) = printed(output);
    assert_eq!(code, Some(2), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    errors
}

/// Runs `lethe erase`, and again while it is not known whether others depend on the account: then it has
/// entered nothing.
pub(crate) async fn erase(installation: &Installation, arguments: &[&str]) -> Output {
    let words = [&["erase"][..], arguments].concat();
    until("it is known whether others depend on the account", async || {
        let output = installation.run(&words).await;
        let (_, _, errors) = printed(&output);
        if errors.contains("it is not known yet") { Err(errors) } else { Ok(output) }
    })
    .await
}

/// Waits until every reader has read everything.
pub(crate) async fn are_read(installation: &Installation) {
    let pool = connect(&installation.log_url(), &ConnectOptions::default()).await.unwrap();
    until("every reader has read everything", async || {
        let readers = status(&pool).await.unwrap();
        let behind = readers.into_iter().find(|reader| reader.lag_events > 0);
        behind.map_or(Ok(()), |reader| Err((reader.name, reader.lag_events)))
    })
    .await;
}

/// Waits until the copy of the keyring has every key that there is now.
pub(crate) async fn is_copied(installation: &Installation) {
    until("the copy of the keyring is complete", async || {
        let (_, said, _) = printed(&installation.run(&["doctor"]).await);
        let is_complete = said.contains("the copy of the keyring has every change");
        if is_complete { Ok(()) } else { Err(said) }
    })
    .await;
}

#[tokio::test]
async fn an_operators_token_opens_what_its_scope_says_until_it_is_revoked() {
    let installation = Installation::new().await;
    let lethe = installation.node().await;
    let made =
        installation.run(&["token", "create", "--days", "1", "--name", "support desk"]).await;
    let (code, token, said) = printed(&made);
    assert_eq!(code, Some(0), "{said}");
    let id = said.split([' ', ',']).nth(1).unwrap().to_owned();
    let operator = lethe.client().bearing(&token);

    operator.get_read("/v1/audit-events").await.expect(200);
    operator.get("/v1/admin/projections").await.expect(403);
    let listed = done(&installation, &["token", "list"]).await;
    assert!(listed.starts_with(&format!("{id}  audit  created ")), "{listed}");
    assert!(listed.trim_end().ends_with("  support desk"), "{listed}");
    assert!(!listed.contains("revoked") && !listed.contains(&token), "{listed}");

    done(&installation, &["token", "revoke", &id]).await;
    operator.get("/v1/audit-events").await.expect(401);
    let listed = done(&installation, &["token", "list"]).await;
    assert!(listed.contains(&id) && listed.contains("  revoked "), "{listed}");
    assert!(!lethe.log_text().contains(&token));
}

#[tokio::test]
async fn an_erasure_that_was_asked_for_by_mail_is_entered_by_an_operator() {
    let installation = Installation::new().await;
    let lethe = installation.node().await;
    let ada = Person::named("ada");
    let account = ada.register(&lethe.client()).await;
    let signed_in = ada.sign_in(&lethe.client()).await;
    are_read(&installation).await;
    // A node that runs might close the session before the command does.
    assert!(lethe.stop().await.success());

    let printed = succeeded(&erase(&installation, &[&account, "--grace-days", "0"]).await);

    assert!(printed.contains("1 session is closed; account "), "{printed}");
    let lethe = installation.node().await;
    let signed_in = signed_in.at(lethe.api());
    until("the session is refused", async || {
        (signed_in.get("/v1/me").await.status == 401).then_some(())
    })
    .await;
    let code = printed.rsplit(' ').next().unwrap();
    until("the erasure is complete", async || {
        let proof = lethe.client().get(&format!("/v1/erasures/{code}")).await.expect(200);
        (proof.field("/state") == "completed").then_some(())
    })
    .await;
    assert_eq!(ada.try_sign_in(&lethe.client()).await.status, 401);
    let again = refused(&installation, &["erase", &account]).await;
    assert!(again.contains("there is no account"), "{again}");
}

#[tokio::test]
async fn an_operator_erases_nobody_who_alone_owns_what_others_use() {
    let harness = Harness::new().await;
    let bob = harness.invited("bob", "viewer").await;
    until("the read side knows that Bob has joined", async || {
        let listed = bob.get("/v1/workspaces").await.expect(200).json();
        listed["items"].as_array().is_some_and(|items| items.len() == 1).then_some(())
    })
    .await;
    let ada = harness.ada.account().await;

    let why = refusal(&erase(&harness.installation, &[&ada]).await);

    let only = "only owner who stays in a workspace that has other members";
    assert!(why.contains(only), "{why}");
    harness.ada.get("/v1/me/erasure").await.expect(404);
    let bob = bob.account().await;
    succeeded(&erase(&harness.installation, &[&bob]).await);
}

#[tokio::test]
async fn an_operator_is_told_that_sessions_are_still_to_be_closed() {
    let installation = Installation::new().await;
    let lethe = installation.node().await;
    let ada = Person::named("ada");
    let account = ada.register(&lethe.client()).await;
    let signed_in = ada.sign_in(&lethe.client()).await;
    let mut log = installation.log().await;
    let pause = log.transaction().await.unwrap();
    pause.execute("lock table working.sessions in access exclusive mode", &[]).await.unwrap();

    let printed = succeeded(&erase(&installation, &[&account]).await);

    pause.rollback().await.unwrap();
    assert!(printed.contains("open until a running node closes them"), "{printed}");
    until("the session is refused", async || {
        (signed_in.get("/v1/me").await.status == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_session_that_an_entered_erasure_closes_names_the_request_as_its_cause() {
    let installation = Installation::new().await;
    let lethe = installation.node().await;
    let ada = Person::named("ada");
    let account = ada.register(&lethe.client()).await;
    ada.sign_in(&lethe.client()).await;

    succeeded(&erase(&installation, &[&account]).await);

    let causes = causes_of_closing(&installation).await;
    assert!(!causes.is_empty());
    for cause in causes {
        assert_eq!(cause.as_deref(), Some("account.erasure_requested"));
    }
}

#[tokio::test]
async fn a_root_key_is_replaced_beside_a_node_that_goes_on_serving() {
    let installation = Installation::new().await;
    let lethe = installation.node().await;
    let ada = Person::named("ada");
    let signed_in = ada.settle(&lethe.client(), &installation).await;

    let rotated = done(&installation, &["keys", "rotate"]).await;

    assert!(rotated.starts_with("root 2 is current"), "{rotated}");
    assert!(done(&installation, &["keys", "status"]).await.contains("root       2"));
    assert_eq!(signed_in.get("/v1/me").await.expect(200).field("/name"), ada.name);
    let roots = std::fs::read_dir(installation.root_dir()).unwrap();
    assert_eq!(roots.count(), 1, "the old root is gone");
}

#[tokio::test]
async fn the_doctor_says_what_an_erasure_does_not_reach() {
    let installation = Installation::private(&[]);
    let lethe = installation.node().await;
    // It begins as the node does.
    is_copied(&installation).await;

    let said = done(&installation, &["doctor"]).await;

    assert!(said.contains("NOT reached: a copy of the whole disk"), "{said}");
    assert!(said.contains("ok     no erasure is open") && !said.contains("WRONG"), "{said}");
    assert!(lethe.stop().await.success());
}

/// What reads or changes the databases of a Lethe that is there already.
const OFFLINE: [&[&str]; 5] = [
    &["doctor"],
    &["replay", "accounts"],
    &["token", "create", "--scope", "audit"],
    &["keys", "status"],
    &["erase", "00000000-0000-0000-0000-000000000000"],
];

#[tokio::test]
async fn an_offline_command_says_that_the_schema_is_missing_and_migrates_nothing() {
    let log = empty_database().await.unwrap();
    let keyring = empty_database().await.unwrap();
    let settings = [("database_url", log.as_str()), ("keyring_url", keyring.as_str())];
    let installation = Installation::with(&settings).await;

    for command in OFFLINE {
        let (code, out, errors) = printed(&installation.run(command).await);
        let said = format!("{out}{errors}");
        assert_eq!(code, Some(1), "{command:?}: {said}");
        assert!(said.contains("has no schema yet: run `lethe migrate`"), "{command:?}: {said}");
    }
    for url in [&log, &keyring] {
        let client = connect_one(url, &ConnectOptions::default()).await.unwrap();
        let found = "select to_regclass('refinery_schema_history') is null";
        assert!(client.query_one(found, &[]).await.unwrap().get::<_, bool>(0), "{url}");
    }
}

#[tokio::test]
async fn an_offline_command_says_that_the_schema_is_newer_than_the_programme() {
    let installation = Installation::new().await;
    let newer =
        "insert into refinery_schema_history values (900, 'later', '2026-01-01T00:00:00Z', '0')";
    installation.log().await.batch_execute(newer).await.unwrap();

    for command in OFFLINE {
        let (code, out, errors) = printed(&installation.run(command).await);
        let said = format!("{out}{errors}");
        assert_eq!(code, Some(1), "{command:?}: {said}");
        assert!(said.contains("the events' database has schema 900"), "{command:?}: {said}");
        assert!(said.contains("use a newer programme"), "{command:?}: {said}");
    }
}

#[tokio::test]
async fn a_word_that_cannot_be_is_refused_on_one_line() {
    let installation = Installation::new().await;
    done(&installation, &["migrate"]).await;

    let replay = refused(&installation, &["replay", "mailer"]).await;
    let projections: Vec<_> = projections::all().iter().map(Reader::name).collect();
    let known = projections.join(", ");
    assert!(replay.contains("'mailer'") && replay.contains(&known), "{replay}");
    let nobody = uuid::Uuid::nil().to_string();
    assert!(
        refused(&installation, &["token", "revoke", &nobody]).await.contains("no operator's token")
    );
    let days = refused(&installation, &["erase", &nobody, "--grace-days", "99"]).await;
    assert_eq!(days, "lethe: --grace-days: this must be 0 to 20 days on this installation");
    assert!(refused(&installation, &["frobnicate"]).await.contains("frobnicate"));
    let setting = refused(&installation, &["config", "--pool-size", "many"]).await;
    assert!(setting.starts_with("lethe: pool_size: `many` is not"), "{setting}");
    std::fs::write(installation.folder().join("lethe.toml"), "listne = 1\n").unwrap();
    let unknown = refused(&installation, &["config"]).await;
    assert!(unknown.starts_with("lethe: listne: there is no such setting"), "{unknown}");
}

#[tokio::test]
async fn migrate_prints_what_it_applied() {
    // Those of an installation are migrated already.
    let (log, keyring) = (empty_database().await.unwrap(), empty_database().await.unwrap());
    let settings = [("database_url", log.as_str()), ("keyring_url", keyring.as_str())];
    let installation = Installation::with(&settings).await;

    let printed = async || {
        let migrated = installation.run(&["migrate"]).await;
        assert!(migrated.status.success());
        String::from_utf8(migrated.stdout).unwrap()
    };
    let first = printed().await;
    let again = printed().await;

    for line in [
        "migrated V9__plain_words\n",
        "applied the function event_log.append_one\n",
        "applied the function keyring.refuse_return\n",
    ] {
        assert!(first.contains(line), "{line} in {first}");
    }
    assert_eq!(again, "both databases are up to date\n");
}

#[tokio::test]
async fn readers_and_api_run_apart() {
    let installation = Installation::new().await;
    done(&installation, &["migrate"]).await;
    let mut command = installation.command();
    let worker = command.arg("work").stdout(std::process::Stdio::null());
    let mut worker = worker.stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut command = installation.command();
    command.arg("api");
    let api = tests::TestServer::start(command).await;
    let ada = Person::named("ada");

    ada.settle(&api.client(), &installation).await;

    are_read(&installation).await;
    assert!(api.stop().await.success());
    worker.kill().unwrap();
    worker.wait().unwrap();
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_a_request_that_hangs() {
    let installation = Installation::new().await;
    let lethe = installation.node().await;
    let mut hanging = TcpStream::connect(lethe.api().trim_start_matches("http://")).unwrap();
    let head = "POST /v1/accounts HTTP/1.1\r\nHost: lethe\r\nContent-Type: application/json\r\n\
                Content-Length: 100\r\nExpect: 100-continue\r\n\r\n";
    hanging.write_all(head.as_bytes()).unwrap();
    let mut said = [0; 12];
    hanging.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"HTTP/1.1 100", "the request is under way");

    lethe.signal("TERM");
    until("it drains", async || lethe.log_text().contains("stopping").then_some(())).await;

    assert_eq!(lethe.stop().await.code(), Some(130));
}
