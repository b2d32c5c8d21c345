//! What an offline command logs.

use std::sync::Arc;

use domain::TenantId;
use infra::clock::Clock;
use infra::keyring::{Keyring, KeyringOptions, LEASE_LOG_TARGET, RootFolder};
use infra::postgres::{ConnectOptions, connect, connect_one};
use test_support::{databases, until};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::Subscriber;

use super::Subcommand;

/// What is logged under a filter when the keyring's lease cannot be renewed.
async fn logged_without_lease(filter: &str) -> String {
    let lines = tempfile::NamedTempFile::new().unwrap();
    let subscriber = Subscriber::builder()
        .with_env_filter(EnvFilter::new(filter))
        .with_ansi(false)
        .with_writer(Arc::new(lines.reopen().unwrap()));
    let guard = tracing::subscriber::set_default(subscriber.finish());
    let (databases, roots) = (databases().await.unwrap(), tempfile::tempdir().unwrap());
    let pool = connect(&databases.keyring_url, &ConnectOptions::app()).await.unwrap();
    let roots = Arc::new(RootFolder::open(roots.path(), None).unwrap());
    let starting = Keyring::start(pool, roots, KeyringOptions::default(), Clock::system());
    let keyring = starting.await.unwrap();
    let tenant = TenantId(uuid::Uuid::from_u128(1));
    // From now on its key is in memory, where it is used until the lease ends.
    keyring.request_macs.macs(tenant, b"body").await.unwrap();

    let admin = connect_one(&databases.keyring_url, &ConnectOptions::default()).await.unwrap();
    let revoke = "revoke all on all tables in schema keyring from lethe_app";
    admin.batch_execute(revoke).await.unwrap();
    until("the lease has ended", async || {
        keyring.request_macs.macs(tenant, b"body").await.is_err().then_some(())
    })
    .await;

    drop(guard);
    std::fs::read_to_string(lines.path()).unwrap()
}

/// Its lease may end with the command, and that is no fault.
#[tokio::test]
async fn an_offline_command_logs_warnings_but_none_about_its_lease() {
    let filter = Subcommand::Doctor.log_filter();

    let otherwise = logged_without_lease("warn").await;
    let logged = logged_without_lease(&filter).await;

    let warning = format!("WARN {LEASE_LOG_TARGET}: the keyring's lease is not renewed");
    assert!(otherwise.contains(&warning), "{otherwise}");
    assert!(!logged.contains("lease"), "{logged}");
    assert!(filter.starts_with("warn,"), "{filter}");
}
