//! Keys to use now: from memory under the lease, else from their rows.

use std::sync::Arc;

use domain::SubjectId;
use domain::privacy::Class;

use super::cache::{Gone, Held, Slot};
use super::fetch::{Fetched, Found, Wanted};
use super::key::{KeyId, Kind};
use super::{Inner, KeyringError, crypto};

impl Inner {
    /// What is held of each slot, in their order. One round trip for all that are not in memory;
    /// `make` says whether those that never were are made.
    pub(super) async fn held(&self, slots: &[Slot], make: bool) -> Result<Vec<Held>, KeyringError> {
        let mut looked = self.cache.look(slots);
        if looked.is_none() {
            self.renew().await?;
            looked = self.cache.look(slots);
        }
        let looked = looked.ok_or(super::lease::LOST)?;
        if looked.iter().all(Option::is_some) {
            return Ok(looked.into_iter().flatten().collect());
        }
        // All of them: what was in memory may be destroyed by the time the others are there.
        self.read_slots(slots, make).await
    }

    async fn read_slots(&self, slots: &[Slot], make: bool) -> Result<Vec<Held>, KeyringError> {
        let mut wanted = Vec::with_capacity(slots.len() * 2);
        for key in slots.iter().flat_map(|slot| keys_of(slot, make)) {
            if !wanted.contains(&key) {
                wanted.push(key);
            }
        }
        let fetched = self.fetch(&wanted).await?;
        let read = slots.iter().map(|slot| derive(slot, make, &wanted, &fetched));
        let read = read.collect::<Result<Vec<_>, _>>()?;
        // What was never there may be made at any time.
        let kept = slots.iter().copied().zip(read.iter().cloned());
        let kept = kept.filter(|(_, held)| !matches!(held, Held::Gone(Gone::Absent)));
        self.cache.keep(fetched.sequence, kept);
        Ok(read)
    }
}

fn keys_of(slot: &Slot, make: bool) -> Vec<Wanted> {
    match *slot {
        Slot::Named(kind, number) => vec![Wanted::named(kind, number, make)],
        Slot::Data { subject, class, generation, bucket } => {
            let mut keys = vec![wanted_subject(subject, class, generation, make)];
            if bucket > 0 {
                keys.push(wanted_bucket(class, bucket, make));
            }
            keys
        }
    }
}

fn wanted_subject(subject: SubjectId, class: Class, generation: Option<i64>, make: bool) -> Wanted {
    let KeyId { kind, subject, class, .. } = KeyId::subject(subject, class, 0);
    Wanted { kind, subject, class, number: generation, make }
}

fn wanted_bucket(class: Class, bucket: i64, make: bool) -> Wanted {
    let KeyId { kind, subject, class, number } = KeyId::bucket(class, bucket);
    Wanted { kind, subject, class, number: Some(number), make }
}

fn derive(
    slot: &Slot,
    make: bool,
    wanted: &[Wanted],
    fetched: &Fetched,
) -> Result<Held, KeyringError> {
    let find = |key: Wanted| {
        let at = wanted.iter().position(|wanted| *wanted == key);
        at.and_then(|at| fetched.keys.get(at)).ok_or(KeyringError::Damaged)
    };
    match *slot {
        Slot::Named(kind, number) => Ok(match find(named(kind, number, make))? {
            Found::Live { number, key } => {
                Held::Key { generation: *number, key: Arc::new(key.clone()) }
            }
            Found::Gone(gone) => Held::Gone(*gone),
        }),
        Slot::Data { subject, class, generation, bucket } => {
            let (number, subject_key) =
                match find(wanted_subject(subject, class, generation, make))? {
                    Found::Live { number, key } => (*number, key),
                    Found::Gone(gone) => return Ok(Held::Gone(*gone)),
                };
            let bucket_key = match bucket {
                0 => None,
                bucket => match find(wanted_bucket(class, bucket, make))? {
                    Found::Live { key, .. } => Some(key),
                    Found::Gone(gone) => return Ok(Held::Gone(*gone)),
                },
            };
            let of = (subject, class, number, bucket);
            let key = Arc::new(crypto::data_key(subject_key, bucket_key, of)?);
            Ok(Held::Key { generation: number, key })
        }
    }
}

const fn named(kind: Kind, number: i64, make: bool) -> Wanted {
    Wanted::named(kind, number, make)
}
