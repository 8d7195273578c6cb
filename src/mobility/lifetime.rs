//! Lifetimes: what is granted, and the queue of everything that ends by itself.

use crate::mobility::action::BindingId;
use crate::mobility::question::QuestionId;
use crate::mobility::waiting::WaitId;
use crate::time::{Duration, Instant, Lifetime};
use std::collections::BTreeSet;
use std::net::Ipv6Addr;

/// The lifetime to grant: what was asked for, at most what policy allows, never rounded up
/// (RFC 6275 10.3.1). One unit at least: zero in a PBA would tell the gateway that it
/// de-registered.
pub(crate) fn grant(requested: Lifetime, max: Duration) -> Lifetime {
    requested.min(Lifetime::at_most(max)).max(Lifetime(1))
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TimerKey {
    /// The answer to an indication, by its sequence number. It stands first: what is given up at
    /// the moment at which a session ends, ends it.
    Revocation(u16),
    /// The lifetime or the delete delay of a binding.
    Binding(BindingId),
    /// `MaxDelayBeforeNewBCEAssign` of an update that waits.
    Waiting(WaitId),
    /// The next heartbeat request to a gateway.
    Heartbeat(Ipv6Addr),
    /// The policy store's answer.
    Policy(QuestionId),
}

/// Everything that ends by itself, in order. One entry a binding: it stays where it is when the
/// binding is refreshed, and is set anew when its time comes and the binding's has not
/// ([`Self::follow`]). Bindings, of which there are millions, have a set of their own, in less than
/// half the room.
#[derive(Debug, Default)]
pub(crate) struct TimerQueue {
    bindings: BTreeSet<(Instant, BindingId)>,
    others: BTreeSet<(Instant, TimerKey)>,
}

impl TimerQueue {
    pub(crate) fn arm(&mut self, at: Instant, key: TimerKey) {
        match key {
            TimerKey::Binding(id) => self.bindings.insert((at, id)),
            key => self.others.insert((at, key)),
        };
    }

    /// Has a timer come at `at`, or before: one that is `set` to an earlier time is left there, and
    /// whoever it wakes then follows again. Most lifetimes are extended long before they end; their
    /// timers move once a lifetime, not with each extension.
    pub(crate) fn follow(&mut self, set: &mut Option<Instant>, at: Instant, key: TimerKey) {
        if let Some(before) = *set {
            if before <= at {
                return;
            }
            self.disarm(before, key);
        }
        self.arm(at, key);
        *set = Some(at);
    }

    pub(crate) fn disarm(&mut self, at: Instant, key: TimerKey) {
        match key {
            TimerKey::Binding(id) => self.bindings.remove(&(at, id)),
            key => self.others.remove(&(at, key)),
        };
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.first().map(|(at, _)| at)
    }

    /// Takes the earliest that is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<TimerKey> {
        let (at, key) = self.first().filter(|(at, _)| *at <= now)?;
        self.disarm(at, key);
        Some(key)
    }

    fn first(&self) -> Option<(Instant, TimerKey)> {
        let binding = self.bindings.first().map(|&(at, id)| (at, TimerKey::Binding(id)));
        binding.into_iter().chain(self.others.first().copied()).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grant_is_the_lesser_of_request_and_policy() {
        let max = Duration::from_secs(60);
        assert_eq!(grant(Lifetime(5), max), Lifetime(5));
        assert_eq!(grant(Lifetime(900), max), Lifetime(15));
        assert_eq!(grant(Lifetime(900), Duration::from_secs(63)), Lifetime(15));
    }

    #[test]
    fn grant_is_never_zero() {
        assert_eq!(grant(Lifetime(9), Duration::from_secs(3)), Lifetime(1));
    }

    #[test]
    fn timers_come_due_in_order_and_not_before() {
        let mut q = TimerQueue::default();
        let (a, b) = (TimerKey::Binding(BindingId(1)), TimerKey::Binding(BindingId(2)));
        q.arm(Instant(20), a);
        q.arm(Instant(10), b);
        assert_eq!((q.next(), q.pop_due(Instant(9))), (Some(Instant(10)), None));
        q.disarm(Instant(10), b);
        assert_eq!(q.pop_due(Instant(19)), None);
        assert_eq!((q.pop_due(Instant(20)), q.next()), (Some(a), None));
    }

    #[test]
    fn of_what_is_due_at_once_revocations_come_first() {
        let mut q = TimerQueue::default();
        let keys = [
            TimerKey::Revocation(7),
            TimerKey::Binding(BindingId(1)),
            TimerKey::Heartbeat(Ipv6Addr::LOCALHOST),
        ];
        keys.iter().rev().for_each(|key| q.arm(Instant(10), *key));
        assert_eq!(keys.map(|_| q.pop_due(Instant(10))), keys.map(Some));
    }

    #[test]
    fn timer_follows_at_once_to_an_earlier_time_and_stays_before_a_later_one() {
        let (mut q, mut set) = (TimerQueue::default(), None);
        let key = TimerKey::Binding(BindingId(1));
        for (at, next) in [(20, 20), (30, 20), (10, 10)] {
            q.follow(&mut set, Instant(at), key);
            assert_eq!((q.next(), set), (Some(Instant(next)), Some(Instant(next))));
        }
        assert_eq!((q.pop_due(Instant(10)), q.next()), (Some(key), None), "there is one");
    }
}
