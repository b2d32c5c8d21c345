//! The README's advice on backups, a day later: the root key of the backup is erased, one person is
//! erased, another has come.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use infra::postgres::binaries;
use tests::{Installation, Person, until};

use crate::command_line::is_copied;

/// The default set-up, backed up in two ways before the day.
struct Day {
    installation: Installation,
    /// Of the data folder of the private server.
    base: PathBuf,
    /// Of the events.
    backup: PathBuf,
    ada: Person,
    bob: Person,
    carols_account: String,
}

impl Day {
    async fn passed() -> Self {
        let installation = Installation::private(&[]);
        let lethe = installation.node().await;
        let client = lethe.client();
        let [ada, bob, carol] = ["ada", "bob", "carol"].map(Person::named);
        let adas = ada.settle(&client, &installation).await;
        bob.settle(&client, &installation).await;
        let (base, backup) =
            (installation.folder().join("base"), installation.folder().join("events"));
        base_backup(&installation.log_url(), &base);
        let written = installation.run(&["backup", &text(&backup)]).await;
        assert!(written.status.success(), "{}", said(&written));

        let code = ada.erase(&adas).await;
        for _ in 0..2 {
            let rotated = installation.run(&["keys", "rotate"]).await;
            assert!(rotated.status.success(), "{}", said(&rotated));
        }
        until("no root key of the backup is left", async || {
            let path = format!("/v1/erasures/{code}");
            let state = client.get(&path).await.expect(200).field("/state");
            (state == "backup_proven").then_some(())
        })
        .await;
        assert!(!installation.root_dir().join("root-1.key").exists());
        let carols_account = carol.register(&client).await;
        is_copied(&installation).await;
        assert!(lethe.stop().await.success());
        Self { installation, base, backup, ada, bob, carols_account }
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        self.installation.run(arguments).await
    }

    /// Everybody but the erased person is served, and the keys of who came later are there.
    async fn is_well(&self) {
        let lethe = self.installation.node().await;
        let client = lethe.client();
        let bobs = self.bob.sign_in(&client).await;
        assert_eq!(bobs.get("/v1/me").await.expect(200).field("/name"), self.bob.name);
        self.ada.try_sign_in(&client).await.expect(401);
        let keyring = self.installation.keyring().await;
        let keys = format!(
            "select count(*) from keyring.keys where subject = '{}' and wrapped is not null",
            self.carols_account
        );
        assert!(keyring.query_one(&keys, &[]).await.unwrap().get::<_, i64>(0) > 0);
        let healthy = self.run(&["doctor"]).await;
        assert!(healthy.status.success(), "{}", said(&healthy));
        assert!(lethe.stop().await.success());
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

/// Whether the next start does what a restore needs.
async fn noticed(installation: &Installation) -> bool {
    let noticed = "select count(*) from keyring.watermark where noticed_at is not null";
    let row = installation.keyring().await.query_one(noticed, &[]).await.unwrap();
    row.get::<_, i64>(0) == 1
}

fn base_backup(url: &str, to: &Path) {
    let mut command = Command::new(binaries::find(None).unwrap().join("pg_basebackup"));
    command.arg("-d").arg(url).arg("-D").arg(to).args(["-X", "stream", "-c", "fast", "--no-sync"]);
    let copied = command.output().unwrap();
    assert!(copied.status.success(), "{}", said(&copied));
}

/// Restores. The nodes of a base backup's time count as running until their leases are over, and a
/// process that has just ended until PostgreSQL has noticed it.
async fn restored(installation: &Installation, arguments: &[&str]) -> Output {
    until("no node counts as running", async || {
        let restored = installation.run(arguments).await;
        let is_over = !said(&restored).contains("stop every node first");
        if is_over { Ok(restored) } else { Err(said(&restored)) }
    })
    .await
}

/// Puts a base backup in the place of the data folder.
fn put_back(base: &Path, installation: &Installation) {
    let data = installation.data_dir().join("postgres/data");
    let mut own = Command::new("chown");
    own.arg("-R").arg("--reference").arg(&data).arg(base);
    assert!(own.status().unwrap().success());
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(base, &data).unwrap();
}

#[tokio::test]
async fn a_base_backup_of_yesterday_opens_with_the_copy_of_the_keyring() {
    let day = Day::passed().await;
    put_back(&day.base, &day.installation);

    let refused = day.installation.try_node().await.err().unwrap();

    assert!(refused.contains("the keyring's database went back"), "{refused}");
    assert!(refused.contains("run `lethe restore --keyring`"), "{refused}");
    let restored = restored(&day.installation, &["restore", "--keyring"]).await;
    assert!(restored.status.success(), "{}", said(&restored));
    assert!(said(&restored).contains("of the keyring restored from"), "{}", said(&restored));
    day.is_well().await;
    let again = day.run(&["restore", "--keyring"]).await;
    assert_eq!(again.status.code(), Some(2), "{}", said(&again));
}

#[tokio::test]
async fn a_backup_of_the_events_is_restored_under_the_keyring_of_today() {
    let day = Day::passed().await;
    let backup = text(&day.backup);

    let refused = day.run(&["restore", &backup]).await;

    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("use --overwrite"), "{}", said(&refused));
    let lethe = day.installation.node().await;
    let refused = day.run(&["restore", &backup, "--overwrite"]).await;
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("stop every node first"), "{}", said(&refused));
    assert!(lethe.stop().await.success());

