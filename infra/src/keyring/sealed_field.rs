//! One sealed field: its bytes under its data key, bound to its place.

use zeroize::Zeroizing;

use super::crypto::{Binding, FieldKey};
use super::envelope::Envelope;
use super::{KeyringError, Secret};

/// The envelope of one field; `text` is left as ciphertext.
pub(super) fn seal_field(
    data_key: &Secret,
    bound: Binding,
    salt: [u8; 32],
    text: &mut Vec<u8>,
) -> Result<Vec<u8>, KeyringError> {
    let hash = bound.hash();
    let key = FieldKey::derive(data_key, &salt, &hash)?;
    key.seal(text, &hash)?;
    let Binding { generation, bucket, .. } = bound;
    let commitment = &key.commitment();
    let envelope = Envelope { generation, bucket, salt: &salt, commitment, ciphertext: text };
    envelope.to_bytes().ok_or(KeyringError::Date)
}

/// The clear bytes; `None` when they were not sealed under this key for this place, or are damaged.
pub(super) fn open_field(
    data_key: &Secret,
    bound: Binding,
    envelope: Envelope<'_>,
) -> Option<Zeroizing<Vec<u8>>> {
    let hash = bound.hash();
    let key = FieldKey::derive(data_key, envelope.salt, &hash).ok()?;
    if !key.is_committed_by(envelope.commitment) {
        return None;
    }
    let mut text = Zeroizing::new(envelope.ciphertext.to_vec());
    key.open(&mut text, &hash)?;
    Some(text)
}
