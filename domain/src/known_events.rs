//! Which event types this programme knows, and in which newest shape.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::Event;
use crate::account::AccountEvent;
use crate::log::LogEvent;
use crate::operator::OperatorEvent;
use crate::run::RunEvent;
use crate::seat::SeatEvent;
use crate::server::ServerEvent;
use crate::session::SessionEvent;
use crate::strangers::StrangersEvent;
use crate::workspace::WorkspaceEvent;

static NEWEST: LazyLock<HashMap<&str, i16>> = LazyLock::new(|| {
    let all = [
        AccountEvent::TYPES,
        SessionEvent::TYPES,
        StrangersEvent::TYPES,
        OperatorEvent::TYPES,
        LogEvent::TYPES,
        WorkspaceEvent::TYPES,
        ServerEvent::TYPES,
        RunEvent::TYPES,
        SeatEvent::TYPES,
    ];
    all.into_iter().flatten().copied().collect()
});

/// The newest version of the event type's shape that this programme reads; `None` for a type that it
/// does not know.
pub fn newest_version(event_type: &str) -> Option<i16> {
    NEWEST.get(event_type).copied()
}

/// Every event type that this programme knows, in the order of the alphabet.
pub fn event_types() -> Vec<&'static str> {
    let mut types: Vec<_> = NEWEST.keys().copied().collect();
    types.sort_unstable();
    types
}
