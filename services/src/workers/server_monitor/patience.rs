//! How long a server is left alone that refuses its credential: whoever tries a wrong key without end is
//! locked out there, and fills its log.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::server::{Failures, UnreachableThreshold};

/// After this many refusals in a row each further one is followed by a pause.
const REFUSED_MIN: u32 = 3;
/// After the first of them, the second, and so on; the last is that of all further ones.
const PAUSES: [Duration; 4] =
    [Duration::from_mins(1), Duration::from_mins(5), Duration::from_mins(15), LONGEST];
pub(super) const LONGEST: Duration = Duration::from_hours(1);
/// After so many, over an hour at least, nobody tries any more before something has changed.
const REFUSED_MAX: u32 = 10;
const STOP_OVER: TimeDelta = TimeDelta::hours(1);

/// What follows a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The next probe, in time.
    Probe,
    Pause(Duration),
    Stop,
}

/// `refused` of these failures were refusals, the last one as well. The pause is so short that the server
/// is called unreachable as early as one that does not answer.
pub(super) fn after_refusal(
    failures: Failures,
    refused: u32,
    threshold: UnreachableThreshold,
    now: DateTime<Utc>,
) -> Next {
    let Some(more) = refused.checked_sub(REFUSED_MIN) else { return Next::Probe };
    let lasts = now - failures.since;
    if refused >= REFUSED_MAX && lasts >= STOP_OVER {
        return Next::Stop;
    }
    let pause = usize::try_from(more).ok().and_then(|more| PAUSES.get(more).copied());
    let pause = pause.unwrap_or(LONGEST);
    if failures.reach(threshold, now) {
        return Next::Pause(pause);
    }
    Next::Pause(pause.min((threshold.over - lasts).to_std().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(30);

    fn noon() -> DateTime<Utc> {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn over(seconds: i64) -> UnreachableThreshold {
        UnreachableThreshold {
            over: TimeDelta::seconds(seconds),
            ..UnreachableThreshold::default()
        }
    }

    /// When the server was tried, in seconds, until nobody tries it any more.
    fn tries(threshold: UnreachableThreshold) -> Vec<i64> {
        let (mut now, mut failures, mut tries) = (noon(), None, Vec::new());
        loop {
            tries.push((now - noon()).num_seconds());
            let failed = Failures::more(failures, now);
            failures = Some(failed);
            now += match after_refusal(failed, failed.count, threshold, now) {
                Next::Probe => PERIOD,
                Next::Pause(pause) => pause.max(PERIOD),
                Next::Stop => return tries,
            };
        }
    }

    #[test]
    fn a_server_that_refuses_is_left_alone_for_longer_and_longer_and_then_for_good() {
        let minutes = [0, 30, 60, 90, 390, 1290, 4890, 8490, 12090, 15690];
        assert_eq!(tries(over(90)), minutes);
        let patient = [0, 30, 60, 120, 420, 1320, 4920, 8520, 12120, 15720];
        assert_eq!(tries(over(86_400)), patient, "also before it is called unreachable");
    }

    #[test]
    fn it_is_called_unreachable_as_early_as_another() {
        for seconds in [1, 60, 61, 90, 100, 119] {
            let threshold = over(seconds);
            let unreachable = (1..).zip(tries(threshold)).find(|(count, at)| {
                let failures = Failures { count: *count, since: noon() };
                failures.reach(threshold, noon() + TimeDelta::seconds(*at))
            });
            let (_, at) = unreachable.unwrap();
            assert!(at <= seconds.max(60) + 30, "{seconds}: {at}");
        }
    }

    #[test]
    fn many_refusals_within_an_hour_do_not_end_the_watch() {
        let failures = Failures { count: 10, since: noon() };
        let after = |seconds| noon() + TimeDelta::seconds(seconds);
        assert_eq!(after_refusal(failures, 10, over(90), after(3599)), Next::Pause(LONGEST));
        assert_eq!(after_refusal(failures, 10, over(90), after(3600)), Next::Stop);
        assert_eq!(after_refusal(failures, 9, over(90), after(9999)), Next::Pause(LONGEST));
        assert_eq!(after_refusal(failures, 2, over(90), after(9999)), Next::Probe);
    }
}
