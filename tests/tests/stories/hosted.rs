//! On a server of others, as a role that is no superuser.

use std::time::Duration;

use infra::postgres::{Cluster, ClusterOptions, ConnectOptions, binaries, connect_one};
use tempfile::TempDir;
use tests::{Installation, Person};

use crate::command_line::{done, printed};

/// Else a run of all stories as a role without superuser (`LETHE_HOSTED=1`) would say nothing.
#[tokio::test]
async fn a_node_is_no_superuser_in_a_hosted_run() {
    let installation = Installation::new().await;
    let lethe = installation.node().await;

    let superuser = "select bool_or(r.rolsuper) from pg_stat_activity a
        join pg_roles r on r.oid = a.usesysid
        where a.datname = current_database() and a.pid <> pg_backend_pid()";
    let row = installation.log().await.query_one(superuser, &[]).await.unwrap();

    assert_eq!(row.get::<_, Option<bool>>(0), Some(!test_support::is_hosted()));
    assert!(lethe.stop().await.success());
}

/// A fresh server, without any role of Lethe.
struct Hosted {
    cluster: Cluster,
    folder: TempDir,
}

impl Hosted {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let reached = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        std::fs::set_permissions(folder.path(), reached).unwrap();
        let options = ClusterOptions::default();
        let bin = binaries::find(None).unwrap();
        let dir = folder.path().join("server");
        let cluster = Cluster::start(&bin, &dir, options).await.unwrap();
        Self { cluster, folder }
    }

    async fn administer(&self, statements: &[&str]) {
        let url = self.cluster.url("postgres");
        let admin = connect_one(&url, &ConnectOptions::default()).await.unwrap();
        for statement in statements {
            admin.batch_execute(statement).await.unwrap();
        }
    }

    /// As the role `team`, on the databases `team` and `team_keys`.
    async fn installation(&self) -> Installation {
        let of = |database: &str| format!("{} user=team", self.cluster.url(database));
        let (log, keyring) = (of("team"), of("team_keys"));
        Installation::with(&[("database_url", &log), ("keyring_url", &keyring)]).await
    }

    async fn stop(self) {
        self.cluster.stop(Duration::from_mins(1)).await.unwrap();
        drop(self.folder);
    }
}

async fn a_story(installation: &Installation) {
    let lethe = installation.node().await;
    let ada = Person::named("ada");
    let signed_in = ada.settle(&lethe.client(), installation).await;
    signed_in.post("/v1/workspaces", serde_json::json!({ "name": "Engines" })).await.expect(201);
    done(installation, &["keys", "rotate"]).await;
    done(installation, &["replay", "accounts"]).await;
    assert!(!done(installation, &["doctor"]).await.contains("WRONG"));
    assert_eq!(signed_in.get("/v1/me").await.expect(200).field("/name"), ada.name);
    assert!(lethe.stop().await.success());
}

#[tokio::test]
async fn a_role_that_may_create_databases_and_roles_needs_nothing_else() {
    let hosted = Hosted::new().await;
    hosted.administer(&["create role team login createdb createrole"]).await;

    a_story(&hosted.installation().await).await;

    hosted.stop().await;
}

#[tokio::test]
async fn a_role_that_owns_its_databases_needs_createrole_for_the_first_migration_only() {
    let hosted = Hosted::new().await;
    hosted.administer(&["create role team login"]).await;
    let installation = hosted.installation().await;
    let refused = async || {
        let (code, _, errors) = printed(&installation.run(&["migrate"]).await);
        assert_eq!((code, errors.lines().count()), (Some(1), 1), "{errors}");
        errors
    };

    let without_database = refused().await;
    assert!(without_database.contains("create database \"team\" owner"), "{without_database}");
    let made = ["create database team owner team", "create database team_keys owner team"];
    hosted.administer(&made).await;
    let without_role = refused().await;
    assert!(without_role.contains("alter role \"team\" createrole"), "{without_role}");
    hosted.administer(&["alter role team createrole"]).await;
    done(&installation, &["migrate"]).await;
    hosted.administer(&["alter role team nocreaterole"]).await;

    a_story(&installation).await;

    hosted.stop().await;
}
