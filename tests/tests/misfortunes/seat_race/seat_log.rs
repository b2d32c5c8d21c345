//! What the log says of the seats, counted without the programme's own code.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tests::Installation;

const LIST_SEAT_EVENTS: &str = "select event_type, data::text, recorded_at from event_log.events \
    where stream_type = 'seats' order by position";

#[derive(Debug, Default)]
pub struct SeatLog {
    /// Every lease there ever was, with its fence.
    pub leases: BTreeMap<String, u64>,
    pub most_at_once: usize,
    /// Leases that nobody renewed or gave back: when they were acquired, and when they were ended.
    pub expired: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    pub denials: usize,
    live: BTreeMap<String, (String, DateTime<Utc>)>,
    fence: u64,
}

impl SeatLog {
    pub async fn read(installation: &Installation) -> Self {
        let client = installation.log().await;
        let rows = client.query(LIST_SEAT_EVENTS, &[]).await.unwrap();
        let mut log = Self::default();
        for row in rows {
            let data: Value = serde_json::from_str(row.get(1)).unwrap();
            log.fold(row.get(0), &data, row.get(2));
        }
        log
    }

    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    fn fold(&mut self, event_type: &str, data: &Value, at: DateTime<Utc>) {
        let text = |name: &str| data[name].as_str().unwrap().to_owned();
        match event_type {
            "seat.lease_acquired" => {
                let (account, lease, fence) =
                    (text("account"), text("lease"), data["fence"].as_u64().unwrap());
                assert!(fence > self.fence, "the fence of {lease} does not grow");
                self.fence = fence;
                assert!(self.leases.insert(lease.clone(), fence).is_none(), "{lease} came twice");
                let before = self.live.insert(account, (lease, at));
                assert_eq!(before, None, "a person has one lease");
                self.most_at_once = self.most_at_once.max(self.live.len());
            }
            "seat.lease_released" => {
                assert!(self.end(&text("account"), &text("lease")).is_some());
            }
            "seat.lease_expired" => {
                let since = self.end(&text("account"), &text("lease")).expect("a live lease");
                self.expired.push((since, at));
            }
            "seat.denied" => self.denials += 1,
            "seat.limit_set" => {}
            other => panic!("{other} does not belong here"),
        }
    }

    fn end(&mut self, account: &str, lease: &str) -> Option<DateTime<Utc>> {
        let (held, since) = self.live.remove(account)?;
        (held == lease).then_some(since)
    }
}
