//! A sealed value opens in its place and in no other.

use domain::account::AccountEvent;
use domain::privacy::{AccountUsername, Username};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::super::Secret;
use super::super::crypto::Binding;
use super::super::envelope::Envelope;
use super::super::key_cache::KeySlot;
use super::super::sealed_field::open_field;
use super::super::sealed_field::seal_field;
use super::*;

/// A time at which every lease that was ever renewed goes on.
const WITHIN_LEASE: std::time::Duration = std::time::Duration::ZERO;

#[tokio::test]
async fn what_is_sealed_opens_on_every_node_and_after_a_restart() {
    let harness = Harness::new().await;
    let (one, two) = (harness.node().await, harness.node().await);
    let ada = harness.person();
    let [sealed, name] = harness.registered(&one, ada).await.unwrap();
    opened(&one, ada, &sealed).await.unwrap();
    opened(&two, ada, &sealed).await.unwrap();
    let clear = two.sealer.open::<AccountName>(ada.into(), ada.into(), &name).await.unwrap();
    assert_eq!(clear.expose(), "Ada Lovelace");
    drop((one, two));
    opened(&harness.node().await, ada, &sealed).await.unwrap();
}

#[tokio::test]
async fn the_bytes_hold_no_plaintext_and_are_new_each_time() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let ada = harness.person();
    let [first, _] = harness.registered(&node, ada).await.unwrap();
    let [second, _] = harness.registered(&node, ada).await.unwrap();
    assert_ne!(first.envelope[9..], second.envelope[9..]);
    let commitment =
        |bytes| *Envelope::parse(bytes, domain::privacy::Class::Account).unwrap().commitment;
    assert_ne!(commitment(&first.envelope), commitment(&second.envelope));
    let plain = email(ada);
    let hits = first.envelope.windows(8).any(|part| plain.expose().as_bytes().starts_with(part));
    assert!(!hits);
}

#[tokio::test]
async fn a_sealed_field_is_left_as_it_is_and_its_subject_told() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let ada = harness.person();
    let [sealed, _] = harness.registered(&node, ada).await.unwrap();
    let mut event = AccountEvent::EmailChanged { email: Personal::Sealed(sealed.clone()) };
    let subjects =
        node.sealer.seal(ada.into(), ada.0, harness.event_id(), &mut event).await.unwrap();
    assert_eq!(subjects, [SubjectId::from(ada)]);
    assert_eq!(event, AccountEvent::EmailChanged { email: Personal::Sealed(sealed) });
}

#[tokio::test]
async fn moved_to_another_tenant_person_field_or_event_it_is_damaged() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let (ada, bob) = (harness.person(), harness.person());
    let [sealed, _] = harness.registered(&node, ada).await.unwrap();
    harness.registered(&node, bob).await.unwrap();
    let (tenant, subject): (TenantId, SubjectId) = (ada.into(), ada.into());
    let of_bob = node.sealer.open::<AccountEmail>(tenant, bob.into(), &sealed).await;
    assert!(matches!(of_bob, Err(OpenError::Damaged)));
    let elsewhere = node.sealer.open::<AccountEmail>(bob.into(), subject, &sealed).await;
    assert!(matches!(elsewhere, Err(OpenError::Damaged)));
    let as_name = node.sealer.open::<AccountName>(tenant, subject, &sealed).await;
    assert!(matches!(as_name, Err(OpenError::Damaged)));
    let as_username = node.sealer.open::<AccountUsername>(tenant, subject, &sealed).await;
    assert!(matches!(as_username, Err(OpenError::Damaged)));
    let of_nobody =
        node.sealer.open::<AccountEmail>(tenant, harness.person().into(), &sealed).await;
    assert!(matches!(of_nobody, Err(OpenError::Damaged)));
    let later = Sealed { id: harness.event_id().into(), ..sealed.clone() };
    assert!(matches!(opened(&node, ada, &later).await, Err(OpenError::Damaged)));
    opened(&node, ada, &sealed).await.unwrap();
}

#[tokio::test]
async fn any_changed_bit_is_damage() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let ada = harness.person();
    let [sealed, _] = harness.login(&node, ada).await.unwrap();
    for at in 0..sealed.envelope.len() {
        let mut changed = sealed.clone();
        changed.envelope[at] ^= 1;
        let opened = opened_ip(&node, ada, &changed).await;
        assert!(matches!(opened, Err(OpenError::Damaged)), "byte {at}: {opened:?}");
    }
    for length in 0..sealed.envelope.len() {
        let mut cut = sealed.clone();
        cut.envelope.truncate(length);
        assert!(matches!(opened_ip(&node, ada, &cut).await, Err(OpenError::Damaged)));
    }
}

fn binding() -> Binding {
    let ids = Ids::seeded(3);
    Binding {
        tenant: TenantId(ids.uuid()),
        id: SealedId(ids.uuid()),
        field: 4,
        subject: SubjectId(ids.uuid()),
        class: domain::privacy::Class::Security,
        bucket: 20_000,
        generation: 1,
    }
}

