//! The demo: the whole story on a server of its own, each claim checked. Two people come, and one is
//! erased.

mod backups;
mod claims;
mod drill;
mod person;
mod replayed;
mod residue;
mod rows;
mod server;
mod story;
mod team;

use std::path::PathBuf;

use infra::ids::Ids;

use self::backups::Dumps;
use self::claims::Claims;
use self::drill::Before;
use self::server::RemoteServer;
use self::story::Story;
use self::team::Team;
use crate::{Installation, Mailbox, Sshd, TestServer};

/// The claims that [`play`] makes: fewer of them are not the whole demo.
pub const CLAIMS: usize = 41;

/// Plays on installations of its own, and on a real sshd. Answers how many claims held, or which did
/// not. With `keep` the folders stay.
pub async fn play(keep: bool) -> Result<usize, Vec<String>> {
    let mut claims = Claims::new();
    let sshd = Sshd::start().expect("`.ci/tools sshd` gets the sshd of the demo");
    let installation = || {
        let allowed = format!("127.0.0.1/32:{}", sshd.port());
        let installation = Installation::private(&[
            ("trusted_proxies", "1"),
            ("egress_allow", &allowed),
            // The seats last as long as the demo, on a slow machine, too.
            ("seat_lease_seconds", "3600"),
        ]);
        if keep { installation.keep() } else { installation }
    };
    let (home, copied) = (installation(), installation());
    // Beside the first, and without its copy of the keyring.
    let beside = || installation().and(&[("copy_dir", "")]);
    let (old_keys, drilled) = (beside(), beside());
    let (before, now, mut story) = erasure(&mut claims, &home, copied, &sshd).await;
    let roots = home.root_dir();
    drill::old_keys(&mut claims, &before, &roots, &old_keys).await;
    let dumps = (&before, &now);
    drill::current_keys(&mut claims, dumps, &roots, &drilled, &mut story).await;
    drill::whole_disk(&mut claims, &before, &mut story).await;
    if keep {
        for kept in [&home, &before.disk, &old_keys, &drilled] {
            claims.see(format_args!("kept: {}", kept.folder().display()));
        }
    }
    claims.outcome()
}

/// As far as the API goes, against a server that runs already. `mails` is its mail folder.
pub async fn play_at(url: &str, token: &str, mails: PathBuf) -> Result<usize, Vec<String>> {
    let mut claims = Claims::new();
    let base = url.trim_end_matches('/');
    let mut story = Story::new(base, token, Mailbox::new(mails), &mark());
    let device = story.begin(&mut claims).await;
    story.trail(&mut claims).await;
    story.erase(&mut claims, &device).await;
    let grace = story.serves_grace(base).await;
    claims.holds("Grace is served as before", grace);
    claims
        .see("dumps, replay and restore drill: only on a server of the demo's own (without --url)");
    claims.outcome()
}

/// From the first registration to the replaced root key. Answers the backups from before the
/// erasure, and a dump of today.
async fn erasure(
    claims: &mut Claims,
    home: &Installation,
    copied: Installation,
    sshd: &Sshd,
) -> (Before, Dumps, Story) {
    claims.chapter("A Lethe of its own starts");
    let node = home.node().await;
    for (name, place) in node.places() {
        claims.see(format_args!("{name:<9}{place}"));
    }
    let token = home.operator().await;
    let mut story = Story::new(node.api(), &token, Mailbox::new(home.mail_dir()), &mark());
    let device = story.begin(claims).await;
    let team = Team::gather(claims, &mut story, &device).await;
    let node = work(claims, (home, node), &mut story, &team, sshd).await;
    story.trail(claims).await;
    claims.chapter("Her rows in the log, and what opens of them");
    let rows = rows::show(claims, home, &story.ada.account).await;
    claims.holds("sealed in the log, every field opens for who may", rows.all());

    let (node, before) = back_up(claims, (home, node), copied, &mut story).await;
    let code = story.erase(claims, &device.at(node.api())).await;
    claims.chapter("The same rows again");
    let again = rows::show(claims, home, &story.ada.account).await;
    claims.holds("they are as they were, to the byte", again.sealed.starts_with(&rows.sealed));
    claims.holds("and no field opens", again.none());
    residue::search(claims, home, &story.ada.values()).await;
    replayed::compare(claims, home).await;

    claims.chapter("The root key is replaced, and the old one destroyed");
    let rotated = home.run(&["keys", "rotate"]).await;
    assert!(rotated.status.success());
    claims.see(String::from_utf8_lossy(&rotated.stdout).trim());
    let now = Dumps::take(home).await;
    let grace = story.serves_grace(node.api()).await;
    claims.holds("Grace is served as before", grace);
    story.proven(claims, &code).await;
    assert!(node.stop().await.success());
    (before, now, story)
}

/// Answers the node that was started again.
async fn work(
    claims: &mut Claims,
    (home, node): (&Installation, TestServer),
    story: &mut Story,
    team: &Team,
    sshd: &Sshd,
) -> TestServer {
    let server = RemoteServer::register(claims, story, team, sshd).await;
    server.watched(claims, team).await;
    server.cancelled(claims, team).await;
    server.survives(claims, (home, node), story, team).await
}

/// The dump is taken while Lethe runs, the copy of the disk while it does not.
async fn back_up(
    claims: &mut Claims,
    (home, node): (&Installation, TestServer),
    copied: Installation,
    story: &mut Story,
) -> (TestServer, Before) {
    claims.chapter("Backups are taken");
    let dumps = Dumps::take(home).await;
    claims.see("events, keys and roles are dumped");
    assert!(node.stop().await.success());
    let before = Before::take(claims, home, copied, dumps).await;
    let node = home.node().await;
    story.move_to_server(node.api());
    let grace = story.serves_grace(node.api()).await;
    claims.holds("started again, Lethe finds its data", grace);
    (node, before)
}

/// Makes values that occur nowhere else, so that a search for them finds nothing else.
fn mark() -> String {
    // The first half of a version 7 id is the time.
    Ids::system().uuid().simple().to_string()[20..].to_owned()
}
