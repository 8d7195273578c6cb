//! The naive home agent: a list of registrations, and one rule after the other. Time is in ticks
//! since the start.

use super::world::World;
use super::{Bu, Files, Link, home, network};
use crate::model::{DELETE_DELAY, LIFETIME, TICKS, clock};
use anchord::addr::HomePrefix;
use anchord::mobility::ha::{HomeAgent, HomeState};
use anchord::time::Instant;
use proptest::prelude::*;
use std::net::Ipv6Addr;

/// Status, sequence number, lifetime in units of four seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer(pub(super) u8, pub(super) u16, pub(super) u16);

/// A registration.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    node: u8,
    home: u8,
    care_of: Ipv6Addr,
    seq: u16,
    router: bool,
    networks: Vec<HomePrefix>,
    state: HomeState,
    ends: u64,
}

/// What the list holds of a registration besides.
#[derive(Debug, Clone)]
struct Kept {
    id: u64,
    now: Entry,
    /// When the question whether its address is free is given up, and what is answered if it is.
    probe: Option<(u64, Answer)>,
    /// As it was acknowledged last.
    disk: Option<Entry>,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Homes {
    all: Vec<Kept>,
    answers: Vec<Answer>,
    last: u64,
    files: Files,
    /// When the prefix of the port's link ends.
    valid_until: Option<u64>,
}

/// Registrations at most.
pub(super) const ROOM: usize = 3;
const PROBE_TIMEOUT: u64 = 5 * TICKS;
/// How long the prefix of the port's link is valid when it is not for long.
pub(super) const SHORT: u64 = 40 * TICKS;

/// Whether an answer goes to a node.
pub(super) fn is_of_node(address: Ipv6Addr) -> bool {
    let away = Ipv6Addr::new(0x2001, 0xdb8, 0x60, 0, 0, 0, 0, 0).to_bits();
    address.to_bits() >> 64 == away >> 64 || (0..5).any(|n| home(n) == address)
}

/// The whole prefix that an address lies in, for those of the pool.
fn whole(n: u8) -> Option<HomePrefix> {
    (2..4).contains(&n).then(|| HomePrefix::truncating(home(n), 64).expect("a length"))
}

impl Homes {
    pub(super) fn take_answers(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.answers)
    }

    /// The networks of a node by the file in force; `None`: the node is not in it.
    fn networks_of(&self, node: u8) -> Option<Vec<HomePrefix>> {
        let owner = u8::from(self.files.second);
        match node {
            n if n == owner => Some(vec![network(0)]),
            2 if self.files.second => None,
            _ => Some(Vec::new()),
        }
    }

    /// Who sent it: by identifier; else by whose configured home address, or by whose prefix, it is
    /// about.
    fn sender(&self, bu: &Bu, world: &World) -> Option<u8> {
        let node = match (bu.named, bu.home) {
            (true, _) => bu.node,
            (false, n @ 0..=1) => n,
            (false, n) => world.holder(whole(n)?)?,
        };
        self.networks_of(node).map(|_| node)
    }

    pub(super) fn update(&mut self, bu: &Bu, world: &World, now: u64) {
        if let Some(status) = self.judge(bu, world, now) {
            let (last, refused) = match status {
                Err(135) => (self.find(bu.home).map(|n| self.all[n].now.seq), 135),
                Err(status) => (None, status),
                Ok(answer) => return self.answers.push(answer),
            };
            self.answers.push(Answer(refused, last.unwrap_or(bu.seq), 0));
        }
    }

    fn find(&self, home: u8) -> Option<usize> {
        self.all.iter().position(|k| k.now.home == home)
    }

