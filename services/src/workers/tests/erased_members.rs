//! Erased people leave their workspaces, and are not looked for again.

use domain::privacy::Label;
use domain::workspace::{Role, Workspace, WorkspaceCommand};
use domain::{InvitationId, WorkspaceId};
use infra::keyring::SubjectKind;

use super::super::erased_members::remove_departed;
use super::super::eraser::raise_fence;
use super::super::workspace_rows::WorkspaceRows;
use super::*;

const OUTSTANDING: &str = "select count(*) from working.departures";

pub(super) async fn order(app: &App, workspace: WorkspaceId, command: WorkspaceCommand) {
    let request = Request::new(workspace.into(), CommandId(app.ids.uuid()));
    let steps = [Step::new::<Workspace>(workspace.0, command)];
    app.executor.execute(&request, &steps).await.unwrap();
}

/// A workspace of `owner`, which `member` has joined.
pub(super) async fn shared(app: &App, owner: AccountId, member: AccountId) -> WorkspaceId {
    let workspace = founded(app, owner).await;
    join(app, (workspace, owner), member, Role::Viewer).await;
    workspace
}

async fn founded(app: &App, owner: AccountId) -> WorkspaceId {
    let workspace = WorkspaceId(app.ids.uuid());
    let name = Personal::Clear(Label::parse("Engines").unwrap());
    order(app, workspace, WorkspaceCommand::Create { name, owner }).await;
    workspace
}

async fn join(app: &App, of: (WorkspaceId, AccountId), member: AccountId, role: Role) {
    let (workspace, owner) = of;
    let (invitation, now) = (InvitationId(app.ids.uuid()), app.clock.now());
    let invites = WorkspaceCommand::Invite {
        by: owner,
        invitation,
        email: Personal::Clear(address("bob@example.org")),
        role,
        now,
        until: now + TimeDelta::days(7),
        replaces: None,
    };
    order(app, workspace, invites).await;
    order(app, workspace, WorkspaceCommand::AcceptInvitation { by: member, invitation, now }).await;
}

/// The read models are there, and know nothing of what comes next.
async fn project_others(app: &App, owner: AccountId) {
    shared(app, owner, AccountId(app.ids.uuid())).await;
    project(app).await;
}

async fn members(app: &App, workspace: WorkspaceId) -> usize {
    let loaded = app.executor.load::<Workspace>(workspace.into(), workspace.0).await.unwrap();
    loaded.state.live().unwrap().members.len()
}

#[tokio::test]
async fn an_erased_member_is_removed_also_where_the_memberships_were_read_later() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let (ada, bob) = (AccountId(app.ids.uuid()), AccountId(app.ids.uuid()));
    project_others(&app, ada).await;
    let workspace = shared(&app, ada, bob).await;
    raise_fence(&app, SubjectKind::Account, bob.into()).await.unwrap();

    remove_departed(app.clone()).await.unwrap();
    assert_eq!(count(&app, OUTSTANDING).await, 1, "the memberships are behind the fence");
    assert_eq!(members(&app, workspace).await, 2);

    project(&app).await;
    remove_departed(app.clone()).await.unwrap();
    assert_eq!(members(&app, workspace).await, 1);
    project(&app).await;
    remove_departed(app.clone()).await.unwrap();
    assert_eq!(count(&app, OUTSTANDING).await, 0);
}

#[tokio::test]
async fn who_was_erased_long_ago_is_not_looked_at_again() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let (ada, bob) = (AccountId(app.ids.uuid()), AccountId(app.ids.uuid()));
    shared(&app, ada, bob).await;
    project(&app).await;
    let admin = connect_one(&harness.databases.log_url, &ConnectOptions::default()).await.unwrap();
    let fences = "insert into event_log.fences \
        select gen_random_uuid(), '{}', 1 from generate_series(1, 5000)";
    admin.execute(fences, &[]).await.unwrap();
    let read = "select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint \
        from pg_stat_xact_user_tables";
    let read = async || -> i64 { admin.query_one(read, &[]).await.unwrap().get(0) };

    let departs = "insert into working.departures values ($1, 1)";
    admin.execute(departs, &[&bob.0]).await.unwrap();

    admin.batch_execute("begin").await.unwrap();
    let before = read().await;
    let (limit, skip) = (256_i64, 0_i64);
    let departed = include_str!("../departed.sql");
    let found = admin.query(departed, &[&limit, &skip]).await.unwrap().len();
    let after = read().await;

    assert_eq!(found, 1);
    assert!((1..20).contains(&(after - before)), "{} rows read", after - before);
}

