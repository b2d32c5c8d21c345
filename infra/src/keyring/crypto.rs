//! The primitives, all from `ring`: HKDF-SHA256, AES-256-GCM, HMAC-SHA256, SHA-256.

use domain::privacy::Class;
use domain::{SealedId, SubjectId, TenantId};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::digest::{Context, SHA256};
use ring::hkdf::{self, HKDF_SHA256, KeyType};
use ring::hmac::{self, HMAC_SHA256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{KeyringError, Secret};
use crate::random;

const DATA_KEY: &[u8] = b"lethe data key 1";
const FIELD: &[u8] = b"lethe field 1";
const FILE: &[u8] = b"lethe keyring copy 1";
pub(super) const TAG_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;

/// What a sealed field is bound to besides its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    pub tenant: TenantId,
    pub id: SealedId,
    pub field: u16,
    pub subject: SubjectId,
    pub class: Class,
    pub bucket: i64,
    pub generation: i64,
}

/// Writes each part after its length, so that different lists of parts are different bytes.
pub(super) fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let mut all = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        all.extend(length(part));
        all.extend_from_slice(part);
    }
    all
}

fn length(part: &[u8]) -> [u8; 8] {
    u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes()
}

impl Binding {
    pub fn hash(&self) -> [u8; 32] {
        let parts: [&[u8]; 8] = [
            FIELD,
            self.tenant.0.as_bytes(),
            self.id.0.as_bytes(),
            &self.field.to_be_bytes(),
            self.subject.0.as_bytes(),
            &self.class.number().to_be_bytes(),
            &self.bucket.to_be_bytes(),
            &self.generation.to_be_bytes(),
        ];
        let mut hash = Context::new(&SHA256);
        for part in parts {
            hash.update(&length(part));
            hash.update(part);
        }
        bytes32(hash.finish().as_ref())
    }
}

/// `HKDF(K[subject, class] and K[class, bucket])`, bound to what they are the keys of.
pub(super) fn data_key(
    subject_key: &Secret,
    bucket_key: Option<&Secret>,
    of: (SubjectId, Class, i64, i64),
) -> Result<Secret, KeyringError> {
    let (subject, class, generation, bucket) = of;
    let keys: &[&[u8]] = match bucket_key {
        None => &[subject_key.expose()],
        Some(bucket_key) => &[subject_key.expose(), bucket_key.expose()],
    };
    let keys = Zeroizing::new(framed(keys));
    let info = framed(&[
        subject.0.as_bytes(),
        &class.number().to_be_bytes(),
        &generation.to_be_bytes(),
        &bucket.to_be_bytes(),
    ]);
    hkdf(DATA_KEY, &keys, &info).map(|bytes| Secret::from_bytes(*bytes))
}

/// One field's own key, used once, and the commitment to it.
pub(super) struct FieldKey(Zeroizing<[u8; 64]>);

impl FieldKey {
    pub fn derive(
        data_key: &Secret,
        salt: &[u8; 32],
        bound: &[u8; 32],
    ) -> Result<Self, KeyringError> {
        hkdf(salt, data_key.expose(), bound).map(Self)
    }

    fn halves(&self) -> (&[u8], &[u8]) {
        self.0.split_at(32)
    }

    pub fn commitment(&self) -> [u8; 32] {
        bytes32(self.halves().1)
    }

    pub fn is_committed_by(&self, commitment: &[u8; 32]) -> bool {
        bool::from(self.halves().1.ct_eq(commitment))
    }

    /// Encrypts in place and appends the tag. The nonce is zero: the key is used for nothing else.
    pub fn seal(&self, text: &mut Vec<u8>, bound: &[u8; 32]) -> Result<(), KeyringError> {
        let nonce = Nonce::assume_unique_for_key([0; NONCE_BYTES]);
        aead(self.halves().0)?
            .seal_in_place_append_tag(nonce, Aad::from(bound), text)
            .map_err(|_| KeyringError::Cipher)
    }

    /// `None` when the tag is wrong.
    pub fn open(&self, text: &mut Vec<u8>, bound: &[u8; 32]) -> Option<()> {
        let nonce = Nonce::assume_unique_for_key([0; NONCE_BYTES]);
        let opened = aead(self.halves().0).ok()?.open_in_place(nonce, Aad::from(bound), text);
        let length = opened.ok()?.len();
        text.truncate(length);
        Some(())
    }
}