    /// What is answered at once; `None`: nothing.
    fn judge(&mut self, bu: &Bu, world: &World, now: u64) -> Option<Result<Answer, u8>> {
        let node = self.sender(bu, world)?;
        let known = self.find(bu.home);
        // RFC 6275 9.5.1
        let last = known.map(|n| self.all[n].now.seq);
        if last.is_some_and(|last| !(1..0x8000).contains(&bu.seq.wrapping_sub(last))) {
            return Some(Err(135));
        }
        let there = known.filter(|n| self.all[*n].now.state != HomeState::Invalid);
        let ends = bu.lifetime == 0 || bu.care_of == 0;
        if bu.router && !bu.home_registration {
            return Some(Err(140));
        }
        if !bu.home_registration {
            return there.map(|_| Err(139));
        }
        if !ends && there.is_some_and(|n| self.all[n].now.router != bu.router) {
            return Some(Err(139));
        }
        // 10.3.2
        if ends {
            let there = there.filter(|n| self.all[*n].now.node == node);
            return Some(there.map(|n| self.depart(n, bu.seq, now)).ok_or(133));
        }
        // 10.3.1
        let left = self.left(bu.home, now);
        if bu.home == 4 || left == 0 {
            return Some(Err(132));
        }
        if known.is_none() && self.all.len() >= ROOM {
            return Some(Err(130));
        }
        let others = known.is_some_and(|n| self.all[n].now.node != node);
        if others || bu.home != node && node.min(bu.home) < 2 {
            return Some(Err(133));
        }
        let networks = match self.networks(bu, node) {
            Ok(networks) => networks,
            Err(status) => return Some(Err(status)),
        };
        // RFC 3963 6.2: another has it.
        let of_others = self.all.iter().filter(|k| k.now.home != bu.home);
        let mut of_others = of_others.filter(|k| k.now.state == HomeState::Active);
        if of_others.any(|k| networks.iter().any(|p| k.now.networks.contains(p))) {
            return Some(Err(142));
        }
        // One allocation, RFC 6612 4.2.1.
        if known.is_none()
            && whole(bu.home).is_some_and(|p| world.holder(p).is_some_and(|holder| holder != node))
        {
            return Some(Err(133));
        }
        self.register(bu, node, networks, left, now).map(Ok)
    }

    /// The longest lifetime that the prefix of a home address allows.
    fn left(&self, home: u8, now: u64) -> u16 {
        match (self.files.link, self.valid_until) {
            (Link::Gone, _) if home < 2 => 0,
            (Link::Short, Some(until)) if home < 2 => {
                u16::try_from(until.saturating_sub(now) / (4 * TICKS)).expect("short")
            }
            _ => u16::MAX,
        }
    }

    /// RFC 6275 10.6.4: what is registered ends with its prefix.
    pub(super) fn reload(&mut self, files: Files, now: u64) {
        let was = std::mem::replace(&mut self.files, files);
        if files.link != was.link {
            self.valid_until = (files.link == Link::Short).then_some(now + SHORT);
            self.apply_link();
        }
    }

    fn apply_link(&mut self) {
        let concerned = |k: &Kept| k.now.home < 2 && k.now.state != HomeState::Invalid;
        if self.files.link == Link::Gone {
            let mut gone: Vec<_> = self.all.iter().filter(|k| concerned(k)).cloned().collect();
            gone.sort_by_key(|k| k.id);
            let asked = gone.iter().filter_map(|k| k.probe);
            self.answers.extend(asked.map(|(_, answer)| Answer(132, answer.1, 0)));
            self.all.retain(|k| !concerned(k));
        }
        let most = u16::try_from(SHORT / (4 * TICKS)).expect("short");
        for kept in self.all.iter_mut().filter(|k| concerned(k)) {
            let ends = self.valid_until.map_or(kept.now.ends, |until| kept.now.ends.min(until));
            let is_cut = ends < kept.now.ends;
            kept.now.ends = ends;
            match &mut kept.probe {
                None => kept.disk = Some(kept.now.clone()),
                Some((_, Answer(status, _, granted))) => {
                    *granted = if is_cut { most.min(*granted) } else { *granted };
                    *status = u8::from(self.valid_until.is_some() && *granted >= most);
                }
            }
        }
    }

    /// RFC 3963 6.2
    fn networks(&self, bu: &Bu, node: u8) -> Result<Vec<HomePrefix>, u8> {
        if !bu.router {
            return Ok(Vec::new());
        }
        let own = self.networks_of(node).unwrap_or_default();
        let mut may: Vec<HomePrefix> = own.into_iter().chain(whole(bu.home)).collect();
        may.sort_unstable();
        match bu.network.map(network) {
            Some(named) if named.len() == 0 => Err(141),
            Some(named) if may.contains(&named) => Ok(vec![named]),
            Some(_) => Err(142),
            None if may.is_empty() => Err(143),
            None => Ok(may),
        }
    }

