//! A database of an older programme is brought up to date, and loses nothing.

use refinery::Target;
use tokio_postgres::Client;

use crate::postgres::migrate::{keyring, log};
use crate::postgres::{ConnectOptions, connect_one, migrate_keyring, migrate_log};

const DESCRIBE: &str = include_str!("describe_schema.sql");
const FILL_LOG_V8: &str = include_str!("fill_log_v8.sql");
const FILL_KEYRING_V2: &str = include_str!("fill_keyring_v2.sql");
const RESERVE: &str = include_str!("reserve.sql");
/// By the function of V1, which knows nothing of later tables.
const APPEND_BY_V1: &str = "select event_log.append_one(row(
    0, 0, s.id, 'account', s.id, 1, s.id, 'account.registered', 1, '{}', null, array[]::uuid[],
    null, null, null, null, null, s.id, null, null, 1)::event_log.new_event)
    from (values (gen_random_uuid())) s (id)";
/// A second event of a stream.
const GO_ON: &str = "insert into event_log.events
    (position, tenant_id, stream_type, stream_id, version, event_id, event_type, schema_version, data, subjects,
     recorded_at)
    select position + 1, tenant_id, stream_type, stream_id, 2, gen_random_uuid(), 'account.email_verified', 1, '{}',
      subjects, recorded_at
    from event_log.events order by position desc limit 1";

/// An API token of whoever has the newest event.
const ISSUE_BY_V4: &str = "insert into working.api_tokens
    (token_id, token_hash, workspace_id, account_id, name, issued_at, expires_at)
    select gen_random_uuid(), sha256('a token'), gen_random_uuid(), stream_id, '', now(), 'infinity'
    from event_log.events order by position desc limit 1";

const HASH_PASSWORDS: &str = "insert into working.credentials (credential_id, account_id, hash, created_at)
    select gen_random_uuid(), gen_random_uuid(), '$argon2id$' || md5(n::text), now() - n * interval '1 s'
    from generate_series(1, 1000) n";
/// Of which of these columns PostgreSQL has statistics.
const HAVE_STATISTICS: &str = "select attname::text from pg_stats
    where schemaname = 'working' and tablename = 'credentials' and attname in ('created_at', 'hash')
    order by 1";

/// What three projections and a worker of V37 have, one of them without a table, and a replay under way.
const READ_BY_V37: &str = "
    insert into readers.checkpoints (name, version, kind, position) values
      ('accounts', 4, 'projection', 3), ('sessions', 1, 'projection', 3), ('gone', 2, 'projection', 3),
      ('act', 1, 'worker', 3);
    insert into readers.parked (reader, version, replay, stream_id, from_position, error)
    select reader, version, replay, '00000000-0000-0000-0000-00000000000a', 2, 'unfit'
    from (values ('accounts', 4, false), ('accounts', 4, true), ('act', 1, false)) p (reader, version, replay);
    insert into readers.replays (name, version, position, ceiling) values ('accounts', 4, 2, 3);
    set role lethe_app;
    create table read_models.accounts_v4 (id int primary key);
    insert into read_models.accounts_v4 values (7);
    create table read_models.accounts_v4_shadow (id int primary key);
    create table read_models.sessions (id int primary key);
    grant select on read_models.sessions to public, lethe_retention;
    reset role";

/// A database as V8 left it, with rows in what V9 renames.
async fn filled_v8() -> (String, Client) {
    let url = test_support::empty_database().await.unwrap();
    let mut client = connect_one(&url, &ConnectOptions::unlimited()).await.unwrap();
    let to_v8 = log::migrations::runner().set_target(Target::Version(8));
    to_v8.run_async(&mut client).await.unwrap();
    client.batch_execute(FILL_LOG_V8).await.unwrap();
    (url, client)
}

/// A keyring as V2 left it, with a row in what V3 renames.
async fn filled_keyring_v2() -> (String, Client) {
    let url = test_support::empty_database().await.unwrap();
    let mut client = connect_one(&url, &ConnectOptions::unlimited()).await.unwrap();
    let to_v2 = keyring::migrations::runner().set_target(Target::Version(2));
    to_v2.run_async(&mut client).await.unwrap();
    client.batch_execute(FILL_KEYRING_V2).await.unwrap();
    (url, client)
}

