//! API tokens that get another secret: its row is written ahead of its event, too.

use domain::workspace::WorkspaceError;
use domain::{ApiTokenId, ApiTokenSecretId, Refused, WorkspaceId};
use infra::bearer::BearerToken;

use super::super::workspace_rows::WorkspaceRows;
use super::*;
use crate::operations::issue_token::{IssueTokenError, IssuedToken};
use crate::operations::rotate_token::RotateToken;

struct Rotating {
    harness: Harness,
    app: App,
    workspace: WorkspaceId,
    ada: AccountId,
    token: ApiTokenId,
    first: String,
}

async fn given() -> Rotating {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let workspace = create_workspace(&app, ada).await;
    let (token, first) = issue(&app, ada, workspace).await;
    Rotating { harness, app, workspace, ada, token, first }
}

impl Rotating {
    fn request(&self) -> Request {
        let command = CommandId(self.app.ids.uuid());
        let body = Some(b"rotate".to_vec());
        Request { body, ..Request::new(self.workspace.into(), command) }
    }

    /// The same command each time that the request is the same.
    async fn rotate(
        &self,
        request: &Request,
        (overlap, secrets): (TimeDelta, Vec<BearerToken>),
    ) -> Result<IssuedToken, IssueTokenError> {
        let Self { app, workspace, ada, token, .. } = self;
        let (workspace, by, token) = (*workspace, *ada, *token);
        let secret = ApiTokenSecretId(request.command.0);
        let expires_at = None;
        RotateToken { workspace, by, token, secret, overlap, expires_at, secrets }
            .execute(app, request)
            .await
    }

    async fn rotated(&self, overlap: TimeDelta) -> String {
        let rotated = self.rotate(&self.request(), (overlap, drawn())).await.unwrap();
        shown(rotated).unwrap()
    }

    async fn is_found(&self, secret: &str) -> bool {
        let found = self.app.api_tokens.find(secret).await.unwrap();
        found.is_some_and(|found| {
            assert_eq!(found.token, self.token);
            true
        })
    }

    async fn secrets(&self) -> i64 {
        count(&self.app, "select count(*) from working.api_token_secrets").await
    }

    async fn unnamed(&self) -> i64 {
        count(&self.app, "select count(*) from working.api_token_secrets where version is null")
            .await
    }

    async fn sweep_later(&self) {
        self.harness.clock.advance(TimeDelta::minutes(11));
        sweep_unnamed_tokens(&self.app).await;
    }
}

fn drawn() -> Vec<BearerToken> {
    vec![ApiTokens::draw_token().unwrap()]
}

fn shown(rotated: IssuedToken) -> Option<String> {
    rotated.secret.map(|secret| secret.expose_secret().to_owned())
}

const HOUR: TimeDelta = TimeDelta::hours(1);

#[tokio::test]
async fn a_rotation_that_comes_again_has_the_same_secret_while_that_works() {
    let given = given().await;
    let request = given.request();
    let same = || vec![ApiTokens::token_of(&[7; 32])];

    let first = shown(given.rotate(&request, (HOUR, same())).await.unwrap()).unwrap();
    let again = given.rotate(&request, (HOUR, same())).await.unwrap();

    assert!(again.receipt.replayed());
    assert_eq!(shown(again).as_ref(), Some(&first));
    assert!(given.is_found(&first).await && given.is_found(&given.first).await);
    assert_eq!(given.secrets().await, 2);
    given.rotated(TimeDelta::zero()).await;
    let late = given.rotate(&request, (HOUR, same())).await.unwrap();
    assert_eq!(shown(late), None, "it works no more");
}

#[tokio::test]
async fn a_refused_rotation_leaves_no_row() {
    let given = given().await;
    given.rotated(HOUR).await;
    assert_eq!(given.secrets().await, 2);

    let refused = given.rotate(&given.request(), (HOUR, drawn())).await.err().unwrap();

    let IssueTokenError::Execute(ExecuteError::Refused(Refused::Workspace(why))) = refused else {
        panic!("{refused}")
    };
    assert_eq!(why, WorkspaceError::FormerSecretWorks(given.app.clock.now() + HOUR));
    assert_eq!(given.secrets().await, 2);
}

#[tokio::test]
async fn a_token_that_was_ended_gets_no_other_secret() {
    let given = given().await;
    let ends = AccountCommand::EndSessions { keep_api_tokens: false };
    let receipt = ask(&given.app, given.ada, None, ends).await.unwrap();
    let ends = crate::operations::end_tokens::EndTokens::of(given.ada, &receipt).unwrap();
    ends.refuse(&given.app).await.unwrap();

    let refused = given.rotate(&given.request(), (HOUR, drawn())).await;

    assert!(refused.is_err());
    assert_eq!(given.secrets().await, 1);
    ends.revoke(&given.app).await.unwrap();
    assert_eq!(given.secrets().await, 0);
}

#[tokio::test]
async fn the_worker_names_secrets_and_deletes_those_that_are_over() {
    let given = given().await;
    for _ in 0..4 {
        given.rotated(TimeDelta::zero()).await;
    }
    assert_eq!((given.secrets().await, given.unnamed().await), (5, 4));

    react(&given.app, &WorkspaceRows::new(&given.app)).await.unwrap();

    assert_eq!(
        (given.secrets().await, given.unnamed().await),
        (2, 0),
        "the newest, and one before"
    );
}

#[tokio::test]
async fn a_secret_whose_event_was_never_appended_is_swept_and_one_with_its_event_is_named() {
    let given = given().await;
    let second = given.rotated(HOUR).await;
    let orphan = "insert into working.api_token_secrets
        select gen_random_uuid(), token_id, sha256(token_hash), written_at
        from working.api_token_secrets where version is null";
    let client = given.app.pool.get().await.unwrap();
    assert_eq!(client.execute(orphan, &[]).await.unwrap(), 1);

    sweep_unnamed_tokens(&given.app).await;
    assert_eq!(given.secrets().await, 3, "its event may still come");
    given.sweep_later().await;

    assert_eq!((given.secrets().await, given.unnamed().await), (2, 0));
    assert!(given.is_found(&second).await && given.is_found(&given.first).await);
}

#[tokio::test]
async fn a_former_secret_that_no_worker_has_named_stays_while_it_works() {
    let given = given().await;
    let second = given.rotated(TimeDelta::zero()).await;
    given.rotated(HOUR).await;

    given.sweep_later().await;
    assert!(given.is_found(&second).await);
    assert_eq!(given.unnamed().await, 1, "the worker that is behind names it");
    given.harness.clock.advance(HOUR);
    sweep_unnamed_tokens(&given.app).await;

    assert!(!given.is_found(&second).await);
    assert_eq!(given.unnamed().await, 0);
}
