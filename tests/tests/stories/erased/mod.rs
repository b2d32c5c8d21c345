//! After an erasure nothing of that person can be read anywhere, and everybody else still can be.

mod ada;

use ada::{Ada, CLIENT, IP};
use infra::residue::{Canaries, Encoding};
use serde_json::json;
use tests::{Client, Installation, Person, Place, TestServer, until};

/// The routes whose answers are searched, as an operator asks for them.
const ANSWERS: [&str; 7] = [
    "/v1/admin/projections",
    "/v1/admin/projections/accounts/generations",
    "/v1/admin/parked-streams",
    "/v1/admin/log-lock",
    "/v1/audit-events?limit=200",
    "/v1/audit/export",
    "/v1/openapi.json",
];

async fn answers(lethe: &TestServer, operator: &Client, code: Option<&str>) -> Vec<u8> {
    let mut all = operator.get(&format!("/v1/erasures/{}", code.unwrap_or("none"))).await.body;
    for path in ANSWERS {
        all.extend(operator.get_read(path).await.expect(200).body);
    }
    all.extend(Client::new("").get(lethe.metrics()).await.expect(200).body);
    all
}

async fn places(
    installation: &Installation,
    lethe: &TestServer,
    operator: &Client,
    code: Option<&str>,
) -> Vec<Place> {
    let (log, keyring) = (installation.log_url(), installation.keyring_url());
    let postgres = installation.data_dir().join("postgres");
    // Whatever stands in memory only goes to the files that are searched.
    installation.log().await.batch_execute("checkpoint").await.unwrap();
    vec![
        Place::Database { name: "the dump of the events", url: log },
        Place::Database { name: "the dump of the keyring", url: keyring },
        Place::Cluster { name: "the data directory", folder: postgres.clone() },
        Place::Cluster { name: "the WAL", folder: postgres.join("data/pg_wal") },
        Place::File { name: "PostgreSQL's log", path: postgres.join("postgres.log") },
        Place::File { name: "Lethe's log", path: lethe.log_path().to_owned() },
        Place::File { name: "what Lethe printed", path: lethe.log_path().with_extension("out") },
        Place::Folder { name: "the root keys", path: installation.root_dir() },
        Place::Bytes {
            name: "the answers and the metrics",
            bytes: answers(lethe, operator, code).await,
        },
    ]
}

#[tokio::test]
async fn after_an_erasure_nothing_of_the_person_is_left_anywhere() {
    let installation = Installation::private(&[("trusted_proxies", "1"), ("log", "debug")]);
    let lethe = installation.node().await;
    let client = lethe.client();
    let operator = client.bearing(&installation.operator().await);
    let bob = Person::named("bob");
    let bobs = bob.settle(&client, &installation).await;
    let ada = Ada::planted();
    let adas = ada.live(&client, &installation).await;
    let secrets = ada.values(&adas);
    let canaries = Canaries::new(&secrets.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();

    // While she lives, her mails and her own view of herself show her, and nothing else does.
    let mut mails = Place::Folder { name: "the mails", path: installation.mail_dir() };
    let me = Place::Bytes { name: "her own view", bytes: ada.view(&adas).await };
    assert!(mails.search(&canaries).await.has(Encoding::Raw), "the mails went nowhere");
    assert!(me.search(&canaries).await.has(Encoding::Raw), "she does not see herself");
    for place in places(&installation, &lethe, &operator, None).await {
        place.search(&canaries).await.is_clean("while she lives");
    }

    let code = ada.erase(&adas).await;

    assert!(!mails.search(&canaries).await.has(Encoding::Raw), "her mails are still there");
    let mut places = places(&installation, &lethe, &operator, Some(&code)).await;
    let disk = Place::Folder { name: "the disk", path: installation.folder().to_owned() };
    for place in places.iter().filter(|place| !place.is_on_disk()).chain([&disk]) {
        place.search(&canaries).await.is_clean("after the erasure");
    }

    // She is gone, and nobody else is.
    adas.get("/v1/me").await.expect(401);
    ada.person.try_sign_in(&client).await.expect(401);
    assert_eq!(bobs.get("/v1/me").await.expect(200).field("/email"), bob.email);
    let again = bob.sign_in(&client).await;
    assert_eq!(again.get("/v1/me").await.expect(200).field("/name"), bob.name);
    certificate(&client, &code).await;

    // The search is one that finds: each form, planted in each place.
    for place in places.iter_mut().chain([&mut mails]) {
        place.plant(&canaries).await;
        place.search(&canaries).await.is_complete(&canaries);
    }
}

async fn certificate(client: &Client, code: &str) {
    let certificate = client.get(&format!("/v1/erasures/{code}")).await.expect(200);
    assert!(["completed", "backup_proven"].contains(&certificate.field("/state").as_str()));
}

#[tokio::test]
async fn the_address_of_an_erased_person_is_free_again_for_a_new_one() {
    let installation = Installation::new().await;
    let lethe = installation.node().await;
    let client = lethe.client();
    let ada = Person::named("ada");
    let first = ada.register(&client).await;
    ada.verify(&client, &installation).await;
    let signed_in = ada.sign_in(&client).await;
    ada.try_register(&client).await.expect(409);

    ada.erase(&signed_in).await;

    let second = ada.register(&client).await;
    assert_ne!(first, second, "a person who comes back is a new subject");
    let returned = ada.sign_in(&client).await;
    let me = until("the new account is there", async || {
        let me = returned.get("/v1/me").await;
        (me.status == 200).then_some(me)
    });
    assert_eq!(me.await.field("/account_id"), second);
}

#[tokio::test]
async fn within_the_grace_the_person_can_come_back() {
    let installation = Installation::new().await;
    let lethe = installation.node().await;
    let client = lethe.client();
    let ada = Person::named("ada");
    let signed_in = ada.settle(&client, &installation).await;
    let asks = json!({ "password": ada.password, "grace_days": 7 });

    signed_in.ask_for_erasure(&asks).await.expect(202);

    signed_in.get("/v1/me").await.expect(401);
    let returned = ada.sign_in(&client).await;
    returned.get("/v1/me/erasure").await.expect(200);
    let cancelled = returned.delete("/v1/me/erasure").await;
    assert!((200..300).contains(&cancelled.status), "{}", cancelled.text());
    assert_eq!(returned.get("/v1/me").await.expect(200).field("/name"), ada.name);
    let from = client.saying("X-Forwarded-For", IP).saying("User-Agent", CLIENT);
    ada.sign_in(&from).await;
}
