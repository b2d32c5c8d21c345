//! Every limit of how often one may ask, where it is asked for: reached, refused with the time to come
//! again, and not for others. That a limit is free again by the clock is shown beside the limits.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tests::{Answer, Client, Installation, Person, create_workspace};

use super::tenant::issue_token;

/// More than any limit lets through at once.
const TURNS: u8 = 20;
/// Of a site whose pages may use the API.
const ORIGIN: &str = "https://app.example";

/// What is limited, and by which setting.
const CASES: [(&str, &str); 17] = [
    ("requests of a network", "address_requests_per_second"),
    ("preflights of a network", "address_requests_per_second"),
    ("requests of a session", "account_requests_per_second"),
    ("requests of a token", "account_requests_per_second"),
    ("requests of an operator", "operator_requests_per_second"),
    ("sign-ins of a network", "sign_ins_per_minute"),
    ("sign-ins to an address", "sign_ins_per_minute"),
    ("passwords of a session", "sign_ins_per_minute"),
    ("links for a password", "sign_ins_per_minute"),
    ("registrations", "registrations_per_hour"),
    ("resets for a network", "mails_per_hour"),
    ("resets of an address", "mails_per_hour"),
    ("links to verify", "mails_per_hour"),
    ("invitations", "mails_per_hour"),
    ("other addresses", "mails_per_hour"),
    ("checks of a server", "checks_per_minute"),
    ("credentials of a server", "checks_per_minute"),
];

/// Somebody with a workspace, a token and a server, an operator's token, and with a network of their own.
struct Caller {
    number: u8,
    password: String,
    session: Client,
    token: Client,
    operator: Client,
    workspace: String,
    server: String,
}

impl Caller {
    async fn new(installation: &Installation, client: &Client, number: u8) -> Self {
        let person = Person::named(&format!("caller{number}"));
        let session = person.settle(client, installation).await;
        let workspace = create_workspace(&session, "Engines").await;
        let (_, secret) = issue_token(&session, &workspace, &["workspace:read"]).await;
        let place = json!({ "name": "web", "host": "127.0.0.1", "port": 22, "user": "u" });
        let created = session.post_once(&format!("{workspace}/servers"), place).await.expect(201);
        let server = created.header("location").unwrap().to_owned();
        let token = client.bearing(&secret);
        let operator = client.bearing(&installation.operator_with("audit").await);
        Self { number, password: person.password, session, token, operator, workspace, server }
    }

