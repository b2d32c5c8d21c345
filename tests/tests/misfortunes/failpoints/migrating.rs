//! A kill between the migrations of the two databases.

use infra::postgres::{ConnectOptions, Schema, connect_one, keyring_schema, log_schema};
use test_support::empty_database;
use tests::{Installation, Person};

use super::crash::Report;

pub async fn crash() -> Report {
    let failpoint = "migration.log_migrated";
    let mut report = Report::default();
    let (log, keyring) = (empty_database().await.unwrap(), empty_database().await.unwrap());
    let settings = [("database_url", &*log), ("keyring_url", &*keyring)];
    let installation = Installation::with(&settings).await.with_failpoints();

    let killed = installation.run_with(&["migrate"], &[("failpoint", failpoint)]).await;

    report.read(failpoint, killed.status, &String::from_utf8_lossy(&killed.stderr));
    assert_eq!(log_schema(&log).await.unwrap(), Schema::Current);
    assert_eq!(keyring_schema(&keyring).await.unwrap(), Schema::Missing);
    let doctor = installation.run(&["doctor"]).await;
    assert!(!doctor.status.success(), "half a migration is reported: {doctor:?}");
    let node = installation.node().await;
    assert_eq!(keyring_schema(&keyring).await.unwrap(), Schema::Current);
    let ada = Person::named("ada").settle(&node.client(), &installation).await;
    ada.get("/v1/me/sessions").await.expect(200);
    assert!(node.stop().await.success());
    let client = connect_one(&log, &ConnectOptions::default()).await.unwrap();
    let events = "select count(*) from event_log.events where event_type = 'account.registered'";
    assert_eq!(client.query_one(events, &[]).await.unwrap().get::<_, i64>(0), 1);
    report
}
