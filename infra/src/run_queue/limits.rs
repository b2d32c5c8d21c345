//! How much may be at work at the same time, and what a node keeps for those who have nothing at work.

/// How many tasks may be worked on at the same time.
#[derive(Clone, Copy, Debug)]
pub struct RunLimits {
    /// On one server, over all nodes.
    pub per_server: u32,
    /// Of one workspace, over all nodes.
    pub per_workspace: u32,
    /// Requested by one account, in whatever workspaces, over all nodes.
    pub per_account: u32,
    /// By this node.
    pub per_node: u32,
}

/// Slots of a node for which it may claim tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeSlots {
    /// At most so many tasks.
    pub most: u32,
    /// No others are free: each workspace and each account may have one task at work then.
    pub are_kept: bool,
}

/// The last fifth is kept, so that whoever asks for all there is does not keep others from beginning.
const KEPT: u32 = 5;
/// So many tasks are claimed at once, so that other nodes get a share of the queue.
const AT_ONCE: u32 = 8;

impl RunLimits {
    /// What a node may claim that works on so many tasks. `None`: nothing.
    pub fn free_slots(self, taken: u32) -> Option<FreeSlots> {
        let free = self.per_node.saturating_sub(taken);
        let open = free.saturating_sub(self.kept_slots());
        match (open, free) {
            (_, 0) => None,
            (0, kept) => Some(FreeSlots { most: kept.min(AT_ONCE), are_kept: true }),
            (open, _) => Some(FreeSlots { most: open.min(AT_ONCE), are_kept: false }),
        }
    }

    /// Of a node with one slot none.
    fn kept_slots(self) -> u32 {
        self.per_node.div_ceil(KEPT).min(self.per_node.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(per_node: u32, taken: u32) -> Option<(u32, bool)> {
        let limits = RunLimits { per_server: 1, per_workspace: 1, per_account: 1, per_node };
        limits.free_slots(taken).map(|slots| (slots.most, slots.are_kept))
    }

    #[test]
    fn a_node_keeps_its_last_fifth_for_those_who_have_nothing_at_work() {
        let open = [(0, 8), (152, 8), (157, 3), (159, 1)];
        for (taken, most) in open {
            assert_eq!(free(200, taken), Some((most, false)), "{taken}");
        }
        for (taken, most) in [(160, 8), (192, 8), (195, 5), (199, 1)] {
            assert_eq!(free(200, taken), Some((most, true)), "{taken}");
        }
        assert_eq!([200, 201].map(|taken| free(200, taken)), [None, None]);
    }

    #[test]
    fn a_small_node_keeps_one_slot_and_one_with_a_single_slot_none() {
        let (open, kept) = (Some((1, false)), Some((1, true)));
        assert_eq!([3, 4, 5].map(|taken| free(5, taken)), [open, kept, None]);
        assert_eq!([0, 1, 2].map(|taken| free(2, taken)), [open, kept, None]);
        assert_eq!([0, 1].map(|taken| free(1, taken)), [open, None]);
    }
}
