//! What an operator does about a stream that a reader has parked.

use serde_json::{Value, json};
use tests::until;
use uuid::Uuid;

use super::AccountHarness;

/// Two members join; the first event is damaged.
const APPEND: &str = "
    select event_log.lock();
    insert into event_log.events (position, tenant_id, stream_type, stream_id, version, event_id,
      event_type, schema_version, data, subjects, recorded_at)
    select (select max(position) from event_log.events) + n, '{stream}', 'workspace', '{stream}', n,
      gen_random_uuid(), 'workspace.member_joined', 1,
      case n when 1 then '{}' else '{\"account\":\"{stream}\",\"role\":\"owner\"}' end::json, '{}', now()
    from generate_series(1, 2) n";

const MEND: &str = "
    set session_replication_role = replica;
    update event_log.events set data = '{\"account\":\"{event}\",\"role\":\"viewer\"}'
    where stream_id = '{stream}' and version = 1";

#[tokio::test]
async fn a_parked_stream_is_shown_and_after_its_release_it_is_read_to_its_end() {
    let harness = AccountHarness::new().await;
    let admin = harness.operator("admin").await;
    let (stream, other) = (Uuid::from_u128(0xa1), Uuid::from_u128(0xa2));
    let sql = |text: &str| {
        let text = text.replace("{stream}", &stream.to_string());
        text.replace("{event}", &other.to_string())
    };
    let log = harness.installation.log().await;
    let parked = async || -> Vec<Value> {
        let page = admin.get("/v1/admin/parked-streams").await.expect(200).json();
        let items = page["items"].as_array().unwrap().iter();
        // Other readers miss the event that creates the workspace, and go on missing it.
        let of_memberships =
            |item: &&Value| item["stream_id"] == json!(stream) && item["reader"] == "memberships";
        items.filter(of_memberships).cloned().collect()
    };
    let members = async || -> i64 {
        let count = "select count(*) from read_models.memberships where workspace_id = $1";
        log.query_one(count, &[&stream]).await.unwrap().get(0)
    };

    log.batch_execute(&sql(APPEND)).await.unwrap();
    until("the stream is parked", async || !parked().await.is_empty()).await;
    assert_eq!(members().await, 0, "the events after it wait");
    log.batch_execute(&sql(MEND)).await.unwrap();
    let path = format!("/v1/admin/parked-streams/memberships/{stream}/release");
    admin.post(&path, json!({})).await.expect(202);

    until("the stream is not parked any more", async || parked().await.is_empty()).await;
    assert_eq!(members().await, 2);
}
