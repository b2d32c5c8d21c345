//! What a node takes and what it releases, so that each node reads its share.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::cluster::fair_share::{Group, share};

/// A reader's checkpoint, as all nodes see it.
#[derive(Clone, Debug)]
pub(super) struct HeldReader {
    /// Name and version.
    pub label: String,
    /// `None` once the lease is over.
    pub node: Option<Uuid>,
    /// It has been free for the length of a lease: whoever was to take it has not.
    pub waits: bool,
    /// What its checkpoint says.
    pub position: i64,
}

/// The readers, and the live nodes with the readers that each of them knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub readers: Vec<HeldReader>,
    pub nodes: BTreeMap<Uuid, Vec<String>>,
}

/// The labels of readers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub release: Vec<String>,
    pub take: Vec<String>,
}

impl Seen {
    /// Whether `node` still has to leave the reader to others, since it came to an event at `position` that
    /// it does not know. One that a newer node has carried past it will come to more such events.
    pub(super) fn leaves(&self, node: Uuid, label: &str, position: i64) -> bool {
        let reader = self.readers.iter().find(|reader| reader.label == label);
        let knows = |known: &[String]| known.iter().any(|known| known == label);
        reader.is_none_or(|reader| reader.position < position)
            || self.nodes.iter().any(|(other, known)| *other != node && knows(known))
    }

    /// What `node` does now, where `running` says which of the readers that it knows it reads. Another
    /// node's reader is only taken once it is free.
    pub(super) fn plan(&self, node: Uuid, running: impl Fn(&str) -> bool) -> Plan {
        let mut groups: Vec<Group> =
            self.readers.iter().map(|reader| self.group(reader, node, &running)).collect();
        let free: Vec<bool> = groups.iter().map(|group| group.free > 0).collect();
        share(&mut groups);
        let mut plan = Plan::default();
        for ((reader, group), free) in self.readers.iter().zip(groups).zip(free) {
            let Some(&mine) = group.held.get(&node) else { continue };
            match (running(&reader.label), mine > 0) {
                (true, false) => plan.release.push(reader.label.clone()),
                (false, true) if free => plan.take.push(reader.label.clone()),
                (false, false) if free && reader.waits => plan.take.push(reader.label.clone()),
                (true, true) | (false, _) => {}
            }
        }
        plan
    }

    /// The reader as a group of one, with the nodes that know it. One whose holder is no longer among
    /// them is nobody's until its lease is over.
    fn group(&self, reader: &HeldReader, node: Uuid, running: impl Fn(&str) -> bool) -> Group {
        let knows = |known: &&Vec<String>| known.contains(&reader.label);
        let nodes = self.nodes.iter().filter(|(_, known)| knows(known));
        let mut held: BTreeMap<Uuid, usize> = nodes.map(|(node, _)| (*node, 0)).collect();
        // What this node had before it was started anew is free for it.
        let holder = reader.node.filter(|holder| *holder != node || running(&reader.label));
        let free = usize::from(holder.is_none());
        if let Some(count) = holder.and_then(|holder| held.get_mut(&holder)) {
            *count = 1;
        }
        Group { held, free }
    }
}
