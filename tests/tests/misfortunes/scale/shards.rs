//! Live keys under every shard key, made as the programme makes them: a rotation can wrap these again.

use domain::privacy::{ApiTokenName, Label};
use domain::{ApiTokenId, WorkspaceId};
use futures_util::{StreamExt, stream};
use infra::keyring::Keyring;
use ring::digest::{SHA256, digest};
use tests::{Installation, until};
use uuid::Uuid;

use super::fill::inner_node;

const SHARDS: usize = 16_384;
/// More than one statement makes: who asks for keys at the same time shares the statements.
const MADE_AT_ONCE: usize = 512;

/// One key in each shard, and in shard 0 as many as each has of so many `keys`.
pub async fn fill_shards(installation: &Installation, keys: i64) {
    let mut wanted = vec![1; SHARDS];
    // One is erased later.
    wanted[0] = (usize::try_from(keys).unwrap() / SHARDS).max(2);
    let count = wanted.iter().sum();
    let subjects = subjects().filter(|subject| {
        let wanted = &mut wanted[shard_of(*subject)];
        let is_wanted = *wanted > 0;
        *wanted -= usize::from(is_wanted);
        is_wanted
    });
    let subjects: Vec<Uuid> = subjects.take(count).collect();
    let node = inner_node(installation).await;
    let making = subjects.into_iter().map(|subject| make_key(&node.keyring, subject));
    stream::iter(making).buffer_unordered(MADE_AT_ONCE).collect::<Vec<()>>().await;
}

async fn make_key(keyring: &Keyring, subject: Uuid) {
    let (workspace, token) = (WorkspaceId(subject), ApiTokenId(subject));
    let (tenant, subject) = (workspace.into(), workspace.into());
    let name = Label::parse("a token").unwrap();
    // A machine that is busy may be late to renew the lease of the keys.
    until("a key is made", async || {
        let sealer = &keyring.sealer;
        let made = sealer.seal_value::<ApiTokenName>(tenant, subject, token.into(), &name);
        made.await.map_err(|error| error.to_string())
    })
    .await;
}

/// Erases somebody of shard 0: the next rotation wraps the keys of all others there again.
pub async fn erase_in_first_shard(keyring: &Keyring) {
    let subject = subjects().find(|subject| shard_of(*subject) == 0).unwrap();
    let erased = keyring.eraser.erase_subject(WorkspaceId(subject).into()).await.unwrap();
    assert_eq!(erased.keys, 1);
}

fn subjects() -> impl Iterator<Item = Uuid> {
    (1..).map(|number| Uuid::from_u128((4 << 124) | number))
}

/// As `keyring.shard_of` answers.
fn shard_of(subject: Uuid) -> usize {
    let hash = digest(&SHA256, subject.as_bytes());
    let [first, second, ..] = hash.as_ref() else { unreachable!("it has 32 bytes") };
    usize::from(u16::from_be_bytes([*first, *second])) % SHARDS
}
