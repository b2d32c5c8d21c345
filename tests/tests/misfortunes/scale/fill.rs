//! An installation with as much in its tables as years of people leave there, filled by SQL.

use infra::event_store::ExecutorConfig;
use test_support::TestNode;
use tests::Installation;
use tests::bench::number;
use tokio_postgres::Client;

use super::shards::fill_shards;

const KEYS: &str = include_str!("fill_keys.sql");
const DAYS: &str = include_str!("fill_days.sql");
const ERASURES: &str = include_str!("fill_erasures.sql");
const RESERVATIONS: &str = include_str!("fill_reservations.sql");
const TASKS: &str = include_str!("fill_tasks.sql");
const TEN_TASKS: &str = include_str!("fill_ten_tasks.sql");
const SESSIONS: &str = include_str!("fill_sessions.sql");
const MAILS: &str = include_str!("fill_mails.sql");
const ERASE_BESIDE: &str = include_str!("erase_beside.sql");
const FENCES: &str = "insert into event_log.fences select lpad(to_hex(n), 32, '0')::uuid, '{}', 0 \
    from generate_series($1::bigint + 1, $2::bigint) n";

/// The first kind of reservation that there is.
pub const LIVE_KIND: &str = "account.email.1";
/// A kind whose key is erased.
pub const OLD_KIND: &str = "account.email.0";
/// The tables that grow.
pub const TABLES: [&str; 9] = [
    "keys",
    "roots",
    "erasures",
    "fences",
    "reservations",
    "run_tasks",
    "run_secrets",
    "sessions",
    "outbox",
];

#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub keys: i64,
    /// Of each four keys are erased.
    pub erased_people: i64,
    /// Each has left a root, and a key that belongs to nobody.
    pub days: i64,
    pub erasures: i64,
    /// Of which so many are in their days of grace.
    pub in_grace: i64,
    pub reservations: i64,
    /// In addition, of [`OLD_KIND`].
    pub old_reservations: i64,
    /// Of which 3,000 are lost.
    pub tasks: i64,
    pub sessions: i64,
    pub mails: i64,
}

impl Sizes {
    /// Each is more than a statement may read of a table.
    pub const SMALL: Self = Self {
        keys: 80_000,
        erased_people: 15_000,
        days: 15_000,
        erasures: 60_000,
        in_grace: 12_000,
        reservations: 15_000,
        old_reservations: 15_000,
        tasks: 18_000,
        sessions: 15_000,
        mails: 15_000,
    };
    const LARGE: Self = Self {
        keys: 20_000_000,
        erased_people: 1_000_000,
        days: 15_000,
        erasures: 1_000_000,
        in_grace: 12_000,
        reservations: 5_000_000,
        old_reservations: 100_000,
        tasks: 303_000,
        sessions: 1_000_000,
        mails: 1_000_000,
    };
    /// What is needed where nothing else is.
    pub const NEARLY_NONE: Self = Self {
        keys: 4,
        erased_people: 0,
        days: 1,
        erasures: 1,
        in_grace: 0,
        // More than are moved.
        reservations: 40_000,
        old_reservations: 1,
        tasks: 0,
        sessions: 0,
        mails: 0,
    };

    pub fn wanted() -> Self {
        if !tests::long() {
            return Self::SMALL;
        }
        let part = part();
        let Self { keys, erased_people, erasures, reservations, tasks, sessions, mails, .. } =
            Self::LARGE;
        Self {
            keys: keys / part,
            erased_people: erased_people / part,
            erasures: erasures / part,
            reservations: reservations / part,
            tasks: tasks / part,
            sessions: sessions / part,
            mails: mails / part,
            ..Self::LARGE
        }
    }
}

/// By what the large sizes are divided: `LETHE_SCALE_PART`.
fn part() -> i64 {
    i64::try_from(number("LETHE_SCALE_PART", 1).max(1)).unwrap()
}

/// Whether times are compared with a bound.
pub fn is_large() -> bool {
    tests::long() && part() == 1
}

/// The installation has served once, and no node runs. It has no event: the next start looks at all erasures, as
/// after a restore.
pub async fn filled(sizes: Sizes) -> Installation {
    let installation = Installation::new().await;
    installation.node().await.stop().await;
    fill_shards(&installation, sizes.keys).await;
    let keyring = installation.keyring().await;
    keyring.execute(KEYS, &[&sizes.keys, &sizes.erased_people]).await.unwrap();
    keyring.execute(DAYS, &[&sizes.days]).await.unwrap();
    keyring.execute(ERASURES, &[&sizes.erasures, &sizes.in_grace]).await.unwrap();
    let log = installation.log().await;
    log.execute(FENCES, &[&sizes.in_grace, &sizes.erasures]).await.unwrap();
    for (kind, count) in [(LIVE_KIND, sizes.reservations), (OLD_KIND, sizes.old_reservations)] {
        log.execute(RESERVATIONS, &[&kind, &count]).await.unwrap();
    }
    log.execute(SESSIONS, &[&sizes.sessions]).await.unwrap();
    log.execute(MAILS, &[&sizes.mails]).await.unwrap();
    fill_tasks(&installation, sizes.tasks).await;
    for client in [&keyring, &log] {
        client.batch_execute("vacuum analyze").await.unwrap();
    }
    installation
}

pub async fn fill_tasks(installation: &Installation, tasks: i64) {
    installation.log().await.execute(TASKS, &[&tasks]).await.unwrap();
}

/// Ten tasks wait from now on, where no more do.
pub async fn fill_ten_tasks(log: &Client) {
    log.execute(TEN_TASKS, &[]).await.unwrap();
}

/// From now on the servers of the queue take runs.
pub async fn end_lost_attempts(installation: &Installation) {
    let log = installation.log().await;
    log.execute("delete from working.run_tasks where state = 'lost'", &[]).await.unwrap();
    log.batch_execute("vacuum analyze working.run_tasks").await.unwrap();
}

/// From now on the root key can be replaced.
pub async fn erase_beside(installation: &Installation) {
    installation.keyring().await.execute(ERASE_BESIDE, &[]).await.unwrap();
}

/// A node in this process, without readers.
pub async fn inner_node(installation: &Installation) -> TestNode {
    let (log, keys) = (installation.log_url(), installation.keyring_url());
    TestNode::start(&log, &keys, &installation.root_dir(), ExecutorConfig::default()).await
}
