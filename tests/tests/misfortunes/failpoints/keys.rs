//! Kills of the command line while the root key is rotated, and while a projection is replayed.

use std::process::Output;
use std::sync::Arc;

use domain::privacy::{ApiTokenName, Label};
use domain::{ApiTokenId, WorkspaceId};
use futures_util::{StreamExt, stream};
use infra::clock::Clock;
use infra::ids::Ids;
use infra::keyring::{Keyring, KeyringOptions, RootFolder};
use infra::postgres::{ConnectOptions, connect};
use tests::{Client, Installation, Person, until};

use super::checks::{checksum, projections_equal_their_replay, settled};
use super::crash::Report;

const ROTATING: [&str; 6] = [
    "rotation.root_written",
    "rotation.switched",
    "rotation.rewrapped",
    "rotation.shards_made",
    "rotation.keys_moved",
    "rotation.root_erased",
];
/// More than one transaction wraps again, or moves.
const KEYS: usize = 600;
const SEALED_AT_ONCE: usize = 8;
/// And how far the newest generation is then.
const REPLAYING: [(&str, &str); 4] = [
    ("replay.written", "building"),
    ("replay.built", "building"),
    ("replay.joined", "joined"),
    ("replay.promoted", "live"),
];
const NEWEST: &str = "select state from readers.generations where name = 'accounts'
    order by version desc, generation desc limit 1";

pub async fn crash() -> Report {
    let mut report = Report::default();
    let installation = Installation::new().await.with_failpoints();
    // It would go on with a rotation that was cut short.
    installation.park("keys").await;
    let node = installation.node().await;
    let mut people = Vec::new();
    for name in ["ada", "bob", "eve"] {
        let person = Person::named(name);
        person.settle(&node.client(), &installation).await;
        people.push(person);
    }
    settled(&installation, "the beginning").await;
    make_keys(&installation).await;

    for failpoint in ROTATING {
        if matches!(failpoint, "rotation.shards_made" | "rotation.keys_moved") {
            replace_every_shard_key(&installation).await;
        }
        let killed = run(&installation, &["keys", "rotate"], failpoint).await;
        let stderr = String::from_utf8_lossy(&killed.stderr).into_owned();
        report.read(failpoint, killed.status, &stderr);
        if failpoint == "rotation.rewrapped" {
            assert_eq!(roots_of_shards(&installation).await, 2, "shard keys are under two roots");
        }
        // A node that is there meanwhile goes on, with a root key that it has to read first.
        for person in &people {
            opens(&node.client(), person).await;
        }
        let finished = installation.run(&["keys", "rotate"]).await;
        assert!(finished.status.success(), "{failpoint}: {finished:?}");
        one_root_is_left(&installation, failpoint).await;
    }
    assert!(node.stop().await.success());
    let node = installation.node().await;
    for person in &people {
        opens(&node.client(), person).await;
    }

    for (failpoint, state) in REPLAYING {
        settled(&installation, failpoint).await;
        let log = installation.log().await;
        let live = checksum(&log, "read_models.accounts_v4").await;
        let killed = run(&installation, &["replay", "accounts"], failpoint).await;
        let stderr = String::from_utf8_lossy(&killed.stderr).into_owned();
        report.read(failpoint, killed.status, &stderr);
        let newest: String = log.query_one(NEWEST, &[]).await.unwrap().get(0);
        assert_eq!(newest, state, "{failpoint}");
        assert_eq!(checksum(&log, "read_models.accounts_v4").await, live, "{failpoint}");
        // The reader writes on, and each generation that is there.
        let person = Person::named(&failpoint.replace('.', "-"));
        person.settle(&node.client(), &installation).await;
        settled(&installation, failpoint).await;
        let live = checksum(&log, "read_models.accounts_v4").await;
        until("it is replayed again, once the lease of the dead one is over", async || {
            let replayed = installation.run(&["replay", "accounts"]).await;
            if replayed.status.success() { Ok(()) } else { Err(format!("{replayed:?}")) }
        })
        .await;
        assert_eq!(checksum(&log, "read_models.accounts_v4").await, live, "{failpoint}");
    }
    projections_equal_their_replay(&installation).await;
    assert!(node.stop().await.success());
    report
}

async fn run(installation: &Installation, words: &[&str], failpoint: &str) -> Output {
    installation.run_with(words, &[("failpoint", failpoint)]).await
}

/// Each workspace has a key of its own.
async fn make_keys(installation: &Installation) {
    let pool = connect(&installation.keyring_url(), &ConnectOptions::app()).await.unwrap();
    let roots = Arc::new(RootFolder::open(&installation.root_dir(), None).unwrap());
    let starting = Keyring::start(pool, roots, KeyringOptions::default(), Clock::system());
    let (keyring, ids) = (starting.await.unwrap(), Ids::system());
    let name = Label::parse("a token").unwrap();
    let sealing = (0..KEYS).map(async |_| {
        let (workspace, token) = (WorkspaceId(ids.uuid()), ApiTokenId(ids.uuid()));
        let (tenant, subject) = (workspace.into(), workspace.into());
        let (sealer, name) = (&keyring.sealer, &name);
        // A machine that is busy may be late to renew the lease of the keys.
        until("a key is made", async || {
            let made = sealer.seal_value::<ApiTokenName>(tenant, subject, token.into(), name);
            made.await.map_err(|error| error.to_string())
        })
        .await;
    });
    stream::iter(sealing).buffer_unordered(SEALED_AT_ONCE).collect::<Vec<()>>().await;
}

/// As after a failover.
async fn replace_every_shard_key(installation: &Installation) {
    let fail_over = "update keyring.shard_history set history = 'of another server'";
    assert_eq!(installation.keyring().await.execute(fail_over, &[]).await.unwrap(), 1);
}

async fn roots_of_shards(installation: &Installation) -> i64 {
    let roots = "select count(distinct root_id) from keyring.shards";
    installation.keyring().await.query_one(roots, &[]).await.unwrap().get(0)
}

async fn opens(client: &Client, person: &Person) {
    let signed_in = person.sign_in(client).await;
    let me = until("one's account is shown", async || {
        Some(signed_in.get("/v1/me").await).filter(|me| me.status == 200)
    });
    assert_eq!(me.await.field("/name"), person.name);
}

/// In the store and in the database, and no key is left under another.
async fn one_root_is_left(installation: &Installation, failpoint: &str) {
    let files = std::fs::read_dir(installation.root_dir()).unwrap().count();
    assert_eq!(files, 1, "{failpoint}: old roots are in their store");
    let keyring = installation.keyring().await;
    let number = async |sql: &str| -> i64 { keyring.query_one(sql, &[]).await.unwrap().get(0) };
    let roots = "select count(*) from keyring.roots where state <> 'destroyed'";
    assert_eq!(number(roots).await, 1, "{failpoint}: roots");
    let others = "select count(*) from keyring.shards where state <> 'live' or root_id <> \
                  (select root_id from keyring.roots where state = 'current')";
    assert_eq!(number(others).await, 0, "{failpoint}: shard keys under another root, or replaced");
    let lost = "select count(*) from keyring.keys k where wrapped is not null and not exists \
                (select from keyring.shards s where s.generation = k.generation)";
    assert_eq!(number(lost).await, 0, "{failpoint}: keys without a shard key");
}