    fn register(
        &mut self,
        bu: &Bu,
        node: u8,
        networks: Vec<HomePrefix>,
        left: u16,
        now: u64,
    ) -> Option<Answer> {
        let granted = bu.lifetime.min(left);
        let lifetime = u64::from(granted) * 4 * TICKS;
        let entry = Entry {
            node,
            home: bu.home,
            care_of: bu.care_of(),
            seq: bu.seq,
            router: bu.router,
            networks,
            state: HomeState::Active,
            ends: now + lifetime.min(LIFETIME),
        };
        // It becomes invalid when the registration ends.
        let answer = Answer(u8::from(granted == left), bu.seq, granted);
        let n = self.find(bu.home).unwrap_or_else(|| {
            self.last += 1;
            self.all.push(Kept { id: self.last, now: entry.clone(), probe: None, disk: None });
            self.all.len() - 1
        });
        let kept = &mut self.all[n];
        let is_new = kept.disk.as_ref().is_none_or(|d| d.state == HomeState::Invalid);
        kept.now = entry;
        // The home link has no pool: those of it are asked for before the first answer.
        if is_new && bu.home < 2 {
            kept.now.state = HomeState::Probing;
            let until = kept.probe.map_or(now + PROBE_TIMEOUT, |(until, _)| until);
            kept.probe = Some((until, answer));
            return None;
        }
        kept.disk = Some(kept.now.clone());
        Some(answer)
    }

    fn depart(&mut self, n: usize, seq: u16, now: u64) -> Answer {
        let kept = &mut self.all[n];
        kept.probe = None;
        kept.now.state = HomeState::Invalid;
        kept.now.seq = seq;
        kept.now.ends = now + DELETE_DELAY;
        kept.disk = Some(kept.now.clone());
        Answer(0, seq, 0)
    }

    pub(super) fn probed(&mut self, address: Ipv6Addr, taken: bool, now: u64) {
        let Some(n) = self.all.iter().position(|k| home(k.now.home) == address) else { return };
        let Some((_, answer)) = self.all[n].probe.take() else { return };
        if taken {
            self.all.remove(n);
            return self.answers.push(Answer(134, answer.1, 0));
        }
        let networks = self.all[n].now.networks.clone();
        let of_others = self.all.iter().enumerate().filter(|(other, _)| *other != n);
        let mut of_others = of_others.filter(|(_, k)| k.now.state == HomeState::Active);
        if of_others.any(|(_, k)| networks.iter().any(|p| k.now.networks.contains(p))) {
            self.all.remove(n);
            return self.answers.push(Answer(142, answer.1, 0));
        }
        let kept = &mut self.all[n];
        kept.now.state = HomeState::Active;
        assert!(kept.now.ends > now, "no lifetime is as short as a probe");
        kept.disk = Some(kept.now.clone());
        self.answers.push(answer);
    }

    /// What ends until `now` ends; who asks in vain is told so.
    pub(super) fn wait(&mut self, now: u64) {
        // Whose lifetime is over before is forgotten.
        let ends = |k: &Kept| k.now.ends;
        let overdue = |k: &Kept| k.probe.filter(|(until, _)| *until <= now && *until < ends(k));
        let mut late: Vec<_> = self.all.iter().filter_map(overdue).collect();
        late.sort_by_key(|(until, _)| *until);
        self.answers.extend(late.iter().map(|(_, answer)| Answer(130, answer.1, 0)));
        self.all.retain(|k| overdue(k).is_none() && k.now.ends > now);
    }

    pub(super) fn delete(&mut self, node: u8) {
        self.all.retain(|k| k.now.node != node);
    }

    /// What ended while nobody ran, or asked about the home address again, is not taken up.
    pub(super) fn restart(&mut self, now: u64) {
        let restored = |k: Kept| {
            let disk = k.disk.filter(|d| d.ends > now)?;
            Some(Kept { id: k.id, now: disk.clone(), probe: None, disk: Some(disk) })
        };
        self.all = std::mem::take(&mut self.all).into_iter().filter_map(restored).collect();
        // Lifetimes of prefixes begin anew with each run.
        self.valid_until = self.valid_until.map(|_| now + SHORT);
        self.apply_link();
    }

    /// Whether the home agent holds the same.
    pub(super) fn compare(&self, ha: &HomeAgent, mono: Instant) -> Result<(), TestCaseError> {
        let number = |address| (0..5).find(|n| home(*n) == address).expect("one of ours");
        let mut theirs: Vec<Entry> = ha
            .cache()
            .from(None)
            .map(|b| Entry {
                node: b.mn_id.bytes()[2] - b'0',
                home: number(b.home),
                care_of: b.care_of,
                seq: b.seq.0,
                router: b.is_router(),
                networks: b.networks.to_vec(),
                state: b.state,
                ends: 0,
            })
            .collect();
        let mut ours: Vec<Entry> =
            self.all.iter().map(|k| Entry { ends: 0, ..k.now.clone() }).collect();
        theirs.sort_by_key(|e| e.home);
        ours.sort_by_key(|e| e.home);
        prop_assert_eq!(theirs, ours);
        prop_assert!(self.all.iter().all(|k| clock(k.now.ends).mono > mono));
        Ok(())
    }
}