/// The reader of the memberships has parked this workspace before it read anything of it.
async fn park(admin: &tokio_postgres::Client, workspace: WorkspaceId) {
    let park =
        "insert into readers.parked (reader, version, generation, stream_id, from_position, error)
        values ('memberships', 1, 1, $1, 1, '')";
    admin.execute(park, &[&workspace.0]).await.unwrap();
    let hidden = "delete from read_models.memberships where workspace_id = $1";
    admin.execute(hidden, &[&workspace.0]).await.unwrap();
}

#[tokio::test]
async fn a_departure_stays_while_a_membership_may_not_be_shown_yet() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let (ada, bob) = (AccountId(app.ids.uuid()), AccountId(app.ids.uuid()));
    let workspace = shared(&app, ada, bob).await;
    project(&app).await;
    let fence = raise_fence(&app, SubjectKind::Account, bob.into()).await.unwrap();
    let admin = connect_one(&harness.databases.log_url, &ConnectOptions::default()).await.unwrap();
    park(&admin, workspace).await;

    remove_departed(app.clone()).await.unwrap();
    assert_eq!(count(&app, OUTSTANDING).await, 1, "its stream is parked");

    admin.batch_execute("delete from readers.parked").await.unwrap();
    let finish = include_str!("../finish_departures.sql");
    admin.execute(finish, &[&(fence - 1)]).await.unwrap();
    assert_eq!(count(&app, OUTSTANDING).await, 1, "its fence is younger than what was read");

    remove_departed(app.clone()).await.unwrap();
    assert_eq!(count(&app, OUTSTANDING).await, 0);
}

/// Otherwise one that nobody mends would keep everybody who was erased since.
#[tokio::test]
async fn a_parked_stream_keeps_the_departures_of_those_who_joined_it_alone() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let [ada, bob, eve] = [(); 3].map(|()| AccountId(app.ids.uuid()));
    let (parked, other) = (shared(&app, ada, bob).await, shared(&app, ada, eve).await);
    project(&app).await;
    for erased in [bob, eve] {
        raise_fence(&app, SubjectKind::Account, erased.into()).await.unwrap();
    }
    let admin = connect_one(&harness.databases.log_url, &ConnectOptions::default()).await.unwrap();
    park(&admin, parked).await;

    remove_departed(app.clone()).await.unwrap();
    assert_eq!((members(&app, parked).await, members(&app, other).await), (2, 1));
    project(&app).await;
    remove_departed(app.clone()).await.unwrap();

    let kept = "select account_id from working.departures";
    let kept = admin.query(kept, &[]).await.unwrap();
    let kept: Vec<AccountId> = kept.iter().map(|row| AccountId(row.get(0))).collect();
    assert_eq!(kept, [bob]);
}

#[tokio::test]
async fn a_parked_join_that_does_not_say_whose_it_is_keeps_every_departure() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let [ada, bob, eve] = [(); 3].map(|()| AccountId(app.ids.uuid()));
    let workspace = shared(&app, ada, bob).await;
    project(&app).await;
    raise_fence(&app, SubjectKind::Account, eve.into()).await.unwrap();
    let admin = connect_one(&harness.databases.log_url, &ConnectOptions::default()).await.unwrap();
    park(&admin, workspace).await;
    let damage = "update event_log.events set data = '{}'
        where event_type = 'workspace.member_joined' and data ->> 'account' = $1";
    admin.batch_execute("set session_replication_role = replica").await.unwrap();
    assert_eq!(admin.execute(damage, &[&bob.0.to_string()]).await.unwrap(), 1);

    remove_departed(app.clone()).await.unwrap();

    assert_eq!(count(&app, OUTSTANDING).await, 1);
}

#[tokio::test]
async fn a_departure_stays_while_a_workspace_is_not_shown() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let (ada, bob) = (AccountId(app.ids.uuid()), AccountId(app.ids.uuid()));
    shared(&app, ada, bob).await;
    project(&app).await;
    raise_fence(&app, SubjectKind::Account, bob.into()).await.unwrap();
    let admin = connect_one(&harness.databases.log_url, &ConnectOptions::default()).await.unwrap();
    admin.batch_execute("delete from read_models.workspaces_v3").await.unwrap();

    remove_departed(app.clone()).await.unwrap();
    assert_eq!(count(&app, OUTSTANDING).await, 1, "a missing row says nothing");

    admin.batch_execute("delete from read_models.memberships").await.unwrap();
    remove_departed(app.clone()).await.unwrap();
    assert_eq!(count(&app, OUTSTANDING).await, 0);
}

