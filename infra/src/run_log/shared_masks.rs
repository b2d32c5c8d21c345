//! The tasks of a run have the same secrets, and share the masks while they are at work.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use domain::RunSecretsId;
use zeroize::Zeroizing;

use super::machine::Machine;
use super::{MaskError, Masks, RunLogs};

/// Held by whoever builds the masks or waits for them.
type Slot = Arc<tokio::sync::Mutex<Weak<Machine>>>;

/// The masks that somebody holds, and those that are being built.
#[derive(Default)]
pub(super) struct SharedMasks(Mutex<HashMap<RunSecretsId, Slot>>);

impl SharedMasks {
    fn slot(&self, secrets: RunSecretsId) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| {
            Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|held| held.strong_count() > 0)
        });
        Arc::clone(slots.entry(secrets).or_default())
    }

    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl RunLogs {
    /// The masks of secrets. All that ask while one of them holds the masks get the same ones: they are
    /// built once, on a thread that may block.
    ///
    /// # Errors
    /// [`MaskError`].
    pub async fn masks(
        &self,
        id: RunSecretsId,
        secrets: Vec<Zeroizing<String>>,
    ) -> Result<Masks, MaskError> {
        let slot = self.0.masks.slot(id);
        let mut built = slot.lock().await;
        if let Some(machine) = built.upgrade() {
            return Ok(Masks(Some(machine)));
        }
        let building = tokio::task::spawn_blocking(move || Masks::new(&secrets));
        let masks = building.await.map_err(|_| MaskError::Stopped)??;
        *built = masks.0.as_ref().map(Arc::downgrade).unwrap_or_default();
        Ok(masks)
    }
}
