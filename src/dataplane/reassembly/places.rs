//! Which place a packet has that is being put together, and which one has to go.
//!
//! ```text
//!   key --hash--> chain: place -> place         (mostly one, of 512 chains for 256 places)
//!   age:          oldest <-> ... <-> newest     (packets are given up in this order)
//! ```
//!
//! All is made at start, and all takes a bounded number of steps: looking up as many as a chain is
//! long, beginning, ending and expiring a few. Only where there is no place left, the packets are
//! walked by age until one is found of the gateway that holds the most: a gateway whose fragments
//! never become packets pushes out its own.

use super::Key;
use crate::dataplane::hash::{high, low, mix, slot};
use crate::time::Instant;

/// Packets at once, a worker.
pub(in super::super) const DATAGRAMS_MAX: usize = 256;
/// Chains of the hash.
const CHAINS: usize = 512;
/// Gateways that are told apart when one has to give something up; those with the same hash are
/// one.
const SHARES: usize = 64;
/// No place.
const NONE: u16 = u16::MAX;

/// A place and its neighbours.
#[derive(Debug, Clone, Copy)]
struct Link {
    key: Key,
    deadline: Instant,
    /// In its chain, or among the free ones.
    next: u16,
    /// By age.
    older: u16,
    newer: u16,
    share: u16,
}

/// All places of a worker.
#[derive(Debug)]
pub(super) struct Places {
    /// So that nobody can foretell which keys share a chain.
    secret: u64,
    chains: Box<[u16]>,
    links: Box<[Link]>,
    free: u16,
    oldest: u16,
    newest: u16,
    /// Places in use, by share and in all.
    held: [u16; SHARES],
    used: usize,
}

impl Places {
    /// All free.
    pub(super) fn new(secret: u64) -> Self {
        let key = Key { src: 0, dst: 0, identification: 0, protocol: 0 };
        let link =
            |next| Link { key, deadline: Instant(0), next, older: NONE, newer: NONE, share: 0 };
        let count = u16::try_from(DATAGRAMS_MAX).unwrap_or(NONE);
        Self {
            secret,
            chains: vec![NONE; CHAINS].into_boxed_slice(),
            links: (1..count).chain([NONE]).map(link).collect(),
            free: 0,
            oldest: NONE,
            newest: NONE,
            held: [0; SHARES],
            used: 0,
        }
    }

    /// How many are in use.
    pub(super) const fn used(&self) -> usize {
        self.used
    }

    /// The place of a packet.
    pub(super) fn find(&self, key: &Key) -> Option<usize> {
        let mut at = self.chains.get(self.chain(key)).copied()?;
        while let Some(link) = self.links.get(usize::from(at)) {
            if link.key == *key {
                return Some(usize::from(at));
            }
            at = link.next;
        }
        None
    }

