//! What an operator does with what a replay has built: it is looked at before it is shown, and taken back after.

use infra::log::Reader;
use serde_json::{Value, json};
use test_support::until_waits_for_lock;
use tests::{Client, Harness, Installation, problem};

const BUILDING: &str = "
    insert into readers.generations (name, version, generation, state, node, lease_until)
    select name, version, 7, 'building', gen_random_uuid(), clock_timestamp() + interval '90 seconds'
    from readers.checkpoints where name = 'sessions'";

/// Every generation with its state.
const STATES: &str = "
    select string_agg(format('%s %s %s', name, generation, state), ', ' order by name, generation)
    from readers.generations";

fn accounts() -> Reader {
    projections::named("accounts").unwrap()
}

/// The table of a generation of the accounts.
fn table(generation: i32) -> String {
    format!("read_models.accounts_v{}_g{generation}", accounts().version())
}

fn at(below: &str) -> String {
    format!("/v1/admin/projections/accounts/{below}")
}

async fn replay(installation: &Installation, options: &[&str]) -> String {
    let done = installation.run(&[&["replay", "accounts"], options].concat()).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

struct Generations {
    harness: Harness,
    operator: Client,
}

impl Generations {
    /// Generation 1 is shown, and generation 2 is joined.
    async fn new() -> Self {
        let harness = Harness::new().await;
        let said = replay(&harness.installation, &["--no-promote"]).await;
        assert!(said.contains("generation 2 is joined"), "{said}");
        let operator = harness.operator().await;
        Self { harness, operator }
    }

    /// Number and state of each, the newest first.
    async fn states(&self) -> Value {
        let listed = self.operator.get(&at("generations")).await.expect(200).json();
        let items = listed["items"].as_array().unwrap().iter();
        items.map(|item| json!([item["generation"], item["state"]])).collect()
    }

    async fn compared(&self, generation: i32) -> Value {
        let path = at(&format!("generations/{generation}/comparison"));
        self.operator.get(&path).await.expect(200).json()
    }

    async fn promote(&self, by: &Client, generation: i32) {
        by.post(&at(&format!("generations/{generation}/promote")), json!({})).await.expect(202);
    }

    async fn roll_back(&self) {
        self.operator.post(&at("rollback"), json!({})).await.expect(202);
    }

    /// How many accounts are shown that were marked by hand.
    async fn marked(&self) -> i64 {
        let view = accounts().view().unwrap();
        let count = format!("select count(*) from {view} where pending_email_since = 'epoch'");
        self.harness.installation.log().await.query_one(&count, &[]).await.unwrap().get(0)
    }

    /// An event of an operator, about the accounts.
    fn event(generation: i32, act: &str) -> Value {
        let version = accounts().version();
        json!({ "projection": "accounts", "version": version, "generation": generation, "act": act })
    }
}

#[tokio::test]
async fn what_a_replay_has_built_is_compared_and_shown_and_taken_back() {
    let given = Generations::new().await;
    assert_eq!(given.states().await, json!([[2, "joined"], [1, "live"]]));
    let same = given.compared(2).await;
    assert_eq!((&same["items"], &same["complete"]), (&json!([]), &json!(true)));
    assert_eq!((&same["live_generation"], &same["rows"]), (&json!(1), &same["live_rows"]));
    assert!(same["rows"].as_i64().unwrap() > 0, "{same}");

    let ada = given.harness.ada.account().await;
    let mark = format!(
        "update {} set pending_email_since = 'epoch' where account_id::text = $1",
        table(2)
    );
    let log = given.harness.installation.log().await;
    assert_eq!(log.execute(&mark, &[&ada]).await.unwrap(), 1);
    let differs = json!([{ "key": ada, "differs": "changed", "columns": ["pending_email_since"] }]);
    assert_eq!(given.compared(2).await["items"], differs);
    let said = replay(&given.harness.installation, &["--compare", "2"]).await;
    assert!(said.contains(&format!("{ada}: pending_email_since differ")), "{said}");

    assert_eq!(given.marked().await, 0);
    given.promote(&given.operator, 2).await;
    assert_eq!(given.marked().await, 1);
    assert_eq!(given.states().await, json!([[2, "live"], [1, "kept"]]));
    given.roll_back().await;
    assert_eq!(given.marked().await, 0);
    let said = replay(&given.harness.installation, &["--promote", "2"]).await;
    assert!(said.contains("generation 2 is live, generation 1 is kept until"), "{said}");
    assert_eq!(given.marked().await, 1);
    let said = replay(&given.harness.installation, &["--roll-back", "--keep", "0"]).await;
    assert!(said.ends_with("generation 1 is live\n"), "{said}");
    assert_eq!(given.marked().await, 0);
    let events = given.harness.events("operator.generation_changed").await;
    let expected = [(2, "promoted"), (1, "rolled_back")];
    assert_eq!(events, expected.map(|(number, act)| Generations::event(number, act)));

    let listed = given.operator.get("/v1/admin/projections").await.expect(200).json();
    let shown = listed["items"].as_array().unwrap().iter().find(|it| it["name"] == "accounts");
    assert_eq!(shown.unwrap()["generation"], 1);
    let said = replay(&given.harness.installation, &["--list"]).await;
    assert!(said.contains("generation 2  dropped"), "{said}");
}

#[tokio::test]
async fn a_request_that_is_sent_again_shows_a_generation_once() {
    let given = Generations::new().await;
    let once = given.operator.saying("Idempotency-Key", "show-the-second-one");

    given.promote(&once, 2).await;
    given.promote(&once, 2).await;
    given.roll_back().await;
    given.promote(&once, 2).await;

    assert_eq!(given.states().await, json!([[2, "kept"], [1, "live"]]));
    assert_eq!(given.harness.events("operator.generation_changed").await.len(), 2);
}

#[tokio::test]
async fn a_generation_that_is_discarded_is_gone() {
    let given = Generations::new().await;

    let path = at("generations/2/discard");
    let once = given.operator.saying("Idempotency-Key", "no-more-of-the-second-one");
    for _ in 0..2 {
        once.post(&path, json!({})).await.expect(202);
    }

    assert_eq!(given.states().await, json!([[2, "dropped"], [1, "live"]]));
    let found = "select to_regclass($1) is not null";
    let log = given.harness.installation.log().await;
    assert!(!log.query_one(found, &[&table(2)]).await.unwrap().get::<_, bool>(0));
    assert_eq!(problem(&given.operator.post(&path, json!({})).await, 409), "generation-state");
    let events = given.harness.events("operator.generation_changed").await;
    assert_eq!(events, [Generations::event(2, "discarded")]);
}

#[tokio::test]
async fn of_several_that_are_kept_the_one_that_was_shown_last_is_shown_again() {
    let given = Generations::new().await;
    given.promote(&given.operator, 2).await;
    given.roll_back().await;
    let said = replay(&given.harness.installation, &["--no-promote"]).await;
    assert!(said.contains("generation 3 is joined"), "{said}");
    given.promote(&given.operator, 3).await;
    assert_eq!(given.states().await, json!([[3, "live"], [2, "kept"], [1, "kept"]]));

    given.roll_back().await;

    assert_eq!(given.states().await, json!([[3, "kept"], [2, "kept"], [1, "live"]]));
}

#[tokio::test]
async fn a_node_compares_one_generation_at_a_time() {
    let given = Generations::new().await;
    let (holder, watcher) =
        (given.harness.installation.log().await, given.harness.installation.log().await);
    let lock = format!("begin; lock table {} in access exclusive mode", table(2));
    holder.batch_execute(&lock).await.unwrap();
    let (operator, path) = (given.operator.clone(), at("generations/2/comparison"));
    let first = tokio::spawn({
        let path = path.clone();
        async move { operator.get(&path).await }
    });
    // It looks at the size of each table first.
    until_waits_for_lock(&watcher, "pg_total_relation_size(to_regclass").await;

    let second = given.operator.get(&path).await;

    assert_eq!(problem(&second, 429), "too-many-requests");
    assert_eq!(second.header("retry-after"), Some("5"));
    holder.batch_execute("commit").await.unwrap();
    first.await.unwrap().expect(200);
    given.compared(2).await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_nothing_is_changed() {
    let given = Generations::new().await;
    let log = given.harness.installation.log().await;
    assert_eq!(log.execute(BUILDING, &[]).await.unwrap(), 1);
    let states = async || -> String { log.query_one(STATES, &[]).await.unwrap().get(0) };
    let before = states().await;
    let auditor = given.harness.installation.operator_with("audit").await;
    let auditor = given.harness.node.client().bearing(&auditor);

    for (of, status) in [
        ("nothing/generations/1", 404),
        ("mailer/generations/1", 404),
        ("accounts/generations/99", 404),
        ("accounts/generations/0", 404),
        ("accounts/generations/one", 404),
        ("accounts/generations/1", 409),
        ("sessions/generations/7", 409),
    ] {
        for act in ["comparison", "promote", "discard"] {
            let path = format!("/v1/admin/projections/{of}/{act}");
            let send = async |by: &Client| match act {
                "comparison" => by.get(&path).await,
                _ => by.post(&path, json!({})).await,
            };
            let kind = if status == 404 { "not-found" } else { "generation-state" };
            let refused = send(&given.operator).await;
            assert_eq!(problem(&refused, status), kind, "{path}: {}", refused.text());
            send(&auditor).await.expect(403);
            if of.starts_with("sessions") {
                let detail = refused.field("/detail");
                assert!(detail.starts_with("generation 7 is building: "), "{detail}");
            }
        }
    }
    for (of, status) in [("nothing", 404), ("mailer", 404), ("accounts", 409)] {
        let path = format!("/v1/admin/projections/{of}/rollback");
        problem(&given.operator.post(&path, json!({})).await, status);
    }
    let limit = at("generations/2/comparison?limit=0");
    assert_eq!(given.operator.get(&limit).await.expect(400).field("/errors/0/parameter"), "limit");
    let promoted = given.harness.installation.run(&["replay", "sessions", "--promote", "7"]).await;
    assert_eq!(promoted.status.code(), Some(1));
    let said = String::from_utf8(promoted.stderr).unwrap();
    assert!(said.contains("generation 7 is building"), "{said}");

    assert_eq!(states().await, before);
    assert!(given.harness.events("operator.generation_changed").await.is_empty());
}
