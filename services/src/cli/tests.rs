//! What an offline command logs.

use std::sync::Arc;

use domain::TenantId;
use infra::clock::Clock;
use infra::keyring::{Keyring, KeyringOptions, LEASE_LOG_TARGET, RootFolder};
use infra::postgres::{ConnectOptions, connect, connect_one};
use test_support::{databases, until};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};

use super::Subcommand;

/// What is logged under each of two filters when the keyring's lease cannot be renewed, once the first
/// has let `warning` pass.
async fn logged_without_lease(filters: [&str; 2], warning: &str) -> [String; 2] {
    let files = filters.map(|_| tempfile::NamedTempFile::new().unwrap());
    let logged = || files.each_ref().map(|file| std::fs::read_to_string(file.path()).unwrap());
    let layers = files.iter().zip(filters).map(|(file, filter)| {
        let lines = Arc::new(file.reopen().unwrap());
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(lines);
        layer.with_filter(EnvFilter::new(filter))
    });
    let subscriber = tracing_subscriber::registry().with(layers.collect::<Vec<_>>());
    let guard = tracing::subscriber::set_default(subscriber);
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
    until("the warning", async || logged()[0].contains(warning)).await;

    drop(guard);
    logged()
}

/// Its lease may end with the command, and that is no fault.
#[tokio::test]
async fn an_offline_command_logs_warnings_but_none_about_its_lease() {
    let filter = Subcommand::Doctor.log_filter();

    let warning = format!("WARN {LEASE_LOG_TARGET}: the keyring's lease is not renewed");

    let [otherwise, logged] = logged_without_lease(["warn", &filter], &warning).await;

    assert!(otherwise.contains(&warning), "{otherwise}");
    assert!(!logged.contains("lease"), "{logged}");
    assert!(filter.starts_with("warn,"), "{filter}");
}