#[test]
fn every_part_of_the_binding_counts() {
    let key = Secret::from_bytes([5; 32]);
    let bound = binding();
    let bytes = seal_field(&key, bound, [9; 32], &mut b"\"x\"".to_vec()).unwrap();
    let envelope = Envelope::parse(&bytes, bound.class).unwrap();
    assert!(open_field(&key, bound, envelope).is_some());
    let other = Uuid::from_u128(1);
    let others = [
        Binding { tenant: TenantId(other), ..bound },
        Binding { id: SealedId(other), ..bound },
        Binding { field: 5, ..bound },
        Binding { subject: SubjectId(other), ..bound },
        Binding { class: domain::privacy::Class::Content, ..bound },
        Binding { bucket: 20_001, ..bound },
        Binding { generation: 2, ..bound },
    ];
    for other in others {
        assert!(open_field(&key, other, envelope).is_none(), "{other:?}");
    }
    assert!(open_field(&Secret::from_bytes([6; 32]), bound, envelope).is_none());
}

#[test]
fn another_commitment_is_refused_though_the_tag_fits() {
    let key = Secret::from_bytes([5; 32]);
    let bytes = seal_field(&key, binding(), [9; 32], &mut b"\"x\"".to_vec()).unwrap();
    let envelope = Envelope::parse(&bytes, binding().class).unwrap();
    let mut commitment = *envelope.commitment;
    commitment[31] ^= 0x80;
    let other = Envelope { commitment: &commitment, ..envelope };
    assert!(open_field(&key, binding(), other).is_none());
}

#[tokio::test]
async fn a_registration_makes_one_key_and_remembers_it() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let ada = harness.person();
    harness.registered(&node, ada).await.unwrap();
    let keys = harness.count("select count(*) from keyring.keys where kind = 'subject'").await;
    assert_eq!(keys, 1);
    let slot = KeySlot::Data {
        subject: ada.into(),
        class: domain::privacy::Class::Account,
        generation: None,
        bucket: 0,
    };
    assert!(node.keys.cache.look(&[slot], WITHIN_LEASE).unwrap()[0].is_some());
}

#[tokio::test]
async fn a_key_that_is_there_is_read_without_a_lock() {
    let harness = Harness::new().await;
    let (one, two) = (harness.node().await, harness.node().await);
    let ada = harness.person();
    harness.registered(&one, ada).await.unwrap();
    let locker = "select xmax::text from keyring.roots where state = 'current'";
    let before: String = harness.sql(locker, &[]).await[0].get(0);
    harness.registered(&two, ada).await.unwrap();
    assert_eq!(harness.sql(locker, &[]).await[0].get::<_, String>(0), before);
    harness.registered(&two, harness.person()).await.unwrap();
    assert_ne!(harness.sql(locker, &[]).await[0].get::<_, String>(0), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_seal_for_a_new_person_at_once_agree_on_the_key() {
    let harness = Harness::new().await;
    let (one, two) = (harness.node().await, harness.node().await);
    for _ in 0..30 {
        let ada = harness.person();
        let (first, second) = tokio::join!(harness.login(&one, ada), harness.login(&two, ada));
        opened_ip(&two, ada, &first.unwrap()[0]).await.unwrap();
        opened_ip(&one, ada, &second.unwrap()[0]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bounded_memory_still_opens_everything() {
    let mut harness = Harness::new().await;
    harness.options.cache_max = 4;
    let node = harness.node().await;
    let mut sealed = Vec::new();
    for _ in 0..20 {
        let person = harness.person();
        let [email, _] = harness.registered(&node, person).await.unwrap();
        sealed.push((person, email));
    }
    for (person, email) in &sealed {
        opened(&node, *person, email).await.unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_are_no_envelope(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let key = Secret::from_bytes([5; 32]);
        for class in domain::privacy::Class::ALL {
            if let Some(envelope) = Envelope::parse(&bytes, class) {
                prop_assert_eq!(envelope.to_bytes(), Some(bytes.clone()));
                prop_assert!(open_field(&key, binding(), envelope).is_none());
            }
        }
    }

    #[test]
    fn any_text_comes_back(text in proptest::collection::vec(any::<u8>(), 0..2_000), salt: [u8; 32]) {
        let key = Secret::from_bytes([5; 32]);
        let bytes = seal_field(&key, binding(), salt, &mut text.clone()).unwrap();
        let envelope = Envelope::parse(&bytes, binding().class).unwrap();
        let opened = open_field(&key, binding(), envelope).unwrap();
        prop_assert_eq!(&*opened, &text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arbitrary_events_come_back() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let words = proptest::string::string_regex("[a-zA-Z0-9._-]{1,64}").unwrap();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..100 {
        let word = words.new_tree(&mut runner).unwrap().current();
        let ada = harness.person();
        let name = PersonName::parse(&word).unwrap();
        let username = Username::parse(&word).unwrap();
        let mut event = AccountEvent::Rectified {
            name: Some(Personal::Clear(name.clone())),
            username: Some(Personal::Clear(username.clone())),
        };
        let clear = event.clone();
        node.sealer.seal(ada.into(), ada.0, harness.event_id(), &mut event).await.unwrap();
        assert_ne!(event, clear);
        let AccountEvent::Rectified { name: Some(n), username: Some(u) } = event else {
            panic!("it was")
        };
        let (tenant, subject) = (TenantId::from(ada), SubjectId::from(ada));
        let n =
            node.sealer.open::<AccountName>(tenant, subject, n.sealed().unwrap()).await.unwrap();
        let u = node
            .sealer
            .open::<AccountUsername>(tenant, subject, u.sealed().unwrap())
            .await
            .unwrap();
        assert_eq!((n, u), (name, username));
    }
}
