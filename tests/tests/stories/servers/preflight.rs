//! What a check says of servers on which no run starts, or where one is worse.

use serde_json::{Value, json};
use test_support::{HomeDisk, LoginShell, Machine, MachineOptions, MachineUser};
use tests::{Harness, Person, results, until};

use super::set_up_with;

/// Whom `sudo` lets become nobody.
const USER: MachineUser = MachineUser::Plain;

/// The check of a machine that lets Lethe in. `None` where such tests are left out.
async fn check(harness: &Harness, options: &MachineOptions) -> Option<Value> {
    let machine = Machine::start(options)?;
    let server = harness.register_server(machine.port(), USER.name()).await;
    harness.check_server(&server).await;
    let fingerprint = machine.host_key_fingerprint().unwrap();
    let password = Person::named("ada").password;
    let approval = json!({ "fingerprint": fingerprint, "password": password });
    harness.approve_host_key(&server, approval).await.expect(200);
    machine.authorize(&harness.generate_credential(&server).await).unwrap();
    let looked = until("there was time to look", async || {
        let checked = harness.try_check_server(&server).await;
        if checked["preflight"].is_array() { Ok(checked) } else { Err(checked) }
    });
    Some(looked.await)
}

/// The facts that are not so: each says why, and what can be done.
fn wrong(checked: &Value) -> Vec<&str> {
    let mut wrong = vec![];
    for fact in checked["preflight"].as_array().unwrap() {
        let is_wrong = fact["ok"] == false;
        assert_eq!(
            (fact["cause"].is_string(), fact["cure"].is_string()),
            (is_wrong, is_wrong),
            "{fact}"
        );
        wrong.extend(is_wrong.then(|| fact["fact"].as_str().unwrap()));
    }
    wrong
}

#[tokio::test]
async fn a_check_names_what_runs_lack_on_a_server_and_what_can_be_done() {
    let more =
        [("checks_per_minute", "600"), ("sign_ins_per_minute", "600"), ("monitor_seconds", "0")];
    let harness = set_up_with(&more).await;
    let kind = MachineOptions::default();
    let lacking =
        |programme: &str| MachineOptions { lacks: vec![programme.to_owned()], ..kind.clone() };
    let forced = "ForceCommand echo hi".to_owned();
    let rows: [(MachineOptions, &[&str], &str, bool); 6] = [
        (kind.clone(), &["sudo"], "ok", true),
        (
            MachineOptions { hides_processes: true, ..kind.clone() },
            &["visible_processes", "sudo"],
            "ok",
            true,
        ),
        (lacking("setsid"), &["setsid"], "ok", false),
        (
            MachineOptions { home: HomeDisk::Full, ..kind.clone() },
            &["home_space", "sudo"],
            "ok",
            false,
        ),
        (MachineOptions { config: forced, ..kind.clone() }, &["shell"], "ok", false),
        (
            MachineOptions { shell: LoginShell::Nologin, ..kind.clone() },
            &["shell"],
            "failed",
            false,
        ),
    ];
    for (options, lacks, command, ok) in rows {
        let Some(checked) = check(&harness, &options).await else { return };
        assert_eq!(wrong(&checked), lacks, "{options:?}: {checked}");
        assert_eq!(results(&checked), ["ok", "ok", "ok", "ok", command], "{options:?}");
        assert_eq!(checked["ok"], ok, "{options:?}: {checked}");
        let facts = checked["preflight"].as_array().unwrap();
        let is_blocked = facts.iter().any(|fact| fact["needed"] == true && fact["ok"] == false);
        assert_eq!((is_blocked, checked["detail"].is_string()), (!ok, !ok), "{checked}");
    }
}
