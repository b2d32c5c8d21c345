//! Every place of root keys does the same: a folder, and Vault.

use test_support::Vault;

use super::super::{RootErasure, RootFingerprint, RootId, RootStoreError};
use super::root_vault::{TOKEN, options};
use super::*;
use crate::keyring::RootVault;

/// Where the nodes of an installation have their roots, with a hand of its own in it.
enum Place {
    Folder(TempDir),
    Vault(Vault),
}

impl Place {
    fn folder() -> Self {
        Self::Folder(tempfile::tempdir().unwrap())
    }

    async fn vault() -> Self {
        Self::Vault(Vault::start(TOKEN).await)
    }

    fn node(&self) -> Arc<dyn RootStore> {
        match self {
            Self::Folder(dir) => {
                Arc::new(RootFolder::open(&dir.path().join("roots"), None).unwrap())
            }
            Self::Vault(vault) => Arc::new(RootVault::open(options(&vault.url())).unwrap()),
        }
    }

    /// Somebody else deletes a root.
    fn lose(&self, id: i64) {
        match self {
            Self::Folder(dir) => {
                std::fs::remove_file(dir.path().join(format!("roots/root-{id}.key"))).unwrap();
            }
            Self::Vault(vault) => vault.delete(&format!("lethe-root-{id}")),
        }
    }

    /// Somebody else stores what is no root.
    fn add_others(&self) {
        for name in ["notes", "root-", "root-x", "root-1-old", "root-+1"] {
            match self {
                Self::Folder(dir) => {
                    std::fs::write(dir.path().join(format!("roots/{name}.key")), "").unwrap();
                }
                Self::Vault(vault) => vault.add(&format!("lethe-{name}")),
            }
        }
    }

    fn go_away(&self) {
        match self {
            Self::Folder(dir) => {
                std::fs::rename(dir.path().join("roots"), dir.path().join("away")).unwrap();
                std::fs::write(dir.path().join("roots"), "").unwrap();
            }
            Self::Vault(vault) => vault.seal(),
        }
    }

    fn come_back(&self) {
        match self {
            Self::Folder(dir) => {
                std::fs::remove_file(dir.path().join("roots")).unwrap();
                std::fs::rename(dir.path().join("away"), dir.path().join("roots")).unwrap();
            }
            Self::Vault(vault) => vault.unseal(),
        }
    }
}

macro_rules! everywhere {
    ($($test:ident)+) => {
        mod folder {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::Place::folder()).await;
            })+
        }

        mod vault {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::Place::vault().await).await;
            })+
        }
    };
}

everywhere! {
    a_root_is_made_read_listed_and_erased
    a_root_that_was_not_there_is_not_called_erased
    a_root_that_somebody_else_deleted_is_not_called_erased
    an_erasure_that_was_not_noted_is_known_to_the_next_node
    a_root_is_never_replaced
    a_node_reads_what_another_one_made
    a_place_that_is_not_reached_says_nothing_of_a_root
    what_others_store_in_the_place_is_no_root
}

async fn a_root_is_made_read_listed_and_erased(place: Place) {
    let roots = place.node();
    assert!(roots.read(RootId(3)).await.unwrap().is_none());
    assert!(roots.list().await.unwrap().is_empty());

    let key = roots.create(RootId(3)).await.unwrap();
    let later = roots.create(RootId(12)).await.unwrap();

    assert_ne!(key.expose(), later.expose());
    assert_eq!(roots.read(RootId(3)).await.unwrap().unwrap().expose(), key.expose());
    assert_eq!(roots.read(RootId(12)).await.unwrap().unwrap().expose(), later.expose());
    assert_eq!(roots.list().await.unwrap(), [RootId(3), RootId(12)]);
    let of = RootFingerprint::of(&key);
    for _ in 0..2 {
        assert_eq!(roots.erase(RootId(3), of).await.unwrap(), RootErasure::Erased);
    }
    assert!(roots.read(RootId(3)).await.unwrap().is_none());
    assert_eq!(roots.list().await.unwrap(), [RootId(3), RootId(12)], "its mark");
    roots.delete_mark(RootId(3)).await.unwrap();
    roots.delete_mark(RootId(3)).await.unwrap();
    assert_eq!(roots.list().await.unwrap(), [RootId(12)]);
}

