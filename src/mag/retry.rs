//! What must not end with its first error: a socket that fails is asked again after a pause, so
//! that a lack of memory or of descriptors costs time, not the gateway's hearing.

use crate::mag::counter::{Counter, Counters};
use std::io;
use std::time::Duration;

/// After a failure: one that lasts costs neither the processor nor the log much.
const PAUSE: Duration = Duration::from_millis(200);

/// What the socket `what` gave. `None` after a failure, which is counted and logged, and a pause:
/// the caller is to try again.
pub(crate) async fn ok_or_pause<T: Send>(
    what: &'static str,
    counters: &Counters,
    outcome: io::Result<T>,
) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            counters.add(Counter::SocketFailed);
            tracing::warn!(%error, what, "a socket failed; trying again");
            tokio::time::sleep(PAUSE).await;
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn failure_is_counted_and_followed_by_a_pause() {
        let (counters, began) = (Counters::default(), tokio::time::Instant::now());
        assert_eq!(ok_or_pause("test", &counters, Ok(7)).await, Some(7));
        let failed: io::Result<i32> = Err(io::ErrorKind::OutOfMemory.into());
        assert_eq!(ok_or_pause("test", &counters, failed).await, None);
        assert!(began.elapsed() >= PAUSE, "it does not spin");
        let counted = counters.rows().find(|(name, _)| *name == "socket_failed");
        assert_eq!(counted, Some(("socket_failed", 1)));
    }
}
