//! Seals and opens personal fields: each under a key of its own, which is used once.

use std::sync::Arc;

use chrono::NaiveDate;
use domain::privacy::{Declaration, Field, Sealed};
use domain::{Event, EventId, SealedId, SubjectId, TenantId};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::crypto::{self, Binding};
use super::envelope::Envelope;
use super::key_cache::{KeySlot, KeyState};
use super::keys::Keys;
use super::sealed_field::{open_field, seal_field};
use super::{KeyringError, OpenError, SealError, key};
use crate::clock::Clock;
use crate::random;

/// A clear field of an event.
struct ClearField {
    ordinal: usize,
    subject: SubjectId,
    declaration: &'static Declaration,
    text: Zeroizing<Vec<u8>>,
    slot: usize,
}

/// Seals values under their subject's key, and opens them again. A sealed value opens only as the
/// same field, of the same subject, in the same tenant and under the same event id.
#[derive(Clone)]
pub struct Sealer {
    keys: Arc<Keys>,
    clock: Clock,
}

impl Sealer {
    pub(super) const fn new(keys: Arc<Keys>, clock: Clock) -> Self {
        Self { keys, clock }
    }

    /// Seals the clear fields in place, under today's bucket where the class has one, and returns
    /// every subject of the event's personal fields. Does not change fields that are sealed already.
    /// After an error no field is sealed.
    ///
    /// # Errors
    /// [`SealError::Erased`] for a subject that is erased; [`SealError::Expired`] when this clock is
    /// so far behind that today's bucket is gone; [`SealError::Unavailable`].
    pub async fn seal<E: Event>(
        &self,
        tenant: TenantId,
        stream: Uuid,
        event_id: EventId,
        event: &mut E,
    ) -> Result<Vec<SubjectId>, SealError> {
        let mut subjects = Vec::new();
        let mut slots = Vec::new();
        let today = self.clock.now().date_naive();
        let mut fields = Vec::new();
        let mut ordinals = 0..;
        event.visit_personal(tenant, stream, &mut |subject, field| {
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
            fields.push(ClearField { ordinal, subject, declaration, text, slot });
            Ok::<_, KeyringError>(())
        })?;
        if fields.is_empty() {
            return Ok(subjects);
        }
        let keys = self.keys.get(&slots, true).await?;
        let id = event_id.into();
        let sealed = seal_all(tenant, id, fields, &slots, &keys)?;
        let mut sealed = sealed.into_iter().peekable();
        let mut ordinals = 0..;
        event.visit_personal(tenant, stream, &mut |_, field| {
            let ordinal = ordinals.next();
            if let Some((_, envelope)) = sealed.next_if(|(of, _)| Some(*of) == ordinal) {
                field.seal(Sealed { id, envelope });
            }
            Ok::<_, KeyringError>(())
        })?;
        Ok(subjects)
    }

    /// Seals a value that is in a row, not in an event. Opening needs the same `id`, which the [`Sealed`]
    /// holds. Errors as for [`Sealer::seal`].
    pub async fn seal_value<F: Field>(
        &self,
        tenant: TenantId,
        subject: SubjectId,
        id: SealedId,
        value: &F::Value,
    ) -> Result<Sealed, SealError> {
        // Allocated once: a growing buffer would leave copies of the value in memory.
        let mut size = Counted(0);
        serde_json::to_writer(&mut size, value).map_err(|_| KeyringError::Value)?;
        let mut text = Vec::with_capacity(size.0 + crypto::TAG_BYTES);
        serde_json::to_writer(&mut text, value).map_err(|_| KeyringError::Value)?;
        self.seal_bytes::<F>(tenant, subject, id, text).await
    }

    /// Seals bytes as they are, under today's bucket where the class has one. Errors as for
    /// [`Sealer::seal`].
    pub(crate) async fn seal_bytes<F: Field>(
        &self,
        tenant: TenantId,
        subject: SubjectId,
        id: SealedId,
        bytes: Vec<u8>,
    ) -> Result<Sealed, SealError> {
        let mut text = Zeroizing::new(bytes);
        let declaration = F::DECLARATION;
        let slot = today_slot(subject, declaration, self.clock.now().date_naive());
        let keys = self.keys.get(&[slot], true).await?;
        let state = keys.first().ok_or(KeyringError::Damaged)?;
        let of = FieldPlace { tenant, id, subject, declaration };
        Ok(Sealed { id, envelope: of.seal(&slot, state, &mut text)? })
    }

