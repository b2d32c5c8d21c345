//! API tokens: their rows are written ahead of their events.

use domain::privacy::Sealed;
use domain::workspace::Right;
use domain::{ApiTokenId, SealedId, WorkspaceId};
use infra::bearer::BearerToken;

use super::super::workspace_rows::WorkspaceRows;
use super::*;
use crate::operations::issue_token::{IssueToken, IssueTokenError, IssuedToken};

const SECRET: [u8; 32] = [7; 32];

/// The same command each time, with one of the secrets at least.
async fn issue(
    app: &App,
    (workspace, account): (WorkspaceId, AccountId),
    request: &Request,
    (right, secrets): (Right, Vec<BearerToken>),
) -> Result<IssuedToken, IssueTokenError> {
    let token = ApiTokenId(request.command.0);
    let name = Sealed { id: SealedId(app.ids.uuid()), envelope: vec![1] };
    let expires_at = app.clock.now() + TimeDelta::days(1);
    let rights = vec![right];
    let by = account;
    IssueToken { workspace, by, account, token, name, rights, expires_at, secrets }
        .execute(app, request)
        .await
}

fn secrets() -> Vec<BearerToken> {
    vec![ApiTokens::token_of(&SECRET)]
}

/// A member who issues a token.
struct Issuing {
    harness: Harness,
    app: App,
    of: (WorkspaceId, AccountId),
    asks: Request,
}

async fn given() -> Issuing {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let workspace = create_workspace(&app, ada).await;
    let body = Some(b"issue".to_vec());
    let asks = Request { body, ..Request::new(workspace.into(), CommandId(app.ids.uuid())) };
    Issuing { harness, app, of: (workspace, ada), asks }
}

const ROWS: &str = "select count(*) from working.api_tokens";

#[tokio::test]
async fn a_command_that_comes_again_has_the_same_secret_also_from_yesterday() {
    let Issuing { harness: _harness, app, of, asks } = given().await;
    let shown = |issued: IssuedToken| issued.secret.map(|it| it.expose_secret().to_owned());

    let first = issue(&app, of, &asks, (Right::ReadRuns, secrets())).await.unwrap();
    let two = vec![ApiTokens::draw_token().unwrap(), ApiTokens::token_of(&SECRET)];
    let again = issue(&app, of, &asks, (Right::ReadRuns, two)).await.unwrap();
    let others = vec![ApiTokens::draw_token().unwrap()];
    let late = issue(&app, of, &asks, (Right::ReadRuns, others)).await.unwrap();

    let secret = shown(first).unwrap();
    assert!(app.api_tokens.find(&secret).await.unwrap().is_some());
    assert_eq!(shown(again).as_ref(), Some(&secret));
    assert_eq!(shown(late), None);
    assert_eq!(count(&app, ROWS).await, 1);
}

#[tokio::test]
async fn a_refused_token_leaves_no_row() {
    let Issuing { harness: _harness, app, of, asks } = given().await;

    let refused = issue(&app, of, &asks, (Right::ManageTokens, secrets())).await;

    assert!(refused.is_err());
    assert_eq!(count(&app, ROWS).await, 0);
}

#[tokio::test]
async fn a_row_whose_event_was_never_appended_is_swept_and_one_with_its_event_is_named() {
    let Issuing { harness, app, of, asks } = given().await;
    issue(&app, of, &asks, (Right::ReadRuns, secrets())).await.unwrap();
    let orphan = "insert into working.api_tokens
        (token_id, workspace_id, account_id, name, issued_at, expires_at, account_version, named)
        select gen_random_uuid(), workspace_id, account_id, name, issued_at, expires_at, account_version, false
        from working.api_tokens";
    assert_eq!(app.pool.get().await.unwrap().execute(orphan, &[]).await.unwrap(), 1);

    sweep_unnamed_tokens(&app).await;
    assert_eq!(count(&app, ROWS).await, 2, "its event may still come");
    harness.clock.advance(TimeDelta::minutes(11));
    sweep_unnamed_tokens(&app).await;

    assert_eq!(count(&app, ROWS).await, 1);
    let named = "select count(*) from working.api_tokens where named";
    assert_eq!(count(&app, named).await, 1);
}

#[tokio::test]
async fn a_worker_names_the_row_of_an_event() {
    let Issuing { harness: _harness, app, of, asks } = given().await;
    issue(&app, of, &asks, (Right::ReadRuns, secrets())).await.unwrap();

    react(&app, &WorkspaceRows::new(&app)).await.unwrap();

    let named = "select count(*) from working.api_tokens where named";
    assert_eq!(count(&app, named).await, 1);
}
