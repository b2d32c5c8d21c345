//! What an operator's token opens: the trail for each scope, and all else for the scope admin alone.

use serde_json::json;
use tests::{Installation, until};

use super::operation::{document, fresh, operations};

const NEEDED: &str = "/problems/operator-needed";

#[tokio::test]
async fn a_token_of_an_auditor_opens_the_trail_and_nothing_else_of_the_operators() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    let client = node.client();
    let admin = client.bearing(&installation.operator_with("admin").await);
    let auditor = client.bearing(&installation.operator_with("audit").await);
    let mut operations = operations(&document(&client).await);
    operations.retain(|operation| operation.spec["security"][0].get("operator").is_some());

    let (mut of_the_trail, mut others) = (0, 0);
    for operation in &operations {
        let path = operation.filled(|_| fresh());
        // The trail is answered once its reader has come so far.
        let send = async |by: &tests::Client| {
            until("it is answered", async || {
                let call = by.call(operation.method.clone(), &path).header("If-Match", "*");
                let answer = call.json(json!({})).send().await;
                if answer.status == 503 { Err(answer.text()) } else { Ok(answer) }
            })
            .await
        };
        let is_of_the_trail = path.starts_with("/v1/audit");
        let name = operation.name();
        let scope = if is_of_the_trail { "audit" } else { "admin" };
        assert_eq!(operation.spec["security"], json!([{ "operator": [scope] }]), "{name}");
        let nobody = send(&client).await;
        assert_eq!((nobody.status, nobody.field("/type").as_str()), (401, NEEDED), "{name}");
        assert_eq!(nobody.header("www-authenticate"), Some(r#"Bearer realm="lethe operators""#));
        assert!(!matches!(send(&admin).await.status, 401 | 403 | 500..), "{name}");
        let audited = send(&auditor).await;
        if is_of_the_trail {
            assert_eq!(audited.status, 200, "{name}");
            of_the_trail += 1;
        } else {
            assert_eq!(audited.status, 403, "{name}");
            let challenge = audited.header("www-authenticate").unwrap();
            assert!(challenge.contains(&format!("scope=\"{scope}\"")), "{name}: {challenge}");
            others += 1;
        }
    }
    assert!(of_the_trail >= 2 && others >= 5, "{of_the_trail} of the trail, {others} others");
}