    /// The clear value of field `F` of `subject`.
    ///
    /// # Errors
    /// Each variant of [`OpenError`] needs its own treatment: an erased value is no failure.
    pub async fn open<F: Field>(
        &self,
        tenant: TenantId,
        subject: SubjectId,
        sealed: &Sealed,
    ) -> Result<F::Value, OpenError> {
        let text = self.open_bytes::<F>(tenant, subject, sealed).await?;
        serde_json::from_slice(&text).map_err(|_| OpenError::Damaged)
    }

    /// The bytes as they were sealed by [`Sealer::seal_bytes`]. Errors as for [`Sealer::open`].
    pub(crate) async fn open_bytes<F: Field>(
        &self,
        tenant: TenantId,
        subject: SubjectId,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let class = F::DECLARATION.class;
        let envelope = Envelope::parse(&sealed.envelope, class).ok_or(OpenError::Damaged)?;
        let Envelope { generation, bucket, .. } = envelope;
        let slot = KeySlot::Data { subject, class, generation: Some(generation), bucket };
        let keys = self.keys.get(&[slot], false).await?;
        let data_key = match keys.first() {
            Some(KeyState::Live { key, .. }) => key,
            Some(KeyState::Erased) => return Err(OpenError::Erased),
            Some(KeyState::Expired) => return Err(OpenError::Expired),
            Some(KeyState::Absent) | None => return Err(OpenError::Damaged),
        };
        let bound = Binding {
            tenant,
            id: sealed.id,
            field: F::DECLARATION.id,
            subject,
            class,
            bucket,
            generation,
        };
        open_field(data_key, bound, envelope).ok_or(OpenError::Damaged)
    }
}

/// The newest generation, and the bucket of `today` where the class has one.
fn today_slot(subject: SubjectId, declaration: &Declaration, today: NaiveDate) -> KeySlot {
    let class = declaration.class;
    let bucket = key::bucket_start(class, today).map_or(0, key::day);
    KeySlot::Data { subject, class, generation: None, bucket }
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
    id: SealedId,
    fields: Vec<ClearField>,
    slots: &[KeySlot],
    keys: &[KeyState],
) -> Result<Vec<(usize, Vec<u8>)>, SealError> {
    let mut sealed = Vec::with_capacity(fields.len());
    for field in fields {
        let ClearField { ordinal, subject, declaration, mut text, slot } = field;
        let (Some(slot), Some(state)) = (slots.get(slot), keys.get(slot)) else {
            return Err(KeyringError::Damaged.into());
        };
        let of = FieldPlace { tenant, id, subject, declaration };
        sealed.push((ordinal, of.seal(slot, state, &mut text)?));
    }
    Ok(sealed)
}

/// The place of a value. Its bucket and generation are those of its key.
struct FieldPlace {
    tenant: TenantId,
    id: SealedId,
    subject: SubjectId,
    declaration: &'static Declaration,
}

impl FieldPlace {
    /// The envelope; `text` is left as ciphertext.
    fn seal(
        &self,
        slot: &KeySlot,
        state: &KeyState,
        text: &mut Vec<u8>,
    ) -> Result<Vec<u8>, SealError> {
        let KeySlot::Data { bucket, .. } = slot else { return Err(KeyringError::Damaged.into()) };
        let (generation, data_key) = match state {
            KeyState::Live { number, key } => (*number, key),
            KeyState::Expired => return Err(SealError::Expired),
            KeyState::Erased | KeyState::Absent => return Err(SealError::Erased(self.subject)),
        };
        let bound = Binding {
            tenant: self.tenant,
            id: self.id,
            field: self.declaration.id,
            subject: self.subject,
            class: self.declaration.class,
            bucket: *bucket,
            generation,
        };
        Ok(seal_field(data_key, bound, random::bytes().map_err(KeyringError::from)?, text)?)
    }
}
