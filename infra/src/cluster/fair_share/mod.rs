//! The fair share of a node: who is to hold what. It is pure: from the same rows every node computes the
//! same shares, and each changes only what it holds itself and what nobody holds.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use uuid::Uuid;

/// Things that the same nodes can hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    /// How many of them each live node holds that can hold them.
    pub held: BTreeMap<Uuid, usize>,
    /// How many none of these nodes holds.
    pub free: usize,
}

/// Gives out what is free, then moves things, until no node has two more than another that can hold one
/// of its things instead. Of N things that M nodes can all hold, each has at most ceil(N / M) then.
/// What is fair stays as it is.
pub(crate) fn share(groups: &mut [Group]) {
    let mut loads: BTreeMap<Uuid, usize> = BTreeMap::new();
    for (node, held) in groups.iter().flat_map(|group| &group.held) {
        *loads.entry(*node).or_default() += held;
    }
    for group in groups.iter_mut() {
        while group.free > 0 && group.give(&mut loads) {
            group.free -= 1;
        }
    }
    // Each move makes the sum of the squares of the loads smaller, so this ends.
    while groups.iter_mut().any(|group| group.level(&mut loads)) {}
}

impl Group {
    /// The node with the fewest things of all groups gets one more. False if no node can hold it.
    fn give(&mut self, loads: &mut BTreeMap<Uuid, usize>) -> bool {
        let load = |node: &Uuid| loads.get(node).copied().unwrap_or_default();
        let least = self.held.keys().copied().min_by_key(|node| (load(node), *node));
        let Some(node) = least else { return false };
        *self.held.entry(node).or_default() += 1;
        *loads.entry(node).or_default() += 1;
        true
    }

    /// Moves one thing from the node with the most to the node with the fewest, if that has at least
    /// two fewer.
    fn level(&mut self, loads: &mut BTreeMap<Uuid, usize>) -> bool {
        let load = |node: &Uuid| loads.get(node).copied().unwrap_or_default();
        let holders = self.held.iter().filter(|(_, held)| **held > 0);
        let most = holders.map(|(node, _)| (load(node), *node)).max();
        let least = self.held.keys().map(|node| (load(node), *node)).min();
        let Some(((more, from), (fewer, to))) = most.zip(least) else { return false };
        if more < fewer + 2 {
            return false;
        }
        for (node, by) in [(from, -1), (to, 1)] {
            for count in [&mut self.held, &mut *loads].map(|counts| counts.entry(node).or_default())
            {
                *count = count.saturating_add_signed(by);
            }
        }
        true
    }
}
