//! Behind `PgBouncer` in transaction mode: what it must keep, and the story through it.

use infra::postgres::{ConnectOptions, connect_one};
use serde_json::json;
use test_support::server_folder;
use tests::{Installation, Person, PgBouncer, database_of, is_pooled, until};

/// Else a run of all stories through `PgBouncer` (`LETHE_POOLED=1`) would say nothing.
#[tokio::test]
async fn a_node_goes_through_the_proxy_in_a_pooled_run() {
    let installation = Installation::new().await;
    let lethe = installation.node().await;

    // The role that the proxy logs in as, and nobody else.
    let through = "select bool_or(usename = 'pooled') from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    let row = installation.log().await.query_one(through, &[]).await.unwrap();

    assert_eq!(row.get::<_, Option<bool>>(0), Some(is_pooled()));
    assert!(lethe.stop().await.success());
}

/// An installation whose requests go through `PgBouncer` as a role of their own.
struct Pooled {
    installation: Installation,
    proxy: PgBouncer,
}

impl Pooled {
    async fn new(prepared_max: u32) -> Self {
        let own = Installation::new().await;
        let database = database_of(&own.log_url());
        let role = format!("pooled_{database}");
        let make = format!("create role {role} login; grant lethe_app to {role}");
        own.log().await.batch_execute(&make).await.unwrap();
        let proxy = PgBouncer::start(&server_folder().await.unwrap(), &role, prepared_max).await;
        let url = proxy.url(&database);
        let direct = own.log_url();
        let installation =
            own.and(&[("database_url", url.as_str()), ("direct_url", direct.as_str())]);
        Self { installation, proxy }
    }

    /// What a start is refused with.
    async fn refused(&self) -> String {
        let log = self.installation.try_node().await.err().expect("a refused start");
        log.lines().last().unwrap_or_default().to_owned()
    }

    /// The sessions that the proxy has still have the old settings. Waits until they are over.
    async fn end_sessions(&self) {
        let end = "select pg_terminate_backend(pid, 60000) from pg_stat_activity
            where usename like 'pooled%' and datname = current_database()";
        let ended = self.installation.log().await.query(end, &[]).await.unwrap();
        assert!(ended.iter().all(|ended| ended.get(0)), "a session goes on");
    }

    async fn doctor(&self) -> String {
        let doctor = self.installation.run(&["doctor"]).await.stdout;
        String::from_utf8_lossy(&doctor).into_owned()
    }

    /// Runs the statements that a refused start names.
    async fn set(&self) {
        let refused = self.refused().await;
        let statements: Vec<&str> = refused
            .split_inclusive(';')
            .filter_map(|part| part.find("alter role").map(|at| &part[at..]))
            .collect();
        assert_eq!(statements.len(), 5, "{refused}");
        self.installation.log().await.batch_execute(&statements.concat()).await.unwrap();
    }
}

#[tokio::test]
async fn a_proxy_without_role_and_limits_is_refused_with_the_statements_that_set_them() {
    let pooled = Pooled::new(100).await;

    pooled.set().await;

    let doctor = pooled.doctor().await;
    assert!(doctor.contains("WRONG  the events' database: sessions through the proxy"), "{doctor}");
    pooled.end_sessions().await;
    let lethe = pooled.installation.node().await;
    let ada = Person::named("ada");
    let signed_in = ada.settle(&lethe.client(), &pooled.installation).await;
    for number in 0..40 {
        let name = json!({ "name": format!("Engines {number}") });
        signed_in.post("/v1/workspaces", name).await.expect(201);
        until("it is ready", async || {
            let ready = lethe.client().get("/readyz").await;
            let database = lethe.readiness().await["database"].as_str().unwrap().to_owned();
            // What a proxy loses stays lost; a busy machine is slow now and then.
            assert!(database == "ok" || database.starts_with("no answer within"), "{database}");
            if ready.status == 200 { Ok(()) } else { Err(ready.text()) }
        })
        .await;
    }
    until("the read side has them all", async || {
        let listed = signed_in.get("/v1/workspaces?limit=100").await.expect(200).json();
        listed["items"].as_array().is_some_and(|items| items.len() == 40).then_some(())
    })
    .await;
    let doctor = pooled.doctor().await;
    assert!(doctor.contains("ok     the proxy before the events' database keeps"), "{doctor}");
    ada.erase(&signed_in).await;
    assert!(lethe.stop().await.success());
}

#[tokio::test]
async fn a_proxy_that_loses_prepared_statements_is_refused() {
    let pooled = Pooled::new(0).await;
    pooled.set().await;
    pooled.end_sessions().await;

    let refused = pooled.refused().await;

    assert!(refused.contains("max_prepared_statements"), "{refused}");
}

#[tokio::test]
async fn a_proxy_that_is_restarted_so_that_it_loses_prepared_statements_makes_a_node_unready() {
    let mut pooled = Pooled::new(100).await;
    pooled.set().await;
    pooled.end_sessions().await;
    let lethe = pooled.installation.node().await;
    let client = lethe.client();

    pooled.proxy.restart(0).await;

    until("it is not ready, and says why", async || {
        let status = client.get("/readyz").await.status;
        let reasons = lethe.readiness().await;
        let lost = reasons["database"].as_str().unwrap().contains("prepared statement");
        if status == 503 && lost { Ok(()) } else { Err(reasons) }
    })
    .await;
    pooled.proxy.restart(100).await;
    until("it is ready again", async || {
        let answer = client.get("/readyz").await;
        if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
}

#[tokio::test]
async fn a_proxy_that_leads_to_another_database_is_refused() {
    let other = Installation::new().await;
    let pooled = Pooled::new(100).await;
    let direct = other.log_url();
    let mixed_up =
        Pooled { installation: pooled.installation.and(&[("direct_url", &direct)]), ..pooled };

    let refused = mixed_up.refused().await;
    let output = mixed_up.installation.run(&["restore", "backup", "--overwrite"]).await;

    assert!(refused.contains("lead to two databases"), "{refused}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("lead to two databases"),
        "nothing is restored into the wrong one: {said}"
    );
}

#[tokio::test]
async fn a_direct_connection_has_the_role_of_its_login_whatever_is_set_for_the_proxy() {
    let own = Installation::new().await;
    let admin = own.log().await;
    let database = database_of(&own.log_url());
    let role = format!("owner_{database}");
    let make = format!(
        "create role {role} login; grant lethe_app to {role};
         alter role {role} in database {database} set role = 'lethe_app'"
    );
    admin.batch_execute(&make).await.unwrap();

    let url = format!("{} user={role}", own.log_url());
    let client = connect_one(&url, &ConnectOptions::default()).await.unwrap();

    let current: String = client.query_one("select current_user::text", &[]).await.unwrap().get(0);
    assert_eq!(current, role);
}