    /// A place for a packet that has none. `None`: one has to be released first.
    pub(super) fn begin(&mut self, key: Key, deadline: Instant) -> Option<usize> {
        let (at, chain, share) = (self.free, self.chain(&key), self.share(key.src));
        let link = self.links.get_mut(usize::from(at))?;
        self.free = link.next;
        let next = self.chains.get(chain).copied().unwrap_or(NONE);
        *link = Link { key, deadline, next, older: self.newest, newer: NONE, share };
        if let Some(head) = self.chains.get_mut(chain) {
            *head = at;
        }
        match self.links.get_mut(usize::from(self.newest)) {
            Some(newest) => newest.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
        self.count(share, 1);
        Some(usize::from(at))
    }

    /// The oldest packet of the gateway that holds the most places.
    pub(super) fn dearest(&self) -> Option<usize> {
        let (share, _) = (0..).zip(self.held).max_by_key(|(_, held)| *held)?;
        let mut at = self.oldest;
        while let Some(link) = self.links.get(usize::from(at)) {
            if link.share == share {
                return Some(usize::from(at));
            }
            at = link.newer;
        }
        None
    }

    /// The oldest packet of all, if its time is over.
    pub(super) fn expired(&self, now: Instant) -> Option<usize> {
        let oldest = self.links.get(usize::from(self.oldest))?;
        (oldest.deadline <= now).then_some(usize::from(self.oldest))
    }

    /// Forgets the packet of a place that is in use.
    pub(super) fn release(&mut self, at: usize) {
        let Some(link) = self.links.get(at).copied() else { return };
        let place = u16::try_from(at).unwrap_or(NONE);
        match self.links.get_mut(usize::from(link.older)) {
            Some(older) => older.newer = link.newer,
            None => self.oldest = link.newer,
        }
        match self.links.get_mut(usize::from(link.newer)) {
            Some(newer) => newer.older = link.older,
            None => self.newest = link.older,
        }
        self.unchain(place, link);
        if let Some(link) = self.links.get_mut(at) {
            link.next = self.free;
        }
        self.free = place;
        self.count(link.share, -1);
    }

    fn unchain(&mut self, place: u16, link: Link) {
        let chain = self.chain(&link.key);
        let Some(head) = self.chains.get_mut(chain) else { return };
        if *head == place {
            *head = link.next;
            return;
        }
        let mut at = *head;
        while let Some(before) = self.links.get_mut(usize::from(at)) {
            if before.next == place {
                before.next = link.next;
                return;
            }
            at = before.next;
        }
    }

    fn count(&mut self, share: u16, change: i16) {
        if let Some(held) = self.held.get_mut(usize::from(share)) {
            *held = held.saturating_add_signed(change);
        }
        self.used = self.used.saturating_add_signed(change.into());
    }

    fn chain(&self, key: &Key) -> usize {
        let addrs = mix(self.mixed(key.src), high(key.dst) ^ low(key.dst));
        slot(mix(addrs, u64::from(key.identification) << 8 | u64::from(key.protocol)), CHAINS)
    }

    fn share(&self, gateway: u128) -> u16 {
        u16::try_from(slot(self.mixed(gateway), SHARES)).unwrap_or(0)
    }

    fn mixed(&self, addr: u128) -> u64 {
        mix(high(addr) ^ self.secret, low(addr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;
    use proptest::prelude::*;

    fn key(gateway: u8, identification: u32) -> Key {
        Key { src: 1 << 64 | u128::from(gateway), dst: 2, identification, protocol: 0 }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        // Against a list in the order of age.
        #[test]
        fn places_are_what_a_plain_list_says(
            steps in prop::collection::vec((0..6u8, 0..5u8, 0..200u32), 1..900),
            secret in any::<u64>(),
        ) {
            let (mut places, mut list) = (Places::new(secret), Vec::<(Key, usize, Instant)>::new());
            let mut now = Instant(1000);
            for (what, gateway, id) in steps {
                now = now + Duration::from_nanos(1);
                let key = key(gateway, id);
                let known = list.iter().position(|(k, ..)| *k == key);
                prop_assert_eq!(places.find(&key), known.map(|i| list[i].1));
                match (what, known) {
                    (0, Some(i)) => places.release(list.remove(i).1),
                    (1, _) => {
                        let due = list.first().filter(|(.., deadline)| *deadline <= now);
                        prop_assert_eq!(places.expired(now), due.map(|(_, at, _)| *at));
                        if due.is_some() {
                            places.release(list.remove(0).1);
                        }
                    }
                    (_, Some(_)) => {}
                    (_, None) => {
                        if places.used() == DATAGRAMS_MAX {
                            prop_assert_eq!(places.begin(key, now), None);
                            let at = places.dearest().expect("one to give up");
                            let i = list.iter().position(|(_, other, _)| *other == at).unwrap();
                            let share = |k: &Key| places.share(k.src);
                            let held = |s| list.iter().filter(|(k, ..)| share(k) == s).count();
                            let most = list.iter().map(|(k, ..)| held(share(k))).max().unwrap();
                            let given_up = share(&list[i].0);
                            prop_assert_eq!(held(given_up), most);
                            prop_assert!(list[..i].iter().all(|(k, ..)| share(k) != given_up));
                            places.release(list.remove(i).1);
                        }
                        let deadline = now + Duration::from_nanos(400);
                        let at = places.begin(key, deadline).expect("a place");
                        prop_assert!(list.iter().all(|(_, other, _)| *other != at));
                        list.push((key, at, deadline));
                    }
                }
                prop_assert_eq!(places.used(), list.len());
            }
        }
    }

    // Chains stay short whatever the gateway numbers its packets by.
    #[test]
    fn identifications_of_any_kind_are_spread_over_the_chains() {
        for step in [1, 8, 256, 65_536, 0x0101_0101] {
            let places = Places::new(7);
            let mut count = [0; CHAINS];
            for i in 0..256u32 {
                count[places.chain(&key(1, i.wrapping_mul(step)))] += 1;
            }
            assert!(count.iter().all(|n| *n <= 6), "step {step}: {:?}", count.iter().max());
        }
    }
}
