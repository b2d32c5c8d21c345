//! What a personal field shows, and what it does not.

use std::collections::BTreeSet;

use proptest::prelude::*;
use uuid::Uuid;

use super::{
    AccountEmail, AnyPersonal, Bucket, Class, EmailAddress, FIELDS, Invalid, LoginIp,
    LoginUserAgent, PersonName, Personal, Sealed, UserAgent, Username, put_together, sealed_bytes,
    take_apart,
};
use crate::account::AccountEvent;
use crate::session::{CloseReason, SessionEvent, SessionKind};
use crate::{AccountId, DecodeError, Event, SealedId, TenantId};

const NOBODY: TenantId = TenantId(Uuid::nil());

fn clear() -> Personal<AccountEmail> {
    Personal::Clear(EmailAddress::parse("ada@example.org").unwrap())
}

fn sealed(event: u128, envelope: &[u8]) -> Sealed {
    Sealed { id: SealedId(Uuid::from_u128(event)), envelope: envelope.to_vec() }
}

fn opened(first: &Sealed, second: &Sealed) -> SessionEvent {
    SessionEvent::Opened {
        account: AccountId(Uuid::from_u128(1)),
        kind: SessionKind::Client,
        ip: Personal::Sealed(first.clone()),
        user_agent: Personal::Sealed(second.clone()),
    }
}

#[test]
fn a_clear_value_is_never_written_nor_shown() {
    let error = serde_json::to_string(&clear()).unwrap_err().to_string();
    assert!(!error.contains("ada"));
    assert_eq!(format!("{:?}", clear()), "<account.email>");
    let address = EmailAddress::parse("ada@example.org").unwrap();
    assert_eq!(format!("{address:?}"), "<EmailAddress>");
    assert_eq!(format!("{:?}", sealed(7, b"ciphertext")), "<sealed>");
}