async fn description(client: &Client) -> Vec<String> {
    let rows = client.query(DESCRIBE, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn text(client: &Client, query: &str) -> Vec<String> {
    let rows = client.query(query, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_filled_database_of_v8_keeps_its_rows() {
    let (url, client) = filled_v8().await;

    migrate_log(&url).await.unwrap();

    let reservations = "select kind || ' ' || owner from event_log.reservations";
    let owner = "00000000-0000-0000-0000-00000000000a";
    assert_eq!(text(&client, reservations).await, [format!("email/1 {owner}")]);
    let leases = "select name || ' ' || node from working.leader_leases";
    assert_eq!(text(&client, leases).await, [format!("sweeper {owner}")]);
    let readers =
        "select name || ' ' || kind || ' ' || position from readers.checkpoints order by 1";
    assert_eq!(
        text(&client, readers).await,
        ["accounts projection 1", "mailer worker 1", "token_closer worker 1"]
    );
    let events = "select position || ' ' || event_type from event_log.events";
    assert_eq!(text(&client, events).await, ["1 account.registered"]);
}

#[tokio::test]
async fn a_reservation_of_v8_is_still_refused_to_another_owner() {
    let (url, client) = filled_v8().await;

    migrate_log(&url).await.unwrap();

    let row = client.query_one(RESERVE, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>("head"), 1);
    assert_eq!(row.get::<_, String>("outcome"), "reserved");
    assert_eq!(text(&client, "select kind from event_log.reservations").await, ["email/1"]);
}

#[tokio::test]
async fn streams_that_an_older_programme_begins_meanwhile_are_known() {
    let (url, mut client) = filled_v8().await;
    for version in [18, 19, 20] {
        let to = log::migrations::runner().set_target(Target::Version(version));
        to.run_async(&mut client).await.unwrap();
        client.execute(APPEND_BY_V1, &[]).await.unwrap();
        if version == 18 {
            client.execute(GO_ON, &[]).await.unwrap();
        }
    }

    migrate_log(&url).await.unwrap();

    let unknown = "select e.stream_id::text from event_log.events e
        left join event_log.streams s on (s.stream_id, s.position) = (e.stream_id, e.position)
        where e.version = 1 and s is null";
    assert_eq!(text(&client, unknown).await, Vec::<String>::new());
    assert_eq!(text(&client, "select count(*)::text from event_log.streams").await, ["4"]);
}

#[tokio::test]
async fn what_accounts_did_before_the_upgrade_ends_no_api_token() {
    let (url, mut client) = filled_v8().await;
    let to_v23 = log::migrations::runner().set_target(Target::Version(23));
    to_v23.run_async(&mut client).await.unwrap();
    client.execute(GO_ON, &[]).await.unwrap();
    client.execute(ISSUE_BY_V4, &[]).await.unwrap();

    migrate_log(&url).await.unwrap();

    let versions = "select account_version::text from working.api_tokens";
    assert_eq!(text(&client, versions).await, ["2"]);
    let begins = "select position::text from readers.checkpoints where name = 'token_closer'";
    assert_eq!(text(&client, begins).await, ["2"], "it reads nothing of before");
}

#[tokio::test]
async fn a_token_of_before_the_upgrade_is_found_by_its_secret() {
    let (url, mut client) = filled_v8().await;
    let to_v23 = log::migrations::runner().set_target(Target::Version(23));
    to_v23.run_async(&mut client).await.unwrap();
    client.execute(ISSUE_BY_V4, &[]).await.unwrap();

    migrate_log(&url).await.unwrap();

    let secrets = "select (s.secret_id = t.token_id) || ' ' || (s.token_hash = sha256('a token')) || ' ' || s.version
        from working.api_token_secrets s join working.api_tokens t using (token_id)";
    assert_eq!(text(&client, secrets).await, ["true true 0"]);
}

#[tokio::test]
async fn no_statistics_hold_a_hash_of_a_password() {
    let (url, mut client) = filled_v8().await;
    let to_v27 = log::migrations::runner().set_target(Target::Version(27));
    to_v27.run_async(&mut client).await.unwrap();
    client.batch_execute(HASH_PASSWORDS).await.unwrap();
    client.batch_execute("analyze working.credentials").await.unwrap();
    assert_eq!(text(&client, HAVE_STATISTICS).await, ["created_at", "hash"]);

    migrate_log(&url).await.unwrap();

    assert_eq!(text(&client, HAVE_STATISTICS).await, ["created_at"], "those of before are kept");
    client.batch_execute("analyze working.credentials").await.unwrap();
    assert_eq!(text(&client, HAVE_STATISTICS).await, ["created_at"]);
}

#[tokio::test]
async fn a_replay_under_way_starts_over_and_its_table_is_gone() {
    let (url, client) = filled_v8().await;
    let under_way = "
        insert into readers.replays (name, version, owner, lease_until, position, ceiling)
        values ('accounts', 1, '00000000-0000-0000-0000-00000000000a', clock_timestamp(), 1, 1);
        insert into readers.parked (reader, version, replay, stream_id, from_position, error)
        values ('accounts', 1, true, '00000000-0000-0000-0000-00000000000a', 1, 'unfit');
        set role lethe_app;
        create table read_models.accounts (id uuid);
        create table read_models.accounts_beside (id uuid);
        reset role";
    client.batch_execute(under_way).await.unwrap();

    migrate_log(&url).await.unwrap();

    let generations =
        "select concat_ws(' ', name, version, generation, state) from readers.generations";
    assert_eq!(text(&client, generations).await, ["accounts 1 1 live"]);
    assert_eq!(text(&client, "select reader from readers.parked").await, Vec::<String>::new());
    let tables = "select tablename::text from pg_tables where schemaname = 'read_models'";
    assert_eq!(text(&client, tables).await, ["accounts_v1_g1"]);
}

#[tokio::test]
async fn a_table_of_before_is_the_first_generation_and_a_view_has_its_name() {
    let (url, mut client) = filled_v8().await;
    let to_v37 = log::migrations::runner().set_target(Target::Version(37));
    to_v37.run_async(&mut client).await.unwrap();
    client.batch_execute(READ_BY_V37).await.unwrap();

    migrate_log(&url).await.unwrap();

    let relations = "select format('%s %s %s', relname, relkind, relowner::regrole) from pg_class
        where relnamespace = 'read_models'::regnamespace and relkind in ('r', 'v') order by relname";
    let expected = [
        "accounts_v4 v lethe_app",
        "accounts_v4_g1 r lethe_app",
        "sessions v lethe_app",
        "sessions_v1_g1 r lethe_app",
    ];
    assert_eq!(text(&client, relations).await, expected);
    assert_eq!(text(&client, "select id::text from read_models.accounts_v4").await, ["7"]);
    let may = "select relname::text || ' ' || grantee::regrole || ' ' || privilege_type
        from pg_class, aclexplode(relacl)
        where relnamespace = 'read_models'::regnamespace and relkind = 'v' and grantee <> relowner
        order by relname, grantee";
    let expected = ["sessions - SELECT", "sessions lethe_retention SELECT"];
    assert_eq!(text(&client, may).await, expected);
    let generations = "select concat_ws(' ', name, version, generation, state)
        from readers.generations order by name";
    let expected = ["accounts 4 1 live", "sessions 1 1 live"];
    assert_eq!(text(&client, generations).await, expected);
    let checkpoints = "select concat_ws(' ', name, position, generation) from readers.checkpoints
        where position = 3 and name in ('accounts', 'act', 'gone', 'sessions') order by name";
    let expected = ["accounts 3 1", "act 3 0", "gone 3 0", "sessions 3 1"];
    assert_eq!(text(&client, checkpoints).await, expected);
    let parked = "select concat_ws(' ', reader, generation, replay) from readers.parked order by 1";
    assert_eq!(text(&client, parked).await, ["accounts 1 f", "act 0 f"]);
}

#[tokio::test]
async fn the_revisions_that_stood_in_comments_are_kept() {
    let url = test_support::empty_database().await.unwrap();
    let mut client = connect_one(&url, &ConnectOptions::unlimited()).await.unwrap();
    let to_v9 = log::migrations::runner().set_target(Target::Version(9));
    to_v9.run_async(&mut client).await.unwrap();
    let stamp = "comment on function event_log.fence is 'revision 999, sha256 00';
        comment on function event_log.lock is 'something else'";
    client.batch_execute(stamp).await.unwrap();

    let migrated = migrate_log(&url).await.unwrap();

    assert!(!migrated.functions.contains(&"event_log.fence"), "{migrated:?}");
    let kept = "select name || ' ' || revision || ' ' || sha256 from event_log.function_revisions
        where name in ('event_log.fence', 'event_log.lock') and revision > 1";
    assert_eq!(text(&client, kept).await, ["event_log.fence 999 00"]);
}

#[tokio::test]
async fn a_filled_keyring_of_v2_keeps_its_rows() {
    let (url, client) = filled_keyring_v2().await;

    migrate_keyring(&url).await.unwrap();

    let listed =
        "select i.sequence || ' ' || i.kind || ' ' || (i.invalidated_at at time zone 'utc')::date
        from keyring.invalidations i join keyring.last_invalidation l on l.sequence = i.sequence";
    assert_eq!(text(&client, listed).await, ["1 subject 2026-01-02"]);
}

#[tokio::test]
async fn an_upgraded_keyring_is_like_a_new_one() {
    let (url, upgraded) = filled_keyring_v2().await;
    let fresh = test_support::databases().await.unwrap();
    let fresh = connect_one(&fresh.keyring_url, &ConnectOptions::default()).await.unwrap();

    migrate_keyring(&url).await.unwrap();

    let described = description(&upgraded).await;
    assert!(described.iter().any(|line| line.contains("keyring.refuse_return")), "{described:?}");
    assert!(!described.iter().any(|line| line.contains("dropped")), "{described:?}");
    assert_eq!(described, description(&fresh).await);
}

#[tokio::test]
async fn an_upgraded_database_is_like_a_new_one() {
    let (url, upgraded) = filled_v8().await;
    let fresh = test_support::databases().await.unwrap();
    let fresh = connect_one(&fresh.log_url, &ConnectOptions::default()).await.unwrap();

    migrate_log(&url).await.unwrap();

    let described = description(&upgraded).await;
    assert!(described.iter().any(|line| line.contains("event_log.append")), "{described:?}");
    assert_eq!(described, description(&fresh).await);
}

#[tokio::test]
async fn the_old_words_are_gone_from_the_database() {
    let databases = test_support::databases().await.unwrap();
    let client = connect_one(&databases.log_url, &ConnectOptions::default()).await.unwrap();

    let described = description(&client).await.join("\n");

    let words = ["claims", "claimed", "new_claim", ".turns", "duty", "extend(", "extend_", "room("];
    for word in words {
        let lines = described.lines().filter(|line| line.contains(word));
        assert_eq!(lines.collect::<Vec<_>>(), Vec::<&str>::new(), "{word}");
    }
}
