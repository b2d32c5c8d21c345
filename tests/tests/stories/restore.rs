//! The restore drill: what old dumps of events and of keys open, and what they do not any more.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::privacy::{AccountName, Sealed};
use domain::{AccountId, SubjectId, TenantId};
use infra::clock::Clock;
use infra::keyring::{
    AddressReservations, IndexRotation, IndexTurn, Keyring, KeyringError, KeyringOptions,
    OpenError, RootFolder,
};
use infra::postgres::{ConnectOptions, connect, connect_one};
use tests::{Client, Installation, Person, TestServer, dump, restore};
use uuid::Uuid;

use crate::command_line::are_read;

/// An installation in which Ada was erased after everything had been backed up.
struct Drill {
    installation: Installation,
    ada: Person,
    adas_account: AccountId,
    adas_old_session: Client,
    bob: Person,
    bobs_account: AccountId,
    old_events: Vec<u8>,
    old_keys: Vec<u8>,
    old_roots: PathBuf,
}

impl Drill {
    async fn new() -> Self {
        // Whoever has old copies only has no copy of today's keyring.
        let installation = Installation::with(&[("copy_dir", "")]).await;
        let lethe = installation.node().await;
        let client = lethe.client();
        let (ada, bob) = (Person::named("ada"), Person::named("bob"));
        let adas_account = account(&ada.register(&client).await);
        let bobs_account = account(&bob.register(&client).await);
        ada.verify(&client, &installation).await;
        let signed_in = ada.sign_in(&client).await;
        // The dump has the rows of both.
        are_read(&installation).await;

        let old_events = dump(&installation.log_url(), &[]).await;
        let old_keys = dump(&installation.keyring_url(), &[]).await;
        let old_roots = installation.folder().join("old-roots");
        copy(&installation.root_dir(), &old_roots);
        ada.erase(&signed_in).await;
        assert!(lethe.stop().await.success());
        let adas_old_session = signed_in;
        Self {
            installation,
            ada,
            adas_account,
            adas_old_session,
            bob,
            bobs_account,
            old_events,
            old_keys,
            old_roots,
        }
    }

    /// Replaces the root key, without escrow, and the key of the e-mail index: the old are gone.
    async fn rotate(&self) {
        let ring = keyring(&self.installation.keyring_url(), &self.installation.root_dir()).await;
        let ring = ring.unwrap();
        let rotation = IndexRotation {
            every: TimeDelta::zero(),
            unreadable_wait: TimeDelta::zero(),
            command_max: Duration::ZERO,
            batches_max: 1,
        };
        let turn = ring.email_index.rotate(rotation, &Thrown).await.unwrap();
        assert_eq!(turn, IndexTurn::Rotated);
        let rotated = self.installation.run(&["keys", "rotate"]).await;
        assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
        let (old, now) = (files(&self.old_roots), files(&self.installation.root_dir()));
        assert!(!now.is_empty() && !now.iter().any(|name| old.contains(name)), "{old:?} {now:?}");
    }

    /// A Lethe on other databases or roots than the installation's.
    async fn serve(&self, log: &str, keyring: &str, roots: &Path) -> TestServer {
        let roots = roots.display().to_string();
        let settings = [
            ("database_url", log),
            ("direct_url", log),
            ("keyring_url", keyring),
            ("root_dir", &roots),
        ];
        self.installation.node_with(&settings).await
    }
}

/// The events' database that is not looked at again: nothing of it has to move.
struct Thrown;

#[async_trait]
impl AddressReservations for Thrown {
    async fn has_begun(&self, _: &str, _: &str) -> Result<bool, KeyringError> {
        Ok(false)
    }

    async fn move_batch(&self, _: &str, _: &str) -> Result<bool, KeyringError> {
        Ok(false)
    }

    async fn count_unreadable(&self) -> Result<i64, KeyringError> {
        Ok(0)
    }

    async fn delete_kind(&self, _: &str) -> Result<(), KeyringError> {
        Ok(())
    }
}

