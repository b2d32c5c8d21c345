use proptest::prelude::*;

use super::*;

fn node(number: usize) -> Uuid {
    Uuid::from_u128(number as u128 + 1)
}

fn group(held: &[usize], free: usize) -> Group {
    Group {
        held: held.iter().enumerate().map(|(place, held)| (node(place), *held)).collect(),
        free,
    }
}

fn held(group: &Group) -> Vec<usize> {
    group.held.values().copied().collect()
}

#[test]
fn what_is_free_goes_to_whoever_has_the_fewest_and_the_rest_is_levelled() {
    let shared = |held_before: &[usize], free| {
        let mut groups = [group(held_before, free)];
        share(&mut groups);
        held(&groups[0])
    };
    assert_eq!(shared(&[0], 10), [10]);
    assert_eq!(shared(&[10, 0], 0), [5, 5]);
    assert_eq!(shared(&[4, 4, 2], 0), [4, 3, 3]);
    assert_eq!(shared(&[3, 0], 2), [3, 2]);
    assert_eq!(shared(&[3, 4], 0), [3, 4], "what is fair stays as it is");
    assert_eq!(shared(&[], 3), [0; 0]);
}

#[test]
fn a_group_that_one_node_can_hold_counts_in_its_share_of_the_others() {
    let mut groups = [group(&[0, 0], 4), group(&[0], 2)];
    groups.reverse();
    share(&mut groups);
    assert_eq!((held(&groups[0]), held(&groups[1])), (vec![2], vec![1, 3]));
}

proptest! {
    #[test]
    fn each_of_m_nodes_has_at_most_its_part_of_n_things(
        before in prop::collection::vec(0_usize..40, 1..7), free in 0_usize..60,
    ) {
        let things = before.iter().sum::<usize>() + free;
        let mut groups = [group(&before, free)];

        share(&mut groups);

        let after = held(&groups[0]);
        prop_assert_eq!(after.iter().sum::<usize>(), things);
        prop_assert!(after.iter().all(|held| *held <= things.div_ceil(before.len())), "{:?}", after);
        prop_assert!(after.iter().all(|held| *held >= things / before.len()), "{:?}", after);
        let fair = groups.clone();
        share(&mut groups);
        prop_assert_eq!(groups, fair, "what is fair stays as it is");
    }
}