/// A key under a root: nonce, ciphertext, tag. `identity` is the row's.
pub(super) fn wrap(root: &Secret, identity: &[u8], key: &Secret) -> Result<Vec<u8>, KeyringError> {
    let nonce: [u8; NONCE_BYTES] = random::bytes()?;
    let mut text = Zeroizing::new(key.expose().to_vec());
    text.reserve_exact(TAG_BYTES);
    aead(root.expose())?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(identity),
            &mut *text,
        )
        .map_err(|_| KeyringError::Cipher)?;
    Ok([&nonce, text.as_slice()].concat())
}

pub(super) fn unwrap(root: &Secret, identity: &[u8], row: &[u8]) -> Result<Secret, KeyringError> {
    let (nonce, text) = row.split_first_chunk::<NONCE_BYTES>().ok_or(KeyringError::Damaged)?;
    let mut text = Zeroizing::new(text.to_vec());
    let opened = aead(root.expose())?
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(identity), &mut text)
        .map_err(|_| KeyringError::Damaged)?;
    let key = <[u8; 32]>::try_from(&*opened).map_err(|_| KeyringError::Damaged)?;
    Ok(Secret::from_bytes(key))
}

/// The key of one file of the copy: under a root, for this header, which has a random token.
pub(super) fn file_key(root: &Secret, header: &[u8]) -> Result<Secret, KeyringError> {
    hkdf(FILE, root.expose(), header).map(|bytes| Secret::from_bytes(*bytes))
}

/// Encrypts a frame of a file in place and appends the tag. The nonce is the frame's number: the key
/// is that of one file.
pub(super) fn seal_frame(
    key: &Secret,
    (number, is_last): (u64, bool),
    text: &mut Vec<u8>,
) -> Result<(), KeyringError> {
    aead(key.expose())?
        .seal_in_place_append_tag(frame_nonce(number), Aad::from([u8::from(is_last)]), text)
        .map_err(|_| KeyringError::Cipher)
}

/// `None` when it is not the frame of this number, or was changed.
pub(super) fn open_frame(
    key: &Secret,
    (number, is_last): (u64, bool),
    text: &mut Vec<u8>,
) -> Option<()> {
    let aad = Aad::from([u8::from(is_last)]);
    let length = aead(key.expose()).ok()?.open_in_place(frame_nonce(number), aad, text).ok()?.len();
    text.truncate(length);
    Some(())
}

fn frame_nonce(number: u64) -> Nonce {
    let mut nonce = [0; NONCE_BYTES];
    if let Some(end) = nonce.last_chunk_mut::<8>() {
        *end = number.to_be_bytes();
    }
    Nonce::assume_unique_for_key(nonce)
}

/// Identifies a root key without showing it.
pub(super) fn root_fingerprint(root: &Secret) -> [u8; 32] {
    mac(root, &[b"lethe root fingerprint 1"])
}

pub(super) fn mac(key: &Secret, parts: &[&[u8]]) -> [u8; 32] {
    bytes32(hmac::sign(&hmac_key(key), &framed(parts)).as_ref())
}

/// In constant time.
pub(super) fn is_mac(key: &Secret, parts: &[&[u8]], of: &[u8]) -> bool {
    hmac::verify(&hmac_key(key), &framed(parts), of).is_ok()
}

fn hmac_key(key: &Secret) -> hmac::Key {
    hmac::Key::new(HMAC_SHA256, key.expose())
}

fn aead(key: &[u8]) -> Result<LessSafeKey, KeyringError> {
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| KeyringError::Cipher)?;
    Ok(LessSafeKey::new(key))
}

struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

pub(super) fn hkdf<const N: usize>(
    salt: &[u8],
    key: &[u8],
    info: &[u8],
) -> Result<Zeroizing<[u8; N]>, KeyringError> {
    let mut out = Zeroizing::new([0; N]);
    hkdf::Salt::new(HKDF_SHA256, salt)
        .extract(key)
        .expand(&[info], Bytes(N))
        .and_then(|okm| okm.fill(out.as_mut_slice()))
        .map_err(|_| KeyringError::Cipher)?;
    Ok(out)
}

fn bytes32(bytes: &[u8]) -> [u8; 32] {
    bytes.first_chunk::<32>().copied().unwrap_or_default()
}
