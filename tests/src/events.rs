//! Server-sent events, read one by one.

use reqwest::Response;
use serde_json::Value;

use crate::{Call, LIMIT};

/// A stream that is open.
pub struct Events {
    response: Response,
    read: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct Event {
    pub id: Option<u64>,
    pub name: String,
    pub data: Value,
}

impl Events {
    pub async fn open(call: Call) -> Self {
        let response = call.header("Accept", "text/event-stream").begin().await;
        assert_eq!(response.status().as_u16(), 200);
        Self { response, read: Vec::new() }
    }

    /// None when the stream has ended. Pings and the like are left out.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some(at) = self.read.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.read.drain(..at + 2).collect();
                if let Some(event) = event(std::str::from_utf8(&block).unwrap()) {
                    return Some(event);
                }
            }
            let chunk = tokio::time::timeout(LIMIT, self.response.chunk()).await.unwrap();
            self.read.extend(chunk.unwrap()?);
        }
    }

    /// All that comes until the stream ends.
    pub async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

fn event(block: &str) -> Option<Event> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
    let name = field("event: ")?.to_owned();
    let data = serde_json::from_str(field("data: ")?).unwrap();
    Some(Event { id: field("id: ").map(|id| id.parse().unwrap()), name, data })
}
