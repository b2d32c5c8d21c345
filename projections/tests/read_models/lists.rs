//! A page of a list is read by its index, in both orders. Its statement is planned for its values each time.

use infra::log::Projection;
use projections::runs::Runs;
use projections::servers::Servers;
use projections::sessions::Sessions;

use crate::audit_trail::rows_read_by;
use crate::harness::LogHarness;

const ROWS: i64 = 20_000;
const LIMIT: i64 = 51;
/// When half of the rows were there.
const MIDDLE: &str = "2026-01-01 03:00";

/// A list: its statement without its order, what it is ordered by, and the values up to the limit.
struct List {
    table: String,
    fill: String,
    statement: &'static str,
    order: [&'static str; 2],
    /// Of other filters than the place.
    filters: &'static str,
}

const OWNER: &str = "'00000000-0000-0000-0000-000000000007'";

fn lists() -> [List; 3] {
    let of = |table: &str, create: &str, indexes: &str| {
        let create = create.replace("{table}", table);
        format!("{create}; {}", indexes.replace("{table}", table))
    };
    let at = "timestamptz '2026-01-01' + n * interval '1 second'";
    let fill = |table: &str, columns: &str| {
        format!(
            "insert into {table} select {columns} from generate_series(1, {ROWS}) n; analyze {table}"
        )
    };
    let (runs, servers, sessions) =
        ("read_models.runs_v2", "read_models.servers_v2", "read_models.sessions");
    [
        List {
            table: of(runs, Runs::TABLE, Runs::INDEXES),
            fill: fill(
                runs,
                &format!(
                    "md5(n::text)::uuid, {OWNER}, null, '', null, null, 'lost', '{{}}', '{{}}', null, {at}, 1, n"
                ),
            ),
            statement: include_str!("../../src/runs/list.sql"),
            order: ["requested_at", "run_id"],
            filters: "null, null, null",
        },
        List {
            table: of(servers, Servers::TABLE, Servers::INDEXES),
            fill: fill(
                servers,
                &format!(
                    "md5(n::text)::uuid, {OWNER}, 1, '', '', 22, '', '{{}}', '[]', '{{}}', '{{}}', '{{}}', '[]', {at}, n"
                ),
            ),
            statement: include_str!("../../src/servers/list.sql"),
            order: ["registered_at", "server_id"],
            filters: "null",
        },
        List {
            table: of(sessions, Sessions::TABLE, Sessions::INDEXES),
            fill: fill(
                sessions,
                &format!(
                    "md5(n::text)::uuid, {OWNER}, {OWNER}, 'client', '', '', {at}, null, null, 1, n"
                ),
            ),
            statement: include_str!("../../src/sessions/list_open.sql"),
            order: ["opened_at", "session_id"],
            filters: "null",
        },
    ]
}

#[tokio::test]
async fn a_page_is_read_by_its_index_in_both_orders() {
    let harness = LogHarness::new().await;
    harness.admin.batch_execute("set plan_cache_mode = force_custom_plan").await.unwrap();
    for (number, list) in lists().iter().enumerate() {
        let List { table, fill, statement, order: [at, id], filters } = list;
        harness.admin.batch_execute(table).await.unwrap();
        harness.admin.batch_execute(fill).await.unwrap();
        let limit = filters.split(',').count() + 6;
        for (direction, from, to) in [("", MIDDLE, "3000-01-01"), ("desc", "1970-01-01", MIDDLE)] {
            let name = format!("list_{number}{direction}");
            let page = format!(
                "prepare {name} as {statement} order by {at} {direction}, {id} {direction} limit ${limit}"
            );
            harness.admin.batch_execute(&page).await.unwrap();
            let bounds = format!("'{from}', {OWNER}, '{to}', {OWNER}");
            let execute = format!("execute {name}({OWNER}, {bounds}, {filters}, {LIMIT})");
            let read = rows_read_by(&harness, &execute).await;
            assert!((50.0..100.0).contains(&read), "{name}: {read} rows were read");
        }
    }
}
