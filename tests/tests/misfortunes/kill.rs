//! kill -9 at random moments under load: nothing that was answered is lost, nothing is done twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use infra::ids::Ids;
use infra::log::status;
use infra::postgres::{ConnectOptions, Pool, connect};
use serde_json::json;
use tests::{Answer, Behaviour, Client, Installation, Person, Smtp, until};
use tokio::sync::mpsc;
use uuid::Uuid;

/// Two hundred with `LETHE_LONG=1`.
fn kills() -> u32 {
    if tests::long() { 200 } else { 12 }
}

const CALLERS: u32 = 3;
/// Answers after which a node is killed, at most.
const ANSWERS_MAX: u64 = 24;
const PROJECTIONS: [&str; 3] = ["accounts", "sessions", "audit_trail"];

/// The requests, and their answers.
#[derive(Default)]
struct Book {
    /// The account of each request that was answered with a position.
    answered: BTreeMap<Uuid, Uuid>,
    /// Registrations without an answer, by their key.
    open: BTreeMap<String, Person>,
    people: BTreeSet<String>,
}

type Shared = Arc<Mutex<Book>>;

/// Who is signed in all the time.
#[derive(Clone)]
struct Ada {
    account: Uuid,
    token: String,
}

async fn register(client: &Client, key: &str, person: &Person) -> Result<Answer, reqwest::Error> {
    let body = json!({
        "email": person.email, "name": person.name, "username": person.username,
        "password": person.password,
    });
    let call = client.call(reqwest::Method::POST, "/v1/accounts");
    call.header("Idempotency-Key", key).json(body).try_send().await
}

/// Registers people and changes a consent, until the node is gone. Tells of each answer.
async fn load(caller: String, base: Client, ada: Ada, book: Shared, tell: mpsc::Sender<()>) {
    let path = "/v1/me/consents/product_news";
    let signed_in = base.bearing(&ada.token);
    for turn in 0_u32.. {
        let person = Person::named(&format!("{caller}-{turn}"));
        let key = format!("registration-{caller}-{turn}");
        {
            let mut book = book.lock().unwrap();
            book.people.insert(person.email.clone());
            book.open.insert(key.clone(), person.clone());
        }
        let Ok(answer) = register(&base, &key, &person).await else { return };
        if answer.status == 201 {
            let mut book = book.lock().unwrap();
            book.open.remove(&key);
            book.answered.insert(answer.request(), answer.field("/account_id").parse().unwrap());
        }
        let _ = tell.send(()).await;
        let consent = signed_in.call(reqwest::Method::PUT, path);
        let consent = consent.json(json!({ "policy_version": turn + 1 })).try_send().await;
        let Ok(answer) = consent else { return };
        // The same consent again, from another caller, needs no event and has no position.
        if answer.status == 200 && answer.header("lethe-position").is_some() {
            book.lock().unwrap().answered.insert(answer.request(), ada.account);
        }
    }
}

/// Serves under load until a random moment, then kills.
async fn life(installation: &Installation, number: u32, ada: &Ada, book: &Shared) {
    let lethe = installation.node().await;
    let base = lethe.client();
    let (tell, mut answers) = mpsc::channel(64);
    let callers = (0..CALLERS).map(|caller| {
        let caller = format!("k{number}-{caller}");
        tokio::spawn(load(caller, base.clone(), ada.clone(), Arc::clone(book), tell.clone()))
    });
    let callers: Vec<_> = callers.collect();
    drop(tell);
    let random = Ids::system().uuid().as_u128();
    for _ in 0..u64::try_from(random % u128::from(ANSWERS_MAX)).unwrap() {
        answers.recv().await;
    }
    // Somewhere between two steps of the requests that are under way.
    for _ in 0..(random >> 16) % 500 {
        tokio::task::yield_now().await;
    }
    lethe.kill();
    drop(answers);
    for caller in callers {
        caller.await.unwrap();
    }
}

async fn caught_up(pool: &Pool) {
    until("every reader has read everything", async || {
        let readers = status(pool).await.ok()?;
        readers.iter().all(|reader| reader.lag_events == 0 && reader.parked == 0).then_some(())
    })
    .await;
}

async fn numbers(pool: &Pool, sql: &str) -> Vec<i64> {
    let row = pool.get().await.unwrap().query_one(sql, &[]).await.unwrap();
    (0..row.len()).map(|column| row.get(column)).collect()
}

