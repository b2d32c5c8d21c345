use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

const READERS: usize = 12;
/// A node releases one reader in a round, so what one node has is levelled within so many rounds.
const ROUNDS: usize = 3 * READERS;

/// Readers and the nodes that come and go.
#[derive(Clone, Debug, Default)]
struct Installation {
    holders: BTreeMap<String, Option<Uuid>>,
    nodes: BTreeMap<Uuid, Vec<String>>,
    joined: u128,
}

#[derive(Clone, Debug)]
enum Change {
    /// A node of one of the versions, which know different readers.
    Join(Index),
    /// The node releases what it holds.
    Leave(Index),
    /// Its leases last longer than its heartbeat.
    Die(Index),
    /// The leases of dead nodes are over.
    Expire,
    /// Every node looks; then each acts, first or last first.
    Round { backwards: bool },
    /// One node looks and acts.
    Tick(Index),
}

impl Installation {
    fn seen(&self) -> Seen {
        let reader = |(label, node): (&String, &Option<Uuid>)| HeldReader {
            label: label.clone(),
            node: *node,
            waits: false,
            position: 0,
        };
        Seen { readers: self.holders.iter().map(reader).collect(), nodes: self.nodes.clone() }
    }

    fn holds(&self, node: Uuid, label: &str) -> bool {
        self.holders[label] == Some(node)
    }

    fn load(&self, node: Uuid) -> usize {
        self.holders.values().filter(|holder| **holder == Some(node)).count()
    }

    /// The node acts on what it has seen; meanwhile others may have acted. True if it changed something.
    fn act(&mut self, node: Uuid, seen: &Seen) -> bool {
        let plan = seen.plan(node, |label| self.holds(node, label));
        let mut changed = false;
        if let Some(label) = plan.release.first() {
            self.holders.insert(label.clone(), None);
            changed = true;
        }
        for label in plan.take {
            let holder = self.holders.get_mut(&label).unwrap();
            if holder.is_none() {
                *holder = Some(node);
                changed = true;
            }
        }
        changed
    }

    fn round(&mut self, backwards: bool) -> bool {
        let seen = self.seen();
        let mut nodes: Vec<Uuid> = self.nodes.keys().copied().collect();
        if backwards {
            nodes.reverse();
        }
        let acted: Vec<bool> = nodes.into_iter().map(|node| self.act(node, &seen)).collect();
        acted.contains(&true)
    }

    fn apply(&mut self, change: &Change, versions: &[Vec<String>]) {
        let nodes: Vec<Uuid> = self.nodes.keys().copied().collect();
        match change {
            Change::Join(version) => {
                self.joined += 1;
                let known = version.get(versions).clone();
                self.nodes.insert(Uuid::from_u128(self.joined), known);
            }
            Change::Expire => {
                let nodes = &self.nodes;
                let dead = |holder: &Uuid| !nodes.contains_key(holder);
                self.holders.values_mut().for_each(|holder| {
                    holder.take_if(|holder| dead(holder));
                });
            }
            Change::Round { backwards } => drop(self.round(*backwards)),
            Change::Leave(_) | Change::Die(_) | Change::Tick(_) if nodes.is_empty() => {}
            Change::Leave(which) => {
                self.nodes.remove(which.get(&nodes));
                self.apply(&Change::Expire, versions);
            }
            Change::Die(which) => drop(self.nodes.remove(which.get(&nodes))),
            Change::Tick(which) => drop(self.act(*which.get(&nodes), &self.seen())),
        }
    }

    /// A reader without a node that could have one, or a node with two more than another that could
    /// have one of its readers.
    fn unfair(&self) -> Option<String> {
        for (label, holder) in &self.holders {
            for (other, _) in self.nodes.iter().filter(|(_, known)| known.contains(label)) {
                match holder {
                    None => return Some(format!("nobody reads {label}, which {other} knows")),
                    Some(holder) if self.load(*holder) > self.load(*other) + 1 => {
                        return Some(format!("{holder} reads {label}, and {other} has two fewer"));
                    }
                    Some(_) => {}
                }
            }
        }
        None
    }
}