#[test]
fn a_field_gives_its_clear_value_to_the_codec_and_its_ciphertext_to_whoever_stores_it() {
    let sealed = sealed(7, b"ciphertext");
    let mut field = clear();
    assert_eq!(AnyPersonal::clear(&field), Some(br#""ada@example.org""#.to_vec()));
    assert_eq!(field.sealed(), None);
    field.seal(sealed.clone());
    assert_eq!((AnyPersonal::clear(&field), field.sealed()), (None, Some(&sealed)));
    assert_eq!(field.set_apart(), Some(sealed));
    assert_eq!((AnyPersonal::clear(&field), field.sealed()), (None, None));
}

#[test]
fn two_fields_are_equal_when_they_hold_the_same() {
    let other = EmailAddress::parse("bob@example.org").unwrap();
    let all = [
        clear(),
        Personal::Clear(other),
        Personal::Sealed(sealed(7, b"one")),
        Personal::Sealed(sealed(8, b"one")),
        Personal::Sealed(sealed(7, b"two")),
        Personal::Apart,
    ];
    for (at, one) in all.iter().enumerate() {
        for (other_at, other) in all.iter().enumerate() {
            assert_eq!(one == other, at == other_at, "{at} and {other_at}");
        }
    }
}

#[test]
fn an_event_with_a_clear_field_is_neither_encoded_nor_taken_apart() {
    let mut event = AccountEvent::EmailChanged { email: clear() };
    assert!(event.encode().is_err());
    assert!(matches!(take_apart(&mut event), Err(DecodeError::Sealed)));
}

#[test]
fn a_sealed_value_keeps_its_bytes_through_json() {
    let field: Personal<AccountEmail> = Personal::Sealed(sealed(7, b"ciphertext"));
    let json = serde_json::to_string(&field).unwrap();
    assert_eq!(serde_json::from_str::<Personal<AccountEmail>>(&json).unwrap(), field);
}

#[test]
fn an_event_is_taken_apart_and_put_together() {
    let (first, second) = (sealed(7, b"one"), sealed(8, b"two"));
    let mut event = opened(&first, &second);
    let column = take_apart(&mut event).unwrap().unwrap();
    let data = event.encode().unwrap();
    assert!(data.contains(r#""ip":"sealed""#));
    let mut again = SessionEvent::decode("session.opened", 1, &data).unwrap();
    put_together(&mut again, Some(&column)).unwrap();
    assert_eq!(again, opened(&first, &second));
}

#[test]
fn one_fields_bytes_are_read_from_a_column() {
    let (first, second) = (sealed(7, b"one"), sealed(8, b"two"));
    let column = take_apart(&mut opened(&first, &second)).unwrap();
    let column = column.as_deref();
    assert_eq!(sealed_bytes::<LoginIp>(column), Some(first.to_bytes().as_slice()));
    assert_eq!(sealed_bytes::<LoginUserAgent>(column), Some(second.to_bytes().as_slice()));
    assert_eq!(sealed_bytes::<AccountEmail>(column), None);
    assert_eq!(sealed_bytes::<LoginIp>(None), None);
}

#[test]
fn a_column_that_does_not_fit_the_event_is_refused() {
    let mut event = opened(&sealed(7, b"one"), &sealed(8, b"two"));
    let column = take_apart(&mut event).unwrap().unwrap();
    let mut closed = SessionEvent::Closed { reason: CloseReason::SignedOut };
    assert!(put_together(&mut closed, Some(&column)).is_err());
    assert!(put_together(&mut event, None).is_err());
    assert!(put_together(&mut event, column.get(..9)).is_err());
}

#[test]
fn an_event_names_the_person_of_each_field() {
    let mut event = opened(&sealed(7, b"one"), &sealed(8, b"two"));
    let mut seen = Vec::new();
    event
        .visit_personal::<()>(
            NOBODY,
            Uuid::from_u128(99),
            &mut |about, field: &mut dyn AnyPersonal| {
                seen.push((about.0.as_u128(), field.declaration().name));
                Ok(())
            },
        )
        .unwrap();
    assert_eq!(seen, [(1, "login.ip"), (1, "login.user_agent")]);
    assert_eq!(event.subject(NOBODY, Uuid::from_u128(99)).0.as_u128(), 1);
    let closed = SessionEvent::Closed { reason: CloseReason::SignedOut };
    assert_eq!(closed.subject(NOBODY, Uuid::from_u128(99)).0.as_u128(), 99);
}

#[test]
fn a_field_that_may_be_missing_is_shown_when_it_is_there() {
    let shown = |username: Option<&str>| {
        let username = username.map(|text| Personal::Clear(Username::parse(text).unwrap()));
        let mut event = AccountEvent::Rectified { name: None, username };
        let mut seen = Vec::new();
        let visited = event.visit_personal::<()>(NOBODY, Uuid::nil(), &mut |_, field| {
            seen.push(field.declaration().name);
            Ok(())
        });
        visited.unwrap();
        seen
    };
    assert_eq!(shown(Some("ada")), ["account.username"]);
    assert!(shown(None).is_empty());
}

/// The numbers stand in key rows and are bound to ciphertexts.
#[test]
fn a_class_keeps_its_number_the_span_of_its_keys_and_whether_they_go_with_the_person() {
    let kept = Class::ALL.map(|of| (of.number(), of.bucket(), of.is_erased_with_person()));
    assert_eq!(
        kept,
        [
            (1, None, true),
            (2, Some(Bucket::Day), true),
            (3, Some(Bucket::Month), false),
            (4, None, true),
            (5, Some(Bucket::Day), true),
        ]
    );
}

#[test]
fn no_two_fields_share_an_id_or_a_name() {
    let ids: BTreeSet<_> = FIELDS.iter().map(|field| field.id).collect();
    let names: BTreeSet<_> = FIELDS.iter().map(|field| field.name).collect();
    assert_eq!((ids.len(), names.len()), (FIELDS.len(), FIELDS.len()));
    assert!(FIELDS.iter().all(|field| !field.purposes.is_empty()));
}

#[test]
fn addresses_are_checked() {
    for good in ["ada@example.org", "a.b+c@sub.example.co", "jörg@exämple.de", "a@my-host.org"] {
        assert!(EmailAddress::parse(good).is_ok(), "{good}");
    }
    for bad in ["ada", "@example.org", "ada@", "ada@host", "a b@example.org", "a@b..c", ".a@b.cd"] {
        assert_eq!(EmailAddress::parse(bad).unwrap_err(), Invalid::NotAnAddress, "{bad}");
    }
    assert_eq!(EmailAddress::parse(" ").unwrap_err(), Invalid::Empty);
    let long = format!("{}@example.org", "a".repeat(300));
    assert_eq!(EmailAddress::parse(&long).unwrap_err(), Invalid::TooLong(254));
    assert_eq!(EmailAddress::parse("Ada@Example.org").unwrap().canonical(), "ada@example.org");
}

#[test]
fn names_are_checked() {
    assert!(PersonName::parse("Ada King, Countess of Lovelace").is_ok());
    assert_eq!(PersonName::parse("a\nb").unwrap_err(), Invalid::Control);
    assert!(Username::parse("ada.l-1_x").is_ok());
    assert_eq!(Username::parse("ada lovelace").unwrap_err(), Invalid::NotAUsername);
    assert_eq!(UserAgent::cut(&"ä".repeat(600)).expose().len(), 512);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_bytes_upset_a_column(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut event = opened(&sealed(1, b""), &sealed(2, b""));
        let _ = put_together(&mut event, Some(&bytes));
    }

    #[test]
    fn no_data_upsets_an_event(data in ".{0,120}", version in any::<i16>()) {
        for (event_type, _) in SessionEvent::TYPES {
            let _ = SessionEvent::decode(event_type, version, &data);
        }
    }

    #[test]
    fn no_text_upsets_an_address(text in ".{0,300}") {
        if let Ok(address) = EmailAddress::parse(&text) {
            prop_assert_eq!(address.expose(), text.trim());
        }
    }
}
