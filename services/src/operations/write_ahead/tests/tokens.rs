//! An API token whose issuing pauses for so long that its row is swept, and is put back behind the event.

use domain::privacy::Sealed;
use domain::session::CloseReason;
use domain::workspace::{Right, Workspace, WorkspaceCommand};
use domain::{ApiTokenId, SealedId, WorkspaceId};
use infra::api_tokens::{ApiTokens, NewApiToken};
use infra::bearer::BearerToken;
use secrecy::ExposeSecret;

use super::*;
use crate::operations::issue_token::NewRow;
use crate::operations::sign_out::SignOut;
use crate::workers::tests::{create_workspace, sweep_unnamed_tokens};

struct Issuing {
    harness: Harness,
    app: App,
    ada: AccountId,
    workspace: WorkspaceId,
    row: NewApiToken,
    secret: BearerToken,
    request: Request,
}

async fn given() -> Issuing {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let workspace = create_workspace(&app, ada).await;
    let loaded = app.executor.load::<Account>(ada.into(), ada.0).await.unwrap();
    let row = NewApiToken {
        token: ApiTokenId(app.ids.uuid()),
        workspace,
        account: ada,
        account_version: loaded.version,
        name: Sealed { id: SealedId(app.ids.uuid()), envelope: vec![1] },
        expires_at: app.clock.now() + TimeDelta::days(1),
    };
    let command = CommandId(app.ids.uuid());
    let request =
        Request { body: Some(b"issue".to_vec()), ..Request::new(workspace.into(), command) };
    let secret = ApiTokens::draw_token().unwrap();
    Issuing { harness, app, ada, workspace, row, secret, request }
}

impl Issuing {
    /// Writes the row, which is swept: the event comes only after the pause.
    async fn write_and_append(&self) -> (Written<'_, NewRow>, Receipt) {
        let Self { app, row, secret, request, .. } = self;
        let new = look_up(app, request).await;
        let written = new.write(NewRow { row: row.clone(), hash: secret.hash }).await.unwrap();
        self.harness.clock.advance(TimeDelta::minutes(11));
        sweep_unnamed_tokens(app).await;
        assert_eq!(app.api_tokens.kept(row.token.into()).await.unwrap(), None, "it is swept");
        let (by, account, token) = (row.account, row.account, row.token);
        let (now, expires_at, rights) = (app.clock.now(), row.expires_at, vec![Right::ReadRuns]);
        let issues =
            WorkspaceCommand::IssueApiToken { by, account, token, rights, now, expires_at };
        let step = Step::new::<Workspace>(row.workspace.0, issues);
        let receipt = app.executor.execute(request, &[step]).await.unwrap();
        (written, receipt)
    }

    async fn sign_out_everywhere(&self) {
        let Self { app, ada, .. } = self;
        let ends = AccountCommand::EndSessions { keep_api_tokens: false };
        let request = Request::new((*ada).into(), CommandId(app.ids.uuid()));
        let step = Step::new::<Account>(ada.0, ends);
        let receipt = app.executor.execute(&request, &[step]).await.unwrap();
        let reason = CloseReason::ClosedFromAnother;
        let sign_out = SignOut { account: *ada, except: None, reason };
        sign_out.execute_after(app, (&request, &receipt), true).await;
    }

    async fn works(&self) -> bool {
        self.app.api_tokens.find(self.secret.secret.expose_secret()).await.unwrap().is_some()
    }

    async fn is_listed(&self) -> bool {
        let of = self.workspace;
        let loaded = self.app.executor.load::<Workspace>(of.into(), of.0).await.unwrap();
        loaded.state.live().unwrap().tokens.contains_key(&self.row.token)
    }
}

#[tokio::test]
async fn a_token_whose_row_is_put_back_works() {
    let given = given().await;
    let (written, receipt) = given.write_and_append().await;

    written.settle(Ok(receipt)).await.unwrap();

    assert!(given.works().await && given.is_listed().await);
}

#[tokio::test]
async fn a_token_whose_row_is_put_back_after_a_sign_out_everywhere_is_refused_and_revoked() {
    let given = given().await;
    let (written, receipt) = given.write_and_append().await;
    given.sign_out_everywhere().await;

    written.settle(Ok(receipt)).await.unwrap();

    assert!(!given.works().await);
    assert!(!given.is_listed().await, "its revocation is in the log");
}

#[tokio::test]
async fn a_row_that_was_put_back_by_a_node_that_died_is_ended_by_the_sweep() {
    let given = given().await;
    let (mut written, _) = given.write_and_append().await;
    given.sign_out_everywhere().await;
    written.row.write(&given.app).await.unwrap();

    given.harness.clock.advance(TimeDelta::minutes(11));
    sweep_unnamed_tokens(&given.app).await;

    assert!(!given.works().await && !given.is_listed().await);
}