async fn checksums(pool: &Pool) -> Vec<String> {
    let client = pool.get().await.unwrap();
    let mut sums = Vec::new();
    for table in PROJECTIONS.iter().filter_map(|name| projections::named(name)?.view()) {
        let sql = format!(
            "select md5(coalesce(string_agg(of::text, e'\\n' order by of::text), '')) \
             from {table} of"
        );
        sums.push(client.query_one(&sql, &[]).await.unwrap().get(0));
    }
    sums
}

/// Dense, without a gap in any stream, and with everything that was answered.
async fn is_whole(pool: &Pool, book: &Book) {
    let dense = "select count(*), coalesce(max(position), 0) from event_log.events";
    let dense = numbers(pool, dense).await;
    assert_eq!(dense[0], dense[1], "the log has a hole");
    let gaps = "select count(*) from (select from event_log.events group by stream_id \
                having count(*) <> max(version)) of";
    assert_eq!(numbers(pool, gaps).await, [0]);
    let client = pool.get().await.unwrap();
    let sql = "select distinct tenant_id from event_log.events where request = $1";
    for (request, account) in &book.answered {
        let found = client.query_opt(sql, &[request]).await.unwrap();
        let found: Option<Uuid> = found.map(|row| row.get(0));
        assert_eq!(found.as_ref(), Some(account), "request {request} was answered");
    }
    let once = "select count(*) from event_log.events where event_type = 'account.registered'";
    let people = i64::try_from(book.people.len()).unwrap();
    assert_eq!(numbers(pool, once).await, [people], "each registration is done once");
}

/// No cause is mailed twice; what was not taken is known to be unsent, or not known at all.
async fn are_mailed_once(pool: &Pool, smtp: &mut Smtp, book: &Book) {
    until("no mail waits", async || {
        let waiting = "select count(*) from working.outbox where state = 'queued'";
        (numbers(pool, waiting).await == [0]).then_some(())
    })
    .await;
    let counts = "select count(*) filter (where state = 'sent'), count(*) from working.outbox";
    let counts = numbers(pool, counts).await;
    // What was taken may be shown a moment later; what was not is waited for in vain.
    let sent = usize::try_from(counts[0]).unwrap();
    let mut taken = BTreeSet::new();
    while taken.len() < sent || smtp.taken() > 0 {
        let mail = smtp.next().await;
        assert!(taken.insert(mail.to.clone()), "two mails for one cause");
    }
    let people = book.people.len();
    assert_eq!(counts[1], i64::try_from(people).unwrap(), "each cause has its mail");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_under_load_lethe_loses_and_repeats_nothing() {
    let _alone = tests::alone().await;
    let mut smtp = Smtp::start(Behaviour::Accept).await;
    let installation = Installation::private(&[("smtp_url", &smtp.url())]);
    let book = Shared::default();
    let first = installation.node().await;
    let person = Person::named("ada");
    let account = person.register(&first.client()).await.parse().unwrap();
    let token = person.try_sign_in(&first.client()).await.expect(201).field("/token");
    let ada = Ada { account, token };
    book.lock().unwrap().people.insert(person.email);
    first.kill();

    let since = Instant::now();
    for number in 0..kills() {
        life(&installation, number, &ada, &book).await;
    }

    let last = installation.node().await;
    let open = std::mem::take(&mut book.lock().unwrap().open);
    for (key, person) in open {
        // Its events may be of the request that had no answer.
        register(&last.client(), &key, &person).await.unwrap().expect(201).position();
    }
    let (kills, took) = (kills(), since.elapsed());
    let answered = book.lock().unwrap().answered.len();
    eprintln!("{answered} answers stand in the log after {kills} times kill -9 in {took:.1?}");
    let pool = connect(&installation.log_url(), &ConnectOptions::default()).await.unwrap();
    caught_up(&pool).await;
    let book = std::mem::take(&mut *book.lock().unwrap());
    is_whole(&pool, &book).await;
    are_mailed_once(&pool, &mut smtp, &book).await;
    let live = checksums(&pool).await;
    for projection in PROJECTIONS {
        let replayed = installation.run(&["replay", projection]).await;
        assert!(replayed.status.success(), "{replayed:?}");
    }
    assert_eq!(checksums(&pool).await, live, "a projection is what a replay from zero makes");
    assert!(last.stop().await.success());
}
