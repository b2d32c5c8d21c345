//! The claim that a replay makes of every read model what it was.

use super::claims::Claims;
use crate::{Installation, replay_all};

pub async fn compare(claims: &mut Claims, installation: &Installation) {
    claims.chapter("Every read model is replayed from zero");
    let [before, after] = replay_all(installation, &installation.log_url()).await;
    for (table, (rows, checksum)) in &after {
        claims.see(format_args!("{table:<12}{rows:>5} rows  {checksum}"));
    }
    let same = before == after && after["accounts"].0 > 0;
    claims.holds("the tables are the same, byte for byte", same);
}