fn account(id: &str) -> AccountId {
    AccountId(id.parse().unwrap())
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for name in files(from) {
        std::fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

async fn keyring(url: &str, roots: &Path) -> Result<Keyring, KeyringError> {
    let pool = connect(url, &ConnectOptions::app()).await.unwrap();
    let roots = Arc::new(RootFolder::open(roots, None).unwrap());
    Keyring::start(pool, roots, KeyringOptions::default(), Clock::system()).await
}

/// The name as the accounts' read model of this database holds it.
async fn sealed_name(log: &str, of: AccountId) -> Sealed {
    let client = connect_one(log, &ConnectOptions::default()).await.unwrap();
    let select = "select name from read_models.accounts_v4 where account_id = $1";
    let row = client.query_one(select, &[&of.0]).await.unwrap();
    Sealed::from_bytes(row.get(0)).unwrap()
}

async fn name(keyring: &Keyring, log: &str, of: AccountId) -> Result<String, OpenError> {
    let sealed = sealed_name(log, of).await;
    let opened =
        keyring.sealer.open::<AccountName>(TenantId::from(of), SubjectId::from(of), &sealed);
    Ok(opened.await?.expose().to_owned())
}

#[tokio::test]
async fn old_events_with_old_keys_open_nothing_once_the_root_is_gone() {
    let drill = Drill::new().await;
    drill.rotate().await;
    let (events, keys) = (restore(&drill.old_events).await, restore(&drill.old_keys).await);
    let roots = drill.installation.root_dir();

    let refused = keyring(&keys, &roots).await.err();
    assert!(matches!(refused, Some(KeyringError::RootMissing { .. })), "{refused:?}");

    // Today's root does not pass for the old one, and no new one is made in its place.
    let forged = drill.installation.folder().join("forged-roots");
    copy(&roots, &forged);
    std::fs::rename(forged.join(&files(&forged)[0]), forged.join(&files(&drill.old_roots)[0]))
        .unwrap();
    let refused = keyring(&keys, &forged).await.err();
    assert!(matches!(refused, Some(KeyringError::RootWrong { .. })), "{refused:?}");

    let said = serve_in_vain(&drill, &events, &keys).await;
    assert!(said.contains("root key"), "{said}");
}

/// What Lethe says when it refuses to serve these databases with today's roots.
async fn serve_in_vain(drill: &Drill, log: &str, keyring: &str) -> String {
    let mut command = drill.installation.command();
    command.env("LETHE_DATABASE_URL", log).env("LETHE_DIRECT_URL", log);
    command.env("LETHE_KEYRING_URL", keyring).arg("serve");
    let ended = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(!ended.status.success(), "it serves");
    String::from_utf8(ended.stderr).unwrap()
}

#[tokio::test]
async fn old_events_with_todays_keyring_serve_everybody_but_the_erased() {
    let drill = Drill::new().await;
    drill.rotate().await;
    let events = restore(&drill.old_events).await;
    let todays = drill.installation.keyring_url();

    let lethe = drill.serve(&events, &todays, &drill.installation.root_dir()).await;

    // The fence stood before anybody was served, though the dump knows nothing of it.
    let log = connect_one(&events, &ConnectOptions::default()).await.unwrap();
    let fence = "select closing from event_log.fences where subject = $1";
    assert_eq!(log.query(fence, &[&drill.adas_account.0]).await.unwrap().len(), 1);
    let reservations = "select from event_log.reservations where owner = $1";
    assert!(log.query(reservations, &[&drill.adas_account.0]).await.unwrap().is_empty());

    // Ada stays forgotten: her password, her old session and her address lead nowhere.
    let client = lethe.client();
    drill.ada.try_sign_in(&client).await.expect(401);
    let token = drill.adas_old_session.token().unwrap();
    client.bearing(token).get("/v1/me").await.expect(401);
    let kept = "select from working.credentials where account_id = $1";
    assert!(log.query(kept, &[&drill.adas_account.0]).await.unwrap().is_empty());
    let ring = keyring(&todays, &drill.installation.root_dir()).await.unwrap();
    let refused = name(&ring, &events, drill.adas_account).await.unwrap_err();
    assert!(matches!(refused, OpenError::Erased), "{refused:?}");

    // Everybody else is served as before, and the address is free.
    let bobs = drill.bob.sign_in(&client).await;
    assert_eq!(bobs.get("/v1/me").await.expect(200).field("/name"), drill.bob.name);
    drill.bob.try_register(&client).await.expect(409);
    let again = account(&drill.ada.register(&client).await);
    assert_ne!(again, drill.adas_account);
    assert_ne!(again.0, Uuid::nil());
}

/// Nodes of an older version wrote down no event.
#[tokio::test]
async fn a_command_before_the_first_start_hides_no_restore_from_it() {
    let drill = Drill::new().await;
    let unknown = "delete from keyring.watermark";
    drill.installation.keyring().await.batch_execute(unknown).await.unwrap();
    let events = restore(&drill.old_events).await;
    let other = [("database_url", events.as_str()), ("direct_url", &events)];
    let status = drill.installation.run_with(&["keys", "status"], &other).await;
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));

    let todays = drill.installation.keyring_url();
    let lethe = drill.serve(&events, &todays, &drill.installation.root_dir()).await;

    let log = connect_one(&events, &ConnectOptions::default()).await.unwrap();
    let fence = "select from event_log.fences where subject = $1";
    assert_eq!(log.query(fence, &[&drill.adas_account.0]).await.unwrap().len(), 1);
    drill.ada.try_sign_in(&lethe.client()).await.expect(401);
}

#[tokio::test]
async fn a_copy_of_the_whole_disk_root_file_included_still_opens() {
    let drill = Drill::new().await;
    drill.rotate().await;
    let (events, keys) = (restore(&drill.old_events).await, restore(&drill.old_keys).await);

    let ring = keyring(&keys, &drill.old_roots).await.unwrap();
    assert_eq!(name(&ring, &events, drill.adas_account).await.unwrap(), drill.ada.name);
    assert_eq!(name(&ring, &events, drill.bobs_account).await.unwrap(), drill.bob.name);

    let lethe = drill.serve(&events, &keys, &drill.old_roots).await;
    let adas = drill.ada.sign_in(&lethe.client()).await;
    assert_eq!(adas.get("/v1/me").await.expect(200).field("/email"), drill.ada.email);
}
