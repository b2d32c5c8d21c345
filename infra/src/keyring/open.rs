//! Opening, at the edge: tenant, subject and field are those of the row it stands in.

use domain::privacy::{Field, Sealed};
use domain::{SubjectId, TenantId};
use zeroize::Zeroizing;

use super::cache::{Gone, Held, Slot};
use super::crypto::{Binding, FieldKey};
use super::envelope::Envelope;
use super::{Keyring, OpenError, Secret};

impl Keyring {
    /// The clear value of field `F` of `subject`, or why it is closed.
    pub async fn open<F: Field>(
        &self,
        tenant: TenantId,
        subject: SubjectId,
        sealed: &Sealed,
    ) -> Result<F::Value, OpenError> {
        let text = self.open_bytes::<F>(tenant, subject, sealed).await?;
        serde_json::from_slice(&text).map_err(|_| OpenError::Damaged)
    }

    /// The bytes as they were sealed by [`Keyring::seal_bytes`].
    pub async fn open_bytes<F: Field>(
        &self,
        tenant: TenantId,
        subject: SubjectId,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let class = F::DECLARATION.class;
        let envelope = Envelope::parse(&sealed.envelope, class).ok_or(OpenError::Damaged)?;
        let Envelope { generation, bucket, .. } = envelope;
        let slot = Slot::Data { subject, class, generation: Some(generation), bucket };
        let held = self.inner.held(&[slot], false).await?;
        let data_key = match held.first() {
            Some(Held::Key { key, .. }) => key,
            Some(Held::Gone(Gone::Erased)) => return Err(OpenError::Erased),
            Some(Held::Gone(Gone::Expired)) => return Err(OpenError::Expired),
            Some(Held::Gone(Gone::Absent)) | None => return Err(OpenError::Damaged),
        };
        let bound = Binding {
            tenant,
            event: sealed.event,
            field: F::DECLARATION.id,
            subject,
            class,
            bucket,
            generation,
        };
        open_field(data_key, bound, envelope).ok_or(OpenError::Damaged)
    }
}

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