    /// At this node, from the network of this caller or from one of this turn's own.
    async fn ask(&self, node: &Client, case: usize, turn: u8) -> Answer {
        let what = CASES[case].0;
        let own = format!("10.{case}.{}.1", self.number);
        let other = format!("11.{case}.{}.{turn}", self.number);
        let from = |client: &Client, network: &str| {
            client.at(node.base()).saying("X-Forwarded-For", network)
        };
        let (anybody, elsewhere) = (from(node, &own), from(node, &other));
        let (session, moving) = (from(&self.session, &own), from(&self.session, &other));
        let unknown = format!("{what}.{}.{turn}@example.org", self.number).replace(' ', ".");
        let known = format!("known.{case}.{}@example.org", self.number);
        let sign_in = |email: &str| json!({ "email": email, "password": "not the right one" });
        match what {
            "requests of a network" => anybody.get("/v1/roles").await,
            "preflights of a network" => {
                let page = anybody.saying("Origin", ORIGIN);
                let page = page.saying("Access-Control-Request-Method", "GET");
                page.call(Method::OPTIONS, "/v1/roles").send().await
            }
            "requests of a session" => moving.get("/v1/me/sessions").await,
            "requests of a token" => from(&self.token, &other).get(&self.workspace).await,
            // Also where the scope does not reach so far.
            "requests of an operator" => from(&self.operator, &other).get("/v1/admin/tokens").await,
            "sign-ins of a network" => anybody.post("/v1/sessions", sign_in(&unknown)).await,
            "sign-ins to an address" => elsewhere.post("/v1/sessions", sign_in(&known)).await,
            "passwords of a session" => {
                let body = json!({ "current": "not the right one", "new": "another password" });
                moving.put("/v1/me/password", "*", body).await
            }
            "links for a password" => {
                let body = json!({ "token": "no such link", "password": "another password" });
                anybody.post("/v1/password-resets/completions", body).await
            }
            "registrations" => {
                let person = Person { email: unknown, ..Person::named("somebody") };
                person.try_register(&anybody).await
            }
            "resets for a network" => {
                anybody.post("/v1/password-resets", json!({ "email": unknown })).await
            }
            "resets of an address" => {
                elsewhere.post("/v1/password-resets", json!({ "email": known })).await
            }
            "links to verify" => moving.post("/v1/me/email-verification", json!({})).await,
            "invitations" => {
                let body = json!({ "email": unknown, "role": "viewer" });
                session.post(&format!("{}/invitations", self.workspace), body).await
            }
            "other addresses" => {
                let body = json!({ "email": known, "password": self.password });
                moving.put("/v1/me/email", "*", body).await
            }
            "checks of a server" => moving.post(&format!("{}/check", self.server), json!({})).await,
            "credentials of a server" => {
                let place = format!("{}/credential", self.server);
                moving.put(&place, "*", json!({ "generate": true })).await
            }
            other => panic!("{other} is not known here"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_limit_is_reached_where_it_is_asked_for_and_stops_nobody_else() {
    let installation = Installation::with(&[("monitor_seconds", "0")]).await;
    let wide = installation.node().await;
    let client = wide.client();
    let mut callers = Vec::new();
    for number in 1..=8 {
        callers.push(Caller::new(&installation, &client, number).await);
    }
    let settings: std::collections::BTreeSet<_> = CASES.iter().map(|case| case.1).collect();
    for setting in settings {
        let settings = [(setting, "1"), ("trusted_proxies", "1"), ("cors_origins", ORIGIN)];
        let node = installation.node_with(&settings).await;
        let node = (node.client(), node);
        let cases = CASES.iter().enumerate().filter(|(_, case)| case.1 == setting);
        for (case, (what, _)) in cases {
            // Checks and credentials are one limit of an account.
            let first = if what.starts_with("credentials") { 2 } else { 0 };
            let (limited, others) = (&callers[first..first + 2], &callers[first + 4..first + 6]);
            let mut answers = answers(&limited[0], &node.0, case).await;
            if all_refused(&answers) {
                answers = self::answers(&limited[1], &node.0, case).await;
            }
            assert!(!all_refused(&answers), "{what}: all are refused");
            let late = answers.iter().find(|answer| answer.status == 429);
            let late = late.unwrap_or_else(|| panic!("{what}: {TURNS} are let through"));
            assert_eq!(late.field("/type"), "/problems/too-many-requests", "{what}");
            let wait: u64 = late.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=3600).contains(&wait), "{what}: {wait}");
            let mut answers = Vec::new();
            for other in others {
                answers.push(other.ask(&node.0, case, TURNS).await);
            }
            assert!(!all_refused(&answers), "{what}: others: {}", answers[0].text());
            for other in &answers {
                assert!(other.status < 500, "{what}: another: {}", other.text());
            }
        }
    }
}

/// What a caller is answered who asks until the limit is reached. Of those that come at once at least
/// one is let through, and one is not, however slowly each is answered.
async fn answers(limited: &Caller, node: &Client, case: usize) -> Vec<Answer> {
    let (what, setting) = CASES[case];
    let mut answers = Vec::new();
    if setting.ends_with("_per_second") {
        answers = join_all((0..TURNS).map(|turn| limited.ask(node, case, turn))).await;
    } else {
        for turn in 0..TURNS {
            answers.push(limited.ask(node, case, turn).await);
            if answers.last().is_some_and(|answer| answer.status == 429) {
                break;
            }
        }
    }
    for answer in &answers {
        assert!(answer.status < 500, "{what}: {} {}", answer.status, answer.text());
    }
    answers
}

#[tokio::test]
async fn a_body_that_does_not_fit_costs_no_registration() {
    let installation = Installation::with(&[("registrations_per_hour", "1")]).await;
    let node = installation.node().await;
    let client = node.client();

    for _ in 0..30 {
        client.post("/v1/accounts", json!({ "email": "ada" })).await.expect(422);
    }

    Person::named("ada").try_register(&client).await.expect(201);
    Person::named("bob").try_register(&client).await.expect(429);
}

#[tokio::test]
async fn whoever_guesses_from_one_network_does_not_lock_the_owner_out() {
    let settings = [("trusted_proxies", "1"), ("sign_ins_per_minute", "10")];
    let installation = Installation::with(&settings).await;
    let node = installation.node().await;
    let from = |network: &str| node.client().saying("X-Forwarded-For", network);
    let ada = Person::named("ada");
    ada.register(&from("192.0.2.1")).await;
    let guess = Person { password: "not hers at all".to_owned(), ..ada.clone() };

    for _ in 0..10 {
        guess.try_sign_in(&from("198.51.100.7")).await.expect(401);
    }

    // One more is free every six seconds, however slowly each is answered.
    let mut last = guess.try_sign_in(&from("198.51.100.7")).await;
    for _ in 0..TURNS {
        if last.status == 401 {
            last = guess.try_sign_in(&from("198.51.100.7")).await;
        }
    }
    last.expect(429);
    ada.try_sign_in(&from("192.0.2.1")).await.expect(201);
}

fn all_refused(answers: &[Answer]) -> bool {
    answers.iter().all(|answer| answer.status == 429)
}

/// How often each limit is asked below this folder.
fn count_calls(folder: &Path, counts: &mut BTreeMap<String, usize>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            count_calls(&path, counts);
        } else if !path.ends_with("http/rate_limits.rs") && !path.ends_with("rate_limits/tests.rs")
        {
            let text = fs::read_to_string(&path).unwrap().replace(char::is_whitespace, "");
            for call in text.split("limits.").skip(1) {
                let asked = call.split_once('(').map(|(limit, _)| limit);
                // A number is computed with there, and no limit is asked.
                if let Some(limit) = asked.filter(|limit| !limit.contains('.')) {
                    *counts.entry(limit.to_owned()).or_default() += 1;
                }
            }
        }
    }
}

#[test]
fn every_place_that_asks_a_limit_has_a_case() {
    let mut counts = BTreeMap::new();
    let sources = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../services/src"));
    count_calls(sources, &mut counts);

    // One more, or a limit of another name, needs a case above.
    let known = [
        ("account", 3),
        ("account_search", 1),
        ("hash_queue", 1),
        ("link", 1),
        ("mail", 4),
        ("make_known", 1),
        ("operator", 1),
        ("registration", 1),
        ("request", 2),
        ("server_check", 2),
        ("sign_in", 1),
        ("signed_in", 1),
        ("step_up", 1),
    ];
    assert_eq!(counts, known.map(|(limit, calls)| (limit.to_owned(), calls)).into());
}
