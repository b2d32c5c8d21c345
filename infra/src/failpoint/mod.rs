//! Named steps at which the process stops itself as `kill -9` does, for the tests of crashes. Without
//! the feature `testing` there is nothing of them in the programme.

#[cfg(feature = "testing")]
mod points;
#[cfg(feature = "testing")]
mod stop;

#[cfg(feature = "testing")]
pub use points::Failpoint;
#[cfg(feature = "testing")]
pub use stop::{reached, reached_during, read_setting};

/// Marks a step: `failpoint!(RunLaunched)` after it, `failpoint!(BatchPartlyAnswered if condition)`
/// where only some passes count, and `failpoint!(AppendSent during future).await` for a step that is
/// reached once the future has sent what it sends. The name is a variant of `Failpoint`.
#[cfg(feature = "testing")]
#[macro_export]
macro_rules! failpoint {
    ($point:ident) => {
        $crate::failpoint::reached($crate::failpoint::Failpoint::$point)
    };
    ($point:ident if $condition:expr) => {
        if $condition {
            $crate::failpoint::reached($crate::failpoint::Failpoint::$point)
        }
    };
    ($point:ident during $future:expr) => {
        $crate::failpoint::reached_during($crate::failpoint::Failpoint::$point, $future)
    };
}

/// Marks a step for the tests of crashes. Without the feature `testing` it is nothing.
#[cfg(not(feature = "testing"))]
#[macro_export]
macro_rules! failpoint {
    ($point:ident) => {};
    ($point:ident if $condition:expr) => {};
    ($point:ident during $future:expr) => {
        $future
    };
}
