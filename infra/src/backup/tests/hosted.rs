//! A role without superuser, as hosted servers give it, while PostgreSQL cleans up a table.

use std::time::Duration;

use test_support::until;

use super::connected;
use crate::backup::restore::{MARK, drop_marked, swap};
use crate::backup::target::Names;
use crate::postgres::{Cluster, ClusterOptions, DatabaseUrl, binaries, create_database};

const LIMIT: Duration = Duration::from_mins(1);
/// A worker that begins with this table goes on for hours.
const DIRTY: &str = "create table dirty (n int) with (autovacuum_vacuum_threshold = 1,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1);
insert into dirty select generate_series(1, 500000);
delete from dirty";
const IS_AT_IT: &str = "select exists (select from pg_stat_activity
where datname = $1 and backend_type = 'autovacuum worker' and query like '%dirty%')";

async fn has_worker(admin: &tokio_postgres::Client, database: &str) {
    until("a worker cleans the table", async || {
        admin.query_one(IS_AT_IT, &[&database]).await.unwrap().get::<_, bool>(0)
    })
    .await;
}

#[tokio::test]
async fn a_worker_of_postgresql_keeps_no_restore_of_a_role_without_superuser() {
    let folder = tempfile::tempdir().unwrap();
    let reached = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), reached).unwrap();
    let bin = binaries::find(None).unwrap();
    let options = ClusterOptions {
        fsync: false,
        settings: vec!["autovacuum_naptime=1s".to_owned()],
        ..ClusterOptions::default()
    };
    let cluster = Cluster::start(&bin, &folder.path().join("server"), options).await.unwrap();
    let admin = connected(&cluster.url("postgres").parse().unwrap()).await;
    admin.batch_execute("create role team login createdb").await.unwrap();
    let team = cluster.url("live").replace("user=lethe", "user=team");
    let live: DatabaseUrl = team.parse().unwrap();
    let names = Names::of(&live).unwrap();
    for name in [&names.live, &names.restoring] {
        let url = live.with_database(name);
        create_database(&url).await.unwrap();
        connected(&url).await.batch_execute(DIRTY).await.unwrap();
        has_worker(&admin, name).await;
    }
    let mut team = connected(&live.with_database("postgres")).await;

    swap(&mut team, &names).await.unwrap();

    let mark = format!("comment on database {} is '{MARK}'", names.live);
    admin.batch_execute(&mark).await.unwrap();
    has_worker(&admin, &names.live).await;
    drop_marked(&team, &names.live).await.unwrap();
    let left = "select count(*) from pg_database where datname = any($1)";
    let all = [&names.live, &names.restoring, &names.before];
    assert_eq!(admin.query_one(left, &[&all.as_slice()]).await.unwrap().get::<_, i64>(0), 0);
    drop((admin, team));
    cluster.stop(LIMIT).await.unwrap();
}