    let restored = restored(&day.installation, &["restore", &backup, "--overwrite"]).await;

    assert!(restored.status.success(), "{}", said(&restored));
    let lethe = day.installation.node().await;
    assert_eq!(day.installation.events("log.restored").await.len(), 1);
    assert!(lethe.stop().await.success());
    day.is_well().await;
}

#[tokio::test]
async fn a_backup_is_restored_after_the_data_folder_went_back() {
    let day = Day::passed().await;
    put_back(&day.base, &day.installation);

    let restored =
        restored(&day.installation, &["restore", &text(&day.backup), "--overwrite"]).await;

    assert!(restored.status.success(), "{}", said(&restored));
    assert!(said(&restored).contains("of the keyring restored from"), "{}", said(&restored));
    day.is_well().await;
}

#[tokio::test]
async fn a_damaged_backup_changes_nothing() {
    let installation = Installation::new().await;
    let lethe = installation.node().await;
    let bob = Person::named("bob");
    bob.settle(&lethe.client(), &installation).await;
    let backup = installation.folder().join("events");
    assert!(installation.run(&["backup", &text(&backup)]).await.status.success());
    let again = installation.run(&["backup", &text(&backup)]).await;
    assert_eq!(again.status.code(), Some(2), "{}", said(&again));
    assert!(said(&again).contains("is not empty"), "{}", said(&again));
    assert!(lethe.stop().await.success());
    let dump = backup.join("events.dump");
    let mut bytes = std::fs::read(&dump).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&dump, bytes).unwrap();

    let refused = restored(&installation, &["restore", &text(&backup), "--overwrite"]).await;

    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("was changed since it was written"), "{}", said(&refused));
    std::fs::remove_file(backup.join("manifest.json")).unwrap();
    let refused = restored(&installation, &["restore", &text(&backup), "--overwrite"]).await;
    assert!(said(&refused).contains("is no complete backup"), "{}", said(&refused));
    let lethe = installation.node().await;
    bob.sign_in(&lethe.client()).await;
}

/// The README's advice for a keyring's database that is lost, on a disk of its own for the copies.
#[tokio::test]
async fn a_lost_keyring_comes_back_from_its_copy() {
    let installation = Installation::new().await;
    let lethe = installation.node().await;
    let bob = Person::named("bob");
    bob.settle(&lethe.client(), &installation).await;
    let backup = text(&installation.folder().join("events"));
    assert!(installation.run(&["backup", &backup]).await.status.success());
    is_copied(&installation).await;
    assert!(lethe.stop().await.success());
    let copies = installation.copy_dir();
    std::fs::create_dir(copies.join("lost+found")).unwrap();
    let keyring: infra::postgres::DatabaseUrl = installation.owner_keyring_url().parse().unwrap();
    let name = keyring.database().unwrap();
    let drop_it = format!("drop database \"{name}\" with (force)");
    installation.log().await.batch_execute(&drop_it).await.unwrap();

    // Without the copy nothing would open.
    let away = copies.with_extension("away");
    std::fs::rename(&copies, &away).unwrap();
    let refused = restored(&installation, &["restore", "--keyring"]).await;
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("there is no copy of a keyring"), "{}", said(&refused));
    let empty = format!("create database \"{name}\" owner \"{}\"", keyring.user().unwrap());
    installation.log().await.batch_execute(&empty).await.unwrap();
    let refused = restored(&installation, &["restore", &backup, "--overwrite"]).await;
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("the keyring has no keys"), "{}", said(&refused));
    std::fs::rename(&away, &copies).unwrap();
    let keyring = restored(&installation, &["restore", "--keyring"]).await;

    assert!(keyring.status.success(), "{}", said(&keyring));
    assert!(noticed(&installation).await);
    for _ in 0..2 {
        let both = ["restore", &backup, "--keyring", "--overwrite"];
        let both = restored(&installation, &both).await;
        assert!(both.status.success(), "{}", said(&both));
    }
    let lethe = installation.node().await;
    bob.sign_in(&lethe.client()).await;
    assert_eq!(installation.events("log.restored").await.len(), 1);
    assert!(!noticed(&installation).await);
}

/// The backup has the newest event that is known, so that nothing else would tell the next start.
#[tokio::test]
async fn a_log_that_cannot_be_read_counts_as_the_one_that_is_known() {
    let installation = Installation::new().await;
    let lethe = installation.node().await;
    let bob = Person::named("bob");
    bob.settle(&lethe.client(), &installation).await;
    let backup = text(&installation.folder().join("events"));
    assert!(lethe.stop().await.success());
    assert!(installation.run(&["backup", &backup]).await.status.success());
    let damage = "alter table event_log.events rename to damaged";
    installation.log().await.batch_execute(damage).await.unwrap();

    let restored = restored(&installation, &["restore", &backup, "--overwrite"]).await;

    assert!(restored.status.success(), "{}", said(&restored));
    assert!(noticed(&installation).await);
    let lethe = installation.node().await;
    bob.sign_in(&lethe.client()).await;
    assert_eq!(installation.events("log.restored").await.len(), 1);
}
