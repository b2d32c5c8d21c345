//! Two nodes of one mind, before a server is called unreachable: the one that does not reach it may be what
//! is cut off.

use std::time::Duration;

use infra::monitors::{OPINION_WITHIN, Opinion, WantedOpinion, WatchedServer};
use infra::remote::RemoteError;
use tokio::time::timeout;

use super::watch::ANSWER;
use crate::operations::connect::{ConnectError, connect};
use crate::wiring::App;

/// For one try: well within the time for which the other node waits.
const TRY_WITHIN: Duration = Duration::from_secs(12);

/// What another node has said last of a server.
pub(super) type Opinions = tokio::sync::watch::Receiver<Option<Opinion>>;

/// Asks another node, if there is one. `true`: that one reaches the server.
pub(super) async fn is_reached(
    app: &App,
    watched: &WatchedServer,
    opinions: &mut Opinions,
) -> bool {
    let server = watched.server;
    let wanted_at = match app.monitors.want_opinion(watched).await {
        Ok(Some(wanted_at)) => wanted_at,
        Ok(None) => return false,
        Err(error) => {
            tracing::warn!(%server, %error, "no other node was asked about a server that is not reached");
            return false;
        }
    };
    let answer =
        opinions.wait_for(|opinion| opinion.is_some_and(|opinion| opinion.wanted_at == wanted_at));
    let answer = timeout(OPINION_WITHIN, answer).await;
    let reached = answer.ok().and_then(Result::ok).and_then(|opinion| opinion.map(|it| it.reached));
    let outcome = match reached {
        Some(true) => "disagreed",
        Some(false) => "agreed",
        None => "none",
    };
    app.metrics.server_opinions.with_label_values(&[outcome]).inc();
    if reached == Some(true) {
        tracing::warn!(%server, "this node does not reach a server that another one reaches: it stays reachable");
    }
    reached == Some(true)
}

/// Tries a server that another node does not reach, once, and says how it went.
pub(super) async fn give(app: App, wanted: WantedOpinion) {
    let tried = timeout(TRY_WITHIN, reaches(&app, &wanted)).await;
    let Some(reached) = tried.unwrap_or(Some(false)) else { return };
    if let Err(error) = app.monitors.give_opinion(wanted, reached).await {
        tracing::warn!(server = %wanted.server, %error, "an opinion of a server was not given: its node decides alone");
    }
}

/// `None`: nothing is known of the server.
async fn reaches(app: &App, wanted: &WantedOpinion) -> Option<bool> {
    let connection = match connect(app, wanted.workspace, wanted.server).await {
        Ok(connection) => connection,
        Err(
            ConnectError::Remote(RemoteError::HostKey { .. })
            | ConnectError::Unknown
            | ConnectError::NotApproved
            | ConnectError::NoCredential
            | ConnectError::Unavailable(_),
        ) => return None,
        Err(ConnectError::Remote(_)) => return Some(false),
    };
    Some(connection.exec("true", &[], ANSWER).await.is_ok())
}