async fn a_root_that_was_not_there_is_not_called_erased(place: Place) {
    let roots = place.node();
    let of = RootFingerprint::of(&Secret::random().unwrap());
    assert_eq!(roots.erase(RootId(1), of).await.unwrap(), RootErasure::NotFound);

    let other = roots.create(RootId(1)).await.unwrap();
    assert_eq!(roots.erase(RootId(1), of).await.unwrap(), RootErasure::OtherKey);
    assert_eq!(roots.read(RootId(1)).await.unwrap().unwrap().expose(), other.expose());

    // The mark of another key under this number says nothing of this one.
    let erased = roots.erase(RootId(1), RootFingerprint::of(&other)).await.unwrap();
    assert_eq!(erased, RootErasure::Erased);
    assert_eq!(roots.erase(RootId(1), of).await.unwrap(), RootErasure::NotFound);
}

async fn a_root_that_somebody_else_deleted_is_not_called_erased(place: Place) {
    let roots = place.node();
    let key = roots.create(RootId(1)).await.unwrap();

    place.lose(1);

    assert!(roots.read(RootId(1)).await.unwrap().is_none());
    let erased = roots.erase(RootId(1), RootFingerprint::of(&key)).await.unwrap();
    assert_eq!(erased, RootErasure::NotFound);
}

/// A node was killed before it wrote into the database what it had erased.
async fn an_erasure_that_was_not_noted_is_known_to_the_next_node(place: Place) {
    let key = place.node().create(RootId(1)).await.unwrap();
    let of = RootFingerprint::of(&key);
    place.node().erase(RootId(1), of).await.unwrap();

    let next = place.node();

    assert_eq!(next.erase(RootId(1), of).await.unwrap(), RootErasure::Erased);
    next.delete_mark(RootId(1)).await.unwrap();
    assert_eq!(next.erase(RootId(1), of).await.unwrap(), RootErasure::NotFound);
}

async fn a_root_is_never_replaced(place: Place) {
    let roots = place.node();
    let key = roots.create(RootId(1)).await.unwrap();

    for node in [place.node(), roots] {
        let refused = node.create(RootId(1)).await.err().unwrap();
        assert!(matches!(refused, RootStoreError::Taken { .. }), "{refused}");
        assert_eq!(node.read(RootId(1)).await.unwrap().unwrap().expose(), key.expose());
    }
}

async fn a_node_reads_what_another_one_made(place: Place) {
    let (one, other) = (place.node(), place.node());

    let key = one.create(RootId(7)).await.unwrap();

    assert_eq!(other.read(RootId(7)).await.unwrap().unwrap().expose(), key.expose());
    assert_eq!(other.list().await.unwrap(), [RootId(7)]);
    other.erase(RootId(7), RootFingerprint::of(&key)).await.unwrap();
    assert!(one.read(RootId(7)).await.unwrap().is_none());
}

async fn a_place_that_is_not_reached_says_nothing_of_a_root(place: Place) {
    let roots = place.node();
    let key = roots.create(RootId(1)).await.unwrap();
    let erased = roots.create(RootId(2)).await.unwrap();
    let (of, of_erased) = (RootFingerprint::of(&key), RootFingerprint::of(&erased));
    roots.erase(RootId(2), of_erased).await.unwrap();

    place.go_away();

    for id in [RootId(1), RootId(2), RootId(3)] {
        assert!(roots.read(id).await.is_err());
        assert!(roots.create(id).await.is_err());
    }
    assert!(roots.erase(RootId(1), of).await.is_err());
    assert!(roots.erase(RootId(2), of_erased).await.is_err());
    assert!(roots.list().await.is_err());
    place.come_back();
    assert_eq!(roots.read(RootId(1)).await.unwrap().unwrap().expose(), key.expose());
    assert_eq!(roots.list().await.unwrap(), [RootId(1), RootId(2)]);
    assert_eq!(roots.erase(RootId(2), of_erased).await.unwrap(), RootErasure::Erased);
}

async fn what_others_store_in_the_place_is_no_root(place: Place) {
    let roots = place.node();
    roots.create(RootId(1)).await.unwrap();

    place.add_others();

    assert_eq!(roots.list().await.unwrap(), [RootId(1)]);
}
