//! A rotation that pauses for so long that the row of the secret is swept, and is put back behind the event.

use domain::workspace::{Workspace, WorkspaceCommand};
use domain::{ApiTokenId, ApiTokenSecretId, WorkspaceId};
use infra::api_tokens::{ApiTokens, NewApiTokenSecret};
use infra::bearer::BearerToken;
use secrecy::ExposeSecret;

use super::*;
use crate::workers::tests::{create_workspace, issue, sweep_unnamed_tokens};

struct Rotating {
    harness: Harness,
    app: App,
    ada: AccountId,
    workspace: WorkspaceId,
    token: ApiTokenId,
    drawn: BearerToken,
    request: Request,
}

async fn given() -> Rotating {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let workspace = create_workspace(&app, ada).await;
    let (token, _) = issue(&app, ada, workspace).await;
    let command = CommandId(app.ids.uuid());
    let request =
        Request { body: Some(b"rotate".to_vec()), ..Request::new(workspace.into(), command) };
    let drawn = ApiTokens::draw_token().unwrap();
    Rotating { harness, app, ada, workspace, token, drawn, request }
}

impl Rotating {
    /// Writes the row, which is swept: the event comes only after the pause.
    async fn write_and_append(&self) -> (Written<'_, NewApiTokenSecret>, Receipt) {
        let Self { app, token, drawn, request, .. } = self;
        let new = look_up(app, request).await;
        let (secret, now) = (ApiTokenSecretId(app.ids.uuid()), app.clock.now());
        let row = NewApiTokenSecret { secret, token: *token, hash: drawn.hash, expires_at: now };
        let written = new.write(row).await.unwrap();
        self.harness.clock.advance(TimeDelta::minutes(11));
        sweep_unnamed_tokens(app).await;
        assert_eq!(app.api_tokens.kept(secret).await.unwrap(), None, "it is swept");
        let rotates = WorkspaceCommand::RotateApiToken {
            by: self.ada,
            token: *token,
            secret,
            now: app.clock.now(),
            overlap: TimeDelta::zero(),
            expires_at: None,
        };
        let step = Step::new::<Workspace>(self.workspace.0, rotates);
        let receipt = app.executor.execute(request, &[step]).await.unwrap();
        (written, receipt)
    }

    async fn is_found(&self) -> bool {
        self.app.api_tokens.find(self.drawn.secret.expose_secret()).await.unwrap().is_some()
    }
}

#[tokio::test]
async fn a_secret_that_is_put_back_works_and_is_named_by_the_sweep() {
    let given = given().await;
    let (written, receipt) = given.write_and_append().await;

    written.settle(Ok(receipt)).await.unwrap();

    assert!(given.is_found().await);
    given.harness.clock.advance(TimeDelta::minutes(11));
    sweep_unnamed_tokens(&given.app).await;
    let unnamed = given.app.api_tokens.unnamed_secrets(given.app.clock.now(), 9, 0).await.unwrap();
    assert_eq!(unnamed, []);
    assert!(given.is_found().await);
}

#[tokio::test]
async fn a_secret_of_a_token_that_was_revoked_meanwhile_is_not_put_back() {
    let given = given().await;
    let (written, receipt) = given.write_and_append().await;
    given.app.api_tokens.delete(given.token).await.unwrap();

    written.settle(Ok(receipt)).await.unwrap();

    assert!(!given.is_found().await);
}
