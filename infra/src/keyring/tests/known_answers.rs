//! Known answers: RFC 5869, the GCM specification, and for a whole sealed field a computation with
//! Python's `cryptography`.

use std::collections::BTreeSet;

use domain::privacy::Class;

use super::super::Secret;
use super::super::crypto::{self, Binding};
use super::super::key::{KeyId, KeyKind};
use super::super::sealed_field::seal_field;
use super::*;

fn bytes<const N: usize>(from: u8) -> [u8; N] {
    std::array::from_fn(|at| from + u8::try_from(at).unwrap())
}

#[test]
fn hkdf_answers_as_rfc_5869_says() {
    // Test case 1 of appendix A.
    let okm = crypto::hkdf::<42>(&bytes::<13>(0), &[0x0b; 22], &bytes::<10>(0xf0)).unwrap();
    let known =
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
    assert_eq!(hex::encode(*okm), known);
    // Test case 3: no salt, no info.
    let okm = crypto::hkdf::<42>(&[], &[0x0b; 22], &[]).unwrap();
    let known =
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8";
    assert_eq!(hex::encode(*okm), known);
}

#[test]
fn aes_256_gcm_answers_as_its_specification_says() {
    // McGrew and Viega, test cases 13 and 14: a zero key and a zero nonce.
    use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    for (text, known) in [
        (vec![], "530f8afbc74536b9a963b4f1c4cb738b"),
        (vec![0; 16], "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"),
    ] {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[0; 32]).unwrap());
        let mut text = text;
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        key.seal_in_place_append_tag(nonce, Aad::empty(), &mut text).unwrap();
        assert_eq!(hex::encode(text), known);
    }
}

#[test]
fn a_wrapped_key_is_bound_to_every_part_of_its_row() {
    let [ada, bob] = [1, 2].map(|of| SubjectId(Uuid::from_u128(of)));
    let keys = [
        KeyId::subject(ada, Class::Account, 1),
        KeyId::subject(bob, Class::Account, 1),
        KeyId::subject(ada, Class::Tenant, 1),
        KeyId::subject(ada, Class::Account, 2),
        KeyId::bucket(Class::Account, 1),
        KeyId::numbered(KeyKind::Link, 1),
        KeyId::numbered(KeyKind::RequestMac, 1),
    ];
    let identities: BTreeSet<Vec<u8>> = keys.iter().map(KeyId::identity).collect();
    assert_eq!(identities.len(), keys.len());
}

#[test]
fn a_sealed_field_is_what_python_makes_of_it() {
    let subject = SubjectId(Uuid::from_bytes(bytes(0)));
    let data_key = crypto::data_key(
        &Secret::from_bytes([1; 32]),
        Some(&Secret::from_bytes([2; 32])),
        (subject, Class::Security, 1, 20_000),
    )
    .unwrap();
    let known = "ec0f9826a63f6c50a5d9f7810718155b48806ccdc1ef0add97cd31fd59238e67";
    assert_eq!(hex::encode(data_key.expose()), known);
    let bound = Binding {
        tenant: TenantId(Uuid::from_bytes(bytes(16))),
        id: SealedId(Uuid::from_bytes(bytes(32))),
        field: 4,
        subject,
        class: Class::Security,
        bucket: 20_000,
        generation: 1,
    };
    let text = &mut b"\"192.0.2.7\"".to_vec();
    let sealed = seal_field(&data_key, bound, [3; 32], text).unwrap();
    let known = "010000000100004e2003030303030303030303030303030303030303030303030303030303030303\
                 03c74701cb2e32aa3d2bcb1bcc1acad843befc96216176ee62389e56e96ac3c1ae5816eceea2e12b\
                 18da88b844d2d76f05e1e34c92a808039e208650";
    assert_eq!(hex::encode(sealed), known);
}

#[test]
fn parts_are_told_apart_by_their_lengths() {
    let key = Secret::from_bytes([4; 32]);
    let mac = crypto::mac(&key, &[b"a", b"bc"]);
    let known = "94149d462b0b13efb0f521f2c8952a54e00d4987bd79990a4bb5d1e3bd56fb7b";
    assert_eq!(hex::encode(mac), known);
    assert_ne!(mac, crypto::mac(&key, &[b"ab", b"c"]));
    assert!(crypto::is_mac(&key, &[b"a", b"bc"], &mac));
    assert!(!crypto::is_mac(&key, &[b"ab", b"c"], &mac));
}

#[test]
fn a_wrapped_key_opens_in_its_own_row_only() {
    let (root, key) = (Secret::from_bytes([7; 32]), Secret::from_bytes([8; 32]));
    let wrapped = crypto::wrap(&root, b"row 1", &key).unwrap();
    assert_eq!(crypto::unwrap(&root, b"row 1", &wrapped).unwrap().expose(), key.expose());
    for (root, row, bytes) in [
        (&root, b"row 2", wrapped.as_slice()),
        (&key, b"row 1", wrapped.as_slice()),
        (&root, b"row 1", &wrapped[1..]),
        (&root, b"row 1", &[]),
    ] {
        assert!(matches!(crypto::unwrap(root, row, bytes), Err(KeyringError::Damaged)));
    }
}
