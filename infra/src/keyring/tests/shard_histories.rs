//! Random histories of a keyring: whatever happens, no chain of wraps of an erased key, nor of a lost one, ends at a root
//! that is younger than the one that is said to be its last.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;

use super::super::{CopyUpdate, ErasureState, RootStore};
use super::wraps::Wraps;
use super::*;

#[derive(Clone, Debug)]
enum Happening {
    /// A person gets a key.
    Make,
    Erase(Index),
    /// A rotation begins, unless one is under way.
    Begin,
    /// Its next step.
    Step,
    /// The node dies, and another one starts.
    Crash,
    Copy,
    /// As a standby that receives nothing more, or a backup.
    Save,
    /// The standby is promoted, or the backup is restored. Where a copy is merged, nodes that do not look at it may have
    /// gone on before.
    GoBack {
        goes_on: bool,
    },
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        4 => Just(Happening::Make),
        3 => any::<Index>().prop_map(Happening::Erase),
        2 => Just(Happening::Begin),
        8 => Just(Happening::Step),
        1 => Just(Happening::Crash),
        2 => Just(Happening::Copy),
        1 => Just(Happening::Save),
        1 => any::<bool>().prop_map(|goes_on| Happening::GoBack { goes_on }),
    ];
    prop::collection::vec(one, 20..60)
}

struct History {
    harness: Harness,
    node: Option<Keyring>,
    /// Whether the copy puts back what is lost. Otherwise the server has another history.
    merges: bool,
    is_saved: bool,
    people: BTreeMap<Uuid, (AccountId, Sealed)>,
    /// Everything that anybody has ever kept.
    kept: Wraps,
    /// The newest root when the key was lost.
    lost: BTreeMap<Uuid, i64>,
}

impl History {
    async fn new(merges: bool) -> Self {
        let harness = if merges { Harness::with_copy().await } else { Harness::new().await };
        let mut harness = harness.with_shards(2).await;
        // No root is destroyed, so that every chain can be followed.
        harness.options.root_retention = TimeDelta::days(9);
        let node = Some(harness.node().await);
        let (people, kept, lost) = (BTreeMap::new(), Wraps::default(), BTreeMap::new());
        Self { harness, node, merges, is_saved: false, people, kept, lost }
    }

    fn node(&self) -> &Keyring {
        self.node.as_ref().unwrap()
    }

    async fn happens(&mut self, happening: &Happening) {
        match happening {
            Happening::Make => {
                let made = self.harness.people(self.node(), 1).await;
                self.people.extend(made.into_iter().map(|made| (made.0.0, made)));
            }
            Happening::Erase(of) => {
                let ids: Vec<Uuid> = self.people.keys().copied().collect();
                if !ids.is_empty() {
                    let (person, _) = self.people.remove(of.get(&ids)).unwrap();
                    self.harness.erase(self.node(), person).await;
                }
            }
            Happening::Begin => self.step(Some(DateTime::<Utc>::MAX_UTC)).await,
            Happening::Step => self.step(None).await,
            Happening::Crash => self.restart().await,
            Happening::Copy => {
                if let Some(copy) = &self.node().copy {
                    assert_ne!(copy.update().await.unwrap(), CopyUpdate::Busy);
                }
            }
            Happening::Save => {
                self.harness.back_up().await;
                self.is_saved = true;
            }
            Happening::GoBack { goes_on } if self.is_saved => self.go_back(*goes_on).await,
            Happening::GoBack { .. } => {}
        }
        self.kept.add(&self.harness).await;
        self.holds().await;
    }

    async fn step(&self, begin: Option<DateTime<Utc>>) {
        self.node().root_rotation.step(begin).await.unwrap();
    }

    async fn restart(&mut self) {
        self.node = None;
        self.node = Some(self.harness.node().await);
    }

    async fn go_back(&mut self, goes_on: bool) {
        self.node = None;
        self.harness.take_back().await;
        if self.merges {
            if goes_on {
                let copy = self.harness.options.copy.take();
                self.harness.node().await.root_rotation.rotate().await.unwrap();
                self.harness.options.copy = copy;
                self.kept.add(&self.harness).await;
            }
            // Where the copy knows no more, nothing but the history says that it went back.
            let restored = self.harness.restore().await;
            assert!(matches!(restored, Ok(_) | Err(KeyringError::NothingToRestore(_))));
            if restored.is_err() {
                self.harness.has_another_history().await;
            }
        } else {
            self.harness.has_another_history().await;
        }
        let roots = self.harness.folder().list().await.unwrap();
        let newest = roots.into_iter().max().unwrap().0;
        let states = "select subject, bool_or(wrapped is not null) from keyring.keys group by 1";
        let states = self.harness.sql(states, &[]).await;
        let states: BTreeMap<Uuid, bool> =
            states.iter().map(|row| (row.get(0), row.get(1))).collect();
        for subject in self.kept.subjects() {
            if !states.contains_key(&subject) {
                let lost = self.lost.entry(subject).or_insert(newest);
                // Nodes that went on without the copy could not know: what they wrapped again wrapped this key, too.
                if goes_on && self.merges {
                    *lost = newest;
                }
            }
        }
        self.people.retain(|subject, _| states.get(subject) == Some(&true));
        self.restart().await;
    }

    /// Nothing is proven until the next step of a rotation has found that the server has another history.
    async fn is_in_doubt(&self) -> bool {
        let doubt = "select count(*) from keyring.shard_history where history <> keyring.history()";
        self.harness.count(doubt).await > 0
    }

    async fn holds(&self) {
        for (subject, newest) in &self.lost {
            let youngest = self.kept.youngest_root(*subject);
            assert!(youngest <= Some(*newest), "{subject}, which is lost: {youngest:?}");
        }
        for (person, sealed) in self.people.values() {
            opened(self.node(), *person, sealed).await.unwrap();
        }
        if self.is_in_doubt().await {
            return;
        }
        for subject in self.kept.subjects() {
            let entry = self.node().ledger.entry(domain::SubjectId(subject)).await.unwrap();
            let Some(entry) = entry.filter(|entry| entry.state == ErasureState::KeysErased) else {
                continue;
            };
            let youngest = self.kept.youngest_root(subject);
            let last = entry.last_root.map(|root| root.0);
            assert!(youngest <= last, "{subject}: {youngest:?}, and {last:?} is said");
        }
    }
}

fn run(happenings: &[Happening], merges: bool) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut history = History::new(merges).await;
        for happening in happenings {
            history.happens(happening).await;
        }
        // However it was left, a rotation ends, and everybody opens.
        for _ in 0..2 {
            history.node().root_rotation.rotate().await.unwrap();
            history.kept.add(&history.harness).await;
            history.holds().await;
        }
    });
}

/// The copy knows of a root that was about to become current. Nodes without the copy went on with a younger one.
#[test]
fn a_root_that_was_new_in_the_copy_does_not_become_current_after_a_younger_one() {
    use Happening::{Begin, Copy, GoBack, Make, Save, Step};
    run(&[Make, Save, Begin, Step, Copy, GoBack { goes_on: true }], true);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_server_that_fails_over_leaves_no_erased_key_under_a_younger_root(of in happenings()) {
        run(&of, false);
    }

    #[test]
    fn a_copy_that_is_merged_leaves_no_erased_key_under_a_younger_root(of in happenings()) {
        run(&of, true);
    }
}