#[tokio::test]
async fn what_acts_for_an_erased_person_ends_also_where_the_workspace_is_being_deleted() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let workspace = WorkspaceId(app.ids.uuid());
    let name = Personal::Clear(Label::parse("Engines").unwrap());
    order(&app, workspace, WorkspaceCommand::Create { name, owner: ada }).await;
    let (_, secret) = super::holdings::issue(&app, ada, workspace).await;
    react(&app, &WorkspaceRows::new(&app)).await.unwrap();
    let (now, due) = (app.clock.now(), app.clock.now() + TimeDelta::days(7));
    order(
        &app,
        workspace,
        WorkspaceCommand::RequestDeletion { by: ada, now, due, requested_before: vec![] },
    )
    .await;
    project(&app).await;
    raise_fence(&app, SubjectKind::Account, ada.into()).await.unwrap();

    remove_departed(app.clone()).await.unwrap();

    let loaded = app.executor.load::<Workspace>(workspace.into(), workspace.0).await.unwrap();
    let live = loaded.state.live().unwrap();
    assert!(live.tokens.is_empty(), "{:?}", live.tokens);
    assert_eq!(live.deletion.unwrap().due, due);
    react(&app, &WorkspaceRows::new(&app)).await.unwrap();
    assert_eq!(app.api_tokens.find(&secret).await.unwrap(), None);
    let departed = include_str!("../departed.sql");
    let found = app.pool.get().await.unwrap().query(departed, &[&9_i64, &0_i64]).await.unwrap();
    assert!(found.is_empty(), "nothing is left to do");
}

/// Nobody is left who could revoke them.
#[tokio::test]
async fn the_tokens_of_service_accounts_end_with_the_last_person_of_a_workspace_that_is_being_deleted()
 {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let workspace = founded(&app, ada).await;
    let secret = super::holdings::issue_for_service_account(&app, ada, workspace).await;
    react(&app, &WorkspaceRows::new(&app)).await.unwrap();
    let (now, due) = (app.clock.now(), app.clock.now() + TimeDelta::days(7));
    order(
        &app,
        workspace,
        WorkspaceCommand::RequestDeletion { by: ada, now, due, requested_before: vec![] },
    )
    .await;
    project(&app).await;
    assert!(app.api_tokens.find(&secret).await.unwrap().is_some());
    raise_fence(&app, SubjectKind::Account, ada.into()).await.unwrap();

    remove_departed(app.clone()).await.unwrap();

    let loaded = app.executor.load::<Workspace>(workspace.into(), workspace.0).await.unwrap();
    assert!(loaded.state.live().unwrap().tokens.is_empty());
    react(&app, &WorkspaceRows::new(&app)).await.unwrap();
    assert_eq!(app.api_tokens.find(&secret).await.unwrap(), None);
}

#[tokio::test]
async fn the_first_heir_who_stays_inherits_and_where_there_is_none_nobody_does() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = AccountId(app.ids.uuid());
    let bob = register(&app, "bob@example.org").await.account;
    let eve = register(&app, "eve@example.org").await.account;
    let (inherited, restricted) = (founded(&app, ada).await, founded(&app, ada).await);
    for (workspace, heirs) in [(inherited, vec![bob, eve]), (restricted, vec![bob])] {
        join(&app, (workspace, ada), bob, Role::Admin).await;
        join(&app, (workspace, ada), eve, Role::Admin).await;
        for by in heirs {
            order(&app, workspace, WorkspaceCommand::AgreeSuccession { by }).await;
        }
    }
    let now = app.clock.now();
    let leaves = AccountCommand::RequestErasure { now, due: now + TimeDelta::days(7) };
    ask(&app, bob, None, leaves).await.unwrap();
    project(&app).await;
    raise_fence(&app, SubjectKind::Account, ada.into()).await.unwrap();

    for _ in 0..2 {
        remove_departed(app.clone()).await.unwrap();
    }

    let load = async |of: WorkspaceId| {
        app.executor.load::<Workspace>(of.into(), of.0).await.unwrap().state
    };
    let (of_eve, of_nobody) = (load(inherited).await, load(restricted).await);
    assert_eq!(of_eve.role_of(eve), Some(Role::Owner));
    assert_eq!((of_eve.role_of(bob), of_eve.role_of(ada)), (Some(Role::Admin), None));
    assert!(of_nobody.live().unwrap().is_restricted());
    let types = event_types(&app, restricted.0).await;
    assert_eq!(types.last().unwrap(), "workspace.restricted");
    assert_eq!(types.iter().filter(|event| *event == "workspace.restricted").count(), 1);
    // Bob stays after all, and has agreed.
    ask(&app, bob, None, AccountCommand::CancelErasure { now }).await.unwrap();
    order(&app, restricted, WorkspaceCommand::AgreeSuccession { by: bob }).await;
    assert_eq!(load(restricted).await.role_of(bob), Some(Role::Owner));
}
