//! Sealing: each clear personal field of an event under a key of its own, used once.

use chrono::NaiveDate;
use domain::privacy::{Declaration, Field, Sealed};
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
        let today = self.inner.clock.now().date_naive();
        let mut fields = Vec::new();
        let mut ordinals = 0..;
        event.each_personal(tenant, stream, &mut |subject, field| {
            if !subjects.contains(&subject) {
                subjects.push(subject);
            }
            let ordinal = ordinals.next().unwrap_or_default();
            let Some(text) = field.clear() else { return Ok(()) };
            let declaration = field.declaration();
            let wanted = today_slot(subject, declaration, today);
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
        let held = self.inner.held(&slots, true).await?;
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

    /// Seals a value that stands in a row of its own, in no event. `id` is any id that is this
    /// value's alone: whoever opens it says it again, unless it stands in the [`Sealed`].
    pub async fn seal_value<F: Field>(
        &self,
        tenant: TenantId,
        subject: SubjectId,
        id: EventId,
        value: &F::Value,
    ) -> Result<Sealed, SealError> {
        // Sized first: a buffer that grows would leave parts of the value behind in memory.
        let mut size = Counted(0);
        serde_json::to_writer(&mut size, value).map_err(|_| KeyringError::Value)?;
        let mut text = Vec::with_capacity(size.0 + crypto::TAG_BYTES);
        serde_json::to_writer(&mut text, value).map_err(|_| KeyringError::Value)?;
        self.seal_bytes::<F>(tenant, subject, id, text).await
    }

    /// Seals bytes as they are, under today's bucket where the class has one.
    pub async fn seal_bytes<F: Field>(
        &self,
        tenant: TenantId,
        subject: SubjectId,
        id: EventId,
        bytes: Vec<u8>,
    ) -> Result<Sealed, SealError> {
        let mut text = Zeroizing::new(bytes);
        let declaration = F::DECLARATION;
        let slot = today_slot(subject, declaration, self.inner.clock.now().date_naive());
        let held = self.inner.held(&[slot], true).await?;
        let held = held.first().ok_or(KeyringError::Damaged)?;
        let of = Owned { tenant, event: id, subject, declaration };
        Ok(Sealed { event: id, envelope: of.seal(&slot, held, &mut text)? })
    }
}

/// The newest generation, and the bucket of `today` where the class has one.
fn today_slot(subject: SubjectId, declaration: &Declaration, today: NaiveDate) -> Slot {
    let class = declaration.class;
    let bucket = key::bucket_start(class, today).map_or(0, key::day);
    Slot::Data { subject, class, generation: None, bucket }
}

struct Counted(usize);

impl std::io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
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
        let (Some(slot), Some(held)) = (slots.get(slot), held.get(slot)) else {
            return Err(KeyringError::Damaged.into());
        };
        let of = Owned { tenant, event, subject, declaration };
        sealed.push((ordinal, of.seal(slot, held, &mut text)?));
    }
    Ok(sealed)
}

/// Whose value it is, and which.
struct Owned {
    tenant: TenantId,
    event: EventId,
    subject: SubjectId,
    declaration: &'static Declaration,
}

impl Owned {
    /// The envelope; `text` is left as ciphertext.
    fn seal(&self, slot: &Slot, held: &Held, text: &mut Vec<u8>) -> Result<Vec<u8>, SealError> {
        let Slot::Data { bucket, .. } = slot else { return Err(KeyringError::Damaged.into()) };
        let (generation, data_key) = match held {
            Held::Key { generation, key } => (*generation, key),
            Held::Gone(Gone::Expired) => return Err(SealError::Expired),
            Held::Gone(Gone::Erased | Gone::Absent) => {
                return Err(SealError::Erased(self.subject));
            }
        };
        let bound = Binding {
            tenant: self.tenant,
            event: self.event,
            field: self.declaration.id,
            subject: self.subject,
            class: self.declaration.class,
            bucket: *bucket,
            generation,
        };
        Ok(seal_field(data_key, bound, crypto::random()?, text)?)
    }
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
