//! The states that this node used last. Their personal fields are sealed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use domain::TenantId;
use uuid::Uuid;

use super::state::StreamState;

/// Two generations: a state that is used moves to the young one; when that is full it becomes the
/// old one, and what the old one still held is dropped.
pub struct Cache {
    states_max: usize,
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<Uuid, Entry>,
    old: HashMap<Uuid, Entry>,
}

#[derive(Clone)]
struct Entry {
    tenant: TenantId,
    stream_type: &'static str,
    state: StreamState,
}

impl Cache {
    pub fn new(states_max: usize) -> Self {
        Self { states_max, generations: Mutex::default() }
    }

    pub fn get(&self, tenant: TenantId, stream_type: &str, stream: Uuid) -> Option<StreamState> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let found = if let Some(entry) = generations.young.get(&stream) {
            entry.clone()
        } else {
            let entry = generations.old.remove(&stream)?;
            generations.insert(stream, entry.clone(), self.states_max);
            entry
        };
        ((found.tenant, found.stream_type) == (tenant, stream_type)).then_some(found.state)
    }

    /// Keeps the newer of the cached state and this one.
    pub fn put(
        &self,
        tenant: TenantId,
        stream_type: &'static str,
        stream: Uuid,
        state: StreamState,
    ) {
        if state.version == 0 {
            return;
        }
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let Generations { young, old } = &mut *generations;
        if let Some(known) = young.get_mut(&stream).or_else(|| old.get_mut(&stream))
            && known.state.version >= state.version
        {
            if known.state.version == state.version {
                known.state.through = known.state.through.max(state.through);
            }
            return;
        }
        generations.old.remove(&stream);
        let entry = Entry { tenant, stream_type, state };
        generations.insert(stream, entry, self.states_max);
    }
}

impl Generations {
    fn insert(&mut self, stream: Uuid, entry: Entry, states_max: usize) {
        if self.young.len() >= states_max.div_ceil(2) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(stream, entry);
    }
}
