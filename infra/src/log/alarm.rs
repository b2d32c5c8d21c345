//! Alarms of a node: 1 in the metrics while at least one of its readers has raised them.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::IntGauge;

/// The alarms that stop a reader at an event.
pub(super) struct Alarms {
    /// The next position is missing from the log.
    pub hole: Alarm,
    /// The next event cannot be read.
    pub damaged: Alarm,
}

impl Alarms {
    pub(super) fn new(hole: IntGauge, damaged: IntGauge) -> Self {
        Self { hole: Alarm::new(hole), damaged: Alarm::new(damaged) }
    }

    /// For one more reader of the node. What it has raised ends with it.
    pub(super) fn for_reader(&self) -> Self {
        Self { hole: self.hole.for_reader(), damaged: self.damaged.for_reader() }
    }

    pub(super) fn end(&mut self) {
        self.hole.set(false);
        self.damaged.set(false);
    }
}

/// One reader's part of an alarm.
pub(super) struct Alarm {
    gauge: IntGauge,
    /// How many readers of the node have raised it.
    raised: Arc<Mutex<usize>>,
    is_raised: bool,
}

impl Alarm {
    fn new(gauge: IntGauge) -> Self {
        Self { gauge, raised: Arc::default(), is_raised: false }
    }

    fn for_reader(&self) -> Self {
        Self { gauge: self.gauge.clone(), raised: Arc::clone(&self.raised), is_raised: false }
    }

    pub(super) fn set(&mut self, is_raised: bool) {
        if self.is_raised == is_raised {
            return;
        }
        self.is_raised = is_raised;
        // The gauge is set under the lock: otherwise two readers could set it in the wrong order.
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        *raised = if is_raised { *raised + 1 } else { raised.saturating_sub(1) };
        self.gauge.set(i64::from(*raised > 0));
    }
}

/// Another node may own the reader from now on, and shows the alarm there.
impl Drop for Alarm {
    fn drop(&mut self) {
        self.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gauge_is_raised_until_the_last_reader_has_ended_its_alarm() {
        let gauge = IntGauge::new("hole", "A hole in the log.").unwrap();
        let damaged = IntGauge::new("damaged", "A damaged event.").unwrap();
        let alarms = Alarms::new(gauge.clone(), damaged.clone());
        let (mut one, mut two, mut three) =
            (alarms.for_reader(), alarms.for_reader(), alarms.for_reader());
        for reader in [&mut one, &mut two, &mut three] {
            reader.hole.set(true);
            reader.hole.set(true);
        }

        one.hole.set(false);
        one.hole.set(false);
        assert_eq!(gauge.get(), 1, "two readers see the hole");
        two.end();
        assert_eq!(gauge.get(), 1, "one reader sees the hole");
        drop(three);
        assert_eq!((gauge.get(), damaged.get()), (0, 0));
    }
}
