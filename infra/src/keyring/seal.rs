//! Sealing: each clear personal field of an event under a key of its own, used once.

use domain::privacy::{Declaration, Sealed};
use domain::{Event, EventId, SubjectId, TenantId};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::cache::{Gone, Held, Slot};
use super::crypto::{self, Binding, FieldKey};
use super::envelope::Envelope;
use super::{Keyring, KeyringError, SealError, key};

/// A clear field of an event, in the order of the event.
struct Clear {
    ordinal: usize,
    subject: SubjectId,
    declaration: &'static Declaration,
    text: Zeroizing<Vec<u8>>,
    slot: usize,
}

impl Keyring {
    /// Seals the clear fields in place, under today's bucket where the class has one, and answers
    /// every subject of the event's personal fields. Fields that are sealed already stay as they
    /// are. When it is refused, nothing is sealed.
    pub async fn seal<E: Event>(
        &self,
        tenant: TenantId,
        stream: Uuid,
        event_id: EventId,
        event: &mut E,
    ) -> Result<Vec<SubjectId>, SealError> {
        let mut subjects = Vec::new();
        let mut slots = Vec::new();
        let today = self.0.clock.now().date_naive();
        let mut fields = Vec::new();
        let mut ordinals = 0..;
        event.each_personal(tenant, stream, &mut |subject, field| {
            if !subjects.contains(&subject) {
                subjects.push(subject);
            }
            let ordinal = ordinals.next().unwrap_or_default();
            let Some(text) = field.clear() else { return Ok(()) };
            let declaration = field.declaration();
            let class = declaration.class;
            let bucket = key::bucket_start(class, today).map_or(0, key::day);
            let wanted = Slot::Data { subject, class, generation: None, bucket };
            let slot = slots.iter().position(|slot| *slot == wanted).unwrap_or(slots.len());
            if slot == slots.len() {
                slots.push(wanted);
            }
            let text = Zeroizing::new(text);
            fields.push(Clear { ordinal, subject, declaration, text, slot });
            Ok::<_, KeyringError>(())
        })?;
        if fields.is_empty() {
            return Ok(subjects);
        }
        let held = self.0.held(&slots, true).await?;
        let sealed = seal_all(tenant, event_id, fields, &slots, &held)?;
        let mut sealed = sealed.into_iter().peekable();
        let mut ordinals = 0..;
        event.each_personal(tenant, stream, &mut |_, field| {
            let ordinal = ordinals.next();
            if let Some((_, envelope)) = sealed.next_if(|(of, _)| Some(*of) == ordinal) {
                field.seal(Sealed { event: event_id, envelope });
            }
            Ok::<_, KeyringError>(())
        })?;
        Ok(subjects)
    }
}

fn seal_all(
    tenant: TenantId,
    event: EventId,
    fields: Vec<Clear>,
    slots: &[Slot],
    held: &[Held],
) -> Result<Vec<(usize, Vec<u8>)>, SealError> {
    let mut sealed = Vec::with_capacity(fields.len());
    for field in fields {
        let Clear { ordinal, subject, declaration, mut text, slot } = field;
        let (Some(Slot::Data { bucket, .. }), Some(held)) = (slots.get(slot), held.get(slot))
        else {
            return Err(KeyringError::Damaged.into());
        };
        let (generation, data_key) = match held {
            Held::Key { generation, key } => (*generation, key),
            Held::Gone(Gone::Expired) => return Err(SealError::Expired),
            Held::Gone(Gone::Erased | Gone::Absent) => return Err(SealError::Erased(subject)),
        };
        let bound = Binding {
            tenant,
            event,
            field: declaration.id,
            subject,
            class: declaration.class,
            bucket: *bucket,
            generation,
        };
        sealed.push((ordinal, seal_field(data_key, bound, crypto::random()?, &mut text)?));
    }
    Ok(sealed)
}

/// The envelope of one field; `text` is left as ciphertext.
pub(super) fn seal_field(
    data_key: &super::Secret,
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
