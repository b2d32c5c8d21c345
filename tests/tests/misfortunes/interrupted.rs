//! Work goes on while root keys are rotated.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::stream::{self, StreamExt};
use tests::{Client, Installation, Person, until};

const ROTATIONS: usize = 3;
/// A node hashes few passwords at once, and refuses whoever would wait for long.
const SIGN_INS_AT_ONCE: usize = 16;

/// Registers people one after the other until it shall stop; answers who got a 201, and counts them meanwhile.
async fn register_on(
    client: Client,
    (caller, count): (usize, &AtomicUsize),
    stop: &tokio::sync::Notify,
) -> Vec<Person> {
    let mut people = Vec::new();
    let registers = async {
        for turn in 0.. {
            let person = Person::named(&format!("caller{caller}-{turn}"));
            person.register(&client).await;
            people.push(person);
            count.fetch_add(1, Ordering::Relaxed);
        }
    };
    tokio::select! {
        () = registers => {}
        () = stop.notified() => {}
    }
    people
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_lost_when_another_process_turns_the_root_meanwhile() {
    let installation = Installation::new().await;
    let nodes = [installation.node().await, installation.node().await];
    let stop = tokio::sync::Notify::new();
    let counts = [AtomicUsize::new(0), AtomicUsize::new(0)];
    let counted = || counts.each_ref().map(|count| count.load(Ordering::Relaxed));
    let turns = async {
        for _ in 0..ROTATIONS {
            let before = counted();
            let rotated = installation.run(&["keys", "rotate"]).await;
            assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
            until("somebody has come on each node", async || {
                counted().iter().zip(before).all(|(now, before)| *now > before)
            })
            .await;
        }
        stop.notify_waiters();
    };
    let (first, second, ()) = tokio::join!(
        register_on(nodes[0].client(), (0, &counts[0]), &stop),
        register_on(nodes[1].client(), (1, &counts[1]), &stop),
        turns,
    );
    assert!(first.len() >= ROTATIONS && second.len() >= ROTATIONS, "nobody was there meanwhile");
    for node in nodes {
        assert!(node.stop().await.success());
    }

    // A node that has nothing in memory opens everybody, under the one root that is left.
    let left = std::fs::read_dir(installation.root_dir()).unwrap().count();
    assert_eq!(left, 1, "old roots are still there");
    let lethe = installation.node().await;
    let client = lethe.client();
    let opens = async |person: &Person| {
        let signed_in = person.sign_in(&client).await;
        let me = until("the read side has caught up", async || {
            Some(signed_in.get("/v1/me").await).filter(|me| me.status == 200)
        });
        assert_eq!(me.await.field("/name"), person.name);
    };
    let everybody = stream::iter(first.iter().chain(&second).map(opens));
    everybody.buffer_unordered(SIGN_INS_AT_ONCE).collect::<Vec<()>>().await;
}