fn label(number: usize) -> String {
    format!("reader{number}/1")
}

fn versions() -> impl Strategy<Value = Vec<Vec<String>>> {
    let all = (0..READERS).map(label).collect::<Vec<_>>();
    prop::collection::vec(prop::sample::subsequence(all, 1..=READERS), 1..4)
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        any::<Index>().prop_map(Change::Join),
        any::<Index>().prop_map(Change::Leave),
        any::<Index>().prop_map(Change::Die),
        Just(Change::Expire),
        any::<bool>().prop_map(|backwards| Change::Round { backwards }),
        any::<Index>().prop_map(Change::Tick),
    ];
    prop::collection::vec(change, 1..40)
}

proptest! {
    #[test]
    fn whoever_joins_leaves_or_dies_the_readers_end_shared_and_stay_where_they_are(
        versions in versions(), changes in changes(), together in any::<bool>(),
    ) {
        let mut installation = Installation::default();
        installation.holders.extend((0..READERS).map(|number| (label(number), None)));
        for change in &changes {
            installation.apply(change, &versions);
        }
        installation.apply(&Change::Expire, &versions);

        let mut settle = || -> bool {
            if together {
                return installation.round(false);
            }
            let nodes: Vec<Uuid> = installation.nodes.keys().copied().collect();
            let acted = nodes.into_iter().map(|node| installation.act(node, &installation.seen()));
            acted.collect::<Vec<_>>().contains(&true)
        };
        let settled = (0..ROUNDS).any(|_| !settle());

        prop_assert!(settled, "readers are handed to and fro: {installation:?}");
        prop_assert_eq!(installation.unfair(), None);
    }
}

#[test]
fn what_its_node_does_not_take_for_a_leases_time_another_takes() {
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let known: Vec<String> = (0..3).map(label).collect();
    let reader =
        |label: &String, node, waits| HeldReader { label: label.clone(), node, waits, position: 0 };
    let mut seen = Seen {
        readers: vec![
            reader(&known[0], Some(one), false),
            reader(&known[1], Some(one), false),
            reader(&known[2], None, false),
        ],
        nodes: BTreeMap::from([(one, known.clone()), (two, known.clone())]),
    };
    let running = |label: &str| label != known[2];
    assert_eq!(seen.plan(one, running), Plan::default(), "the other has fewer, and goes first");

    seen.readers[2].waits = true;

    assert_eq!(seen.plan(one, running).take, [known[2].clone()]);
}

#[test]
fn a_node_that_was_started_anew_takes_its_readers_again() {
    let one = Uuid::from_u128(1);
    let readers = vec![HeldReader { label: label(0), node: Some(one), waits: false, position: 0 }];
    let seen = Seen { readers, nodes: BTreeMap::from([(one, vec![label(0)])]) };

    assert_eq!(seen.plan(one, |_| false).take, [label(0)]);
    assert_eq!(seen.plan(one, |_| true), Plan::default());
}

#[test]
fn a_reader_with_an_unknown_event_is_left_to_others_until_it_is_past_it_and_nobody_elses() {
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let seen = |position, others: &[usize]| Seen {
        readers: vec![HeldReader { label: label(0), node: None, waits: true, position }],
        nodes: BTreeMap::from([
            (one, vec![label(1)]),
            (two, others.iter().copied().map(label).collect()),
        ]),
    };

    assert!(seen(6, &[]).leaves(one, &label(0), 7), "it would come to the event again");
    assert!(seen(7, &[0]).leaves(one, &label(0), 7), "a newer node reads it");
    assert!(!seen(7, &[1]).leaves(one, &label(0), 7));
    assert!(seen(7, &[]).leaves(one, &label(2), 7), "nobody can say where it is");
}
