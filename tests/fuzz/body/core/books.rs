//! What the workers, the disk and the home links were told so far, and what must hold of that: it
//! is what the three caches say, and no two nodes have anything in common.

use super::{home, setup};
use anchord::addr::{CustomerPrefix, Encap, GreKeys, HomePrefix, MnId};
use anchord::mobility::action::{BindingId, Publication};
use anchord::mobility::anchor::{Anchor, Record};
use anchord::mobility::binding::BceState;
use anchord::mobility::ha::{HomeBinding, HomeState, LinkAddress};
use anchord::mobility::mip4::{CareOfBinding, Registration};
use anchord::wire::mip4::RequestFlags;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::Ipv6Addr;

/// Where the workers send a prefix: to the other end of a tunnel, or nowhere.
type Forwarding = BTreeMap<CustomerPrefix, Option<(Ipv6Addr, Encap, GreKeys)>>;

/// All of it.
#[derive(Default)]
pub(super) struct Books {
    forwarding: Forwarding,
    disk: BTreeMap<BindingId, Vec<u8>>,
    defended: BTreeSet<LinkAddress>,
}

/// A binding on the disk.
pub(super) struct Kept(BindingId, Vec<u8>);

impl Kept {
    pub(super) fn id(&self) -> BindingId {
        self.0
    }

    pub(super) fn read(&self) -> Record<'static> {
        serde_json::from_slice(&self.1).expect("it was written so")
    }
}

impl Books {
    pub(super) fn publish(&mut self, publication: &Publication) {
        match publication {
            Publication::Forward(key, path, keys) => {
                self.forwarding.insert(*key, Some((path.remote, path.encap, *keys)));
            }
            Publication::Protect(key, path, _) => {
                let way = (path.remote, path.encap, GreKeys::default());
                self.forwarding.insert(*key, Some(way));
            }
            Publication::Copy(key, paths) => {
                let newest = paths.newest;
                self.forwarding
                    .insert(*key, Some((newest.remote, newest.encap, GreKeys::default())));
            }
            Publication::Hold(key) => {
                self.forwarding.insert(*key, None);
            }
            Publication::Withdraw(key) => {
                assert!(self.forwarding.remove(key).is_some(), "{key} was not known");
            }
        }
    }

    /// As the control loop does it: when all of the call is done.
    pub(super) fn persist(&mut self, id: BindingId, anchor: &Anchor) {
        match anchor.record(id) {
            Some(record) => {
                self.disk.insert(id, serde_json::to_vec(&record).expect("plain data"));
            }
            None => drop(self.disk.remove(&id)),
        }
    }

    pub(super) fn defend(&mut self, address: LinkAddress) {
        self.defended.insert(address);
    }

    pub(super) fn undefend(&mut self, address: LinkAddress) {
        assert!(self.defended.remove(&address), "{address:?} was not defended");
    }

    pub(super) fn records(&self) -> Vec<Kept> {
        self.disk.iter().map(|(id, bytes)| Kept(*id, bytes.clone())).collect()
    }

    /// Workers and home links know nothing any more; the disk stays.
    pub(super) fn begin_anew(&mut self) {
        *self = Self { disk: core::mem::take(&mut self.disk), ..Self::default() };
    }

    /// What holds at any time.
    pub(super) fn check(&self, anchor: &Anchor) {
        let mut expected = proxy_bindings(anchor);
        expected.extend(anchor.mip4().registrations(None).flat_map(tunnels_of));
        let active = || bindings(anchor).filter(|b| b.state == HomeState::Active);
        expected.extend(active().flat_map(|b| {
            let to = (b.care_of, b.encap, GreKeys::default());
            b.keys().map(move |key| (key, Some(to)))
        }));
        assert_eq!(self.forwarding, expected, "the workers know other than the caches");
        check_limits(anchor);
        check_owners(anchor);
        let defended: BTreeSet<LinkAddress> = active().flat_map(home::defended).collect();
        assert_eq!(self.defended, defended, "the home links");
        // Who was not acknowledged is not on the disk; who is, is in a cache.
        let acknowledged = bindings(anchor).filter(|b| b.state != HomeState::Probing);
        let proxy = anchor.lma().cache().page(0, usize::MAX).0.map(|(_, b)| b.id);
        let must = proxy.chain(acknowledged.map(|b| b.id));
        let must: BTreeSet<_> =
            must.chain(anchor.mip4().registrations(None).map(|r| r.id)).collect();
        let kept: BTreeSet<_> = self.disk.keys().copied().collect();
        assert!(kept.is_superset(&must), "{must:?} but {kept:?}");
        assert!(kept.iter().all(|id| anchor.record(*id).is_some()), "{kept:?} for ever");
    }

    /// Everybody is gone.
    pub(super) fn check_empty(&self, anchor: &Anchor) {
        self.check(anchor);
        assert!(self.forwarding.is_empty(), "{:?}", self.forwarding);
        assert!(self.disk.is_empty() && anchor.ha().probing() == 0);
        assert_eq!(anchor.lma().waiting() + anchor.lma().waiting_for_policy(), 0);
        for pool in anchor.lma().pools() {
            assert_eq!(pool.used, 0, "{} of customer {:?}", pool.prefix, pool.customer);
        }
    }
}

/// What the local mobility anchor alone would forward.
fn proxy_bindings(anchor: &Anchor) -> Forwarding {
    let cache = anchor.lma().cache();
    assert!(cache.len() <= setup::BINDINGS_MAX && cache.prefixes() <= setup::PREFIXES_MAX);
    let (mut expected, mut keys, mut of_customer) = (Forwarding::new(), HashSet::new(), 0);
    for (_, bce) in cache.page(0, usize::MAX).0 {
        assert!(bce.prefixes().next().is_some(), "a binding without an address");
        of_customer += usize::from(bce.customer.0 == 1);
        let uplink = bce.gre_keys.uplink;
        assert!(uplink.is_none_or(|key| keys.insert(key)), "a GRE key of two sessions");
        let through = (bce.proxy_coa.0, bce.encap, bce.keys_in_use());
        let to = (bce.state == BceState::Active).then_some(through);
        for prefix in bce.prefixes() {
            assert_eq!(cache.by_prefix(prefix).map(|b| b.id), Some(bce.id));
            assert!(expected.insert(prefix, to).is_none(), "{prefix} is held twice");
        }
    }
    assert!(of_customer <= setup::CUSTOMER_BINDINGS_MAX);
    expected
}

/// What a registration of Mobile IPv4 forwards: all of it to the care-of address that came last,
/// but prefixes may go to the home address, inside of what goes there.
fn tunnels_of(
    r: &Registration,
) -> impl Iterator<Item = (CustomerPrefix, Option<(Ipv6Addr, Encap, GreKeys)>)> + '_ {
    let tunnel = |b: &CareOfBinding| (b.remote.to_ipv6_mapped(), b.encap, GreKeys::default());
    let newest = tunnel(r.bindings.last().expect("a registration without a binding"));
    // No foreign agent gets IPv6.
    let mut co_located = r.bindings.iter().filter(|b| b.flags.contains(RequestFlags::D));
    let to_care_of = co_located.next_back().map_or(newest, tunnel);
    let to_home = (r.home_address.to_ipv6_mapped(), Encap::Ip, GreKeys::default());
    let home = HomePrefix::from_ipv4(r.home_address, 32).expect("a length");
    let prefixes = r.prefixes.iter().map(move |p| {
        (p.prefix.of(r.customer), Some(if p.to_care_of { to_care_of } else { to_home }))
    });
    core::iter::once((home.of(r.customer), Some(newest))).chain(prefixes)
}

fn bindings(anchor: &Anchor) -> impl Iterator<Item = &HomeBinding> {
    anchor.ha().cache().from(None)
}

fn check_limits(anchor: &Anchor) {
    assert!(anchor.ha().cache().len() <= home::BINDINGS_MAX);
    let probing = bindings(anchor).filter(|b| b.state == HomeState::Probing).count();
    assert_eq!(anchor.ha().probing(), probing);
    let registrations = || anchor.mip4().registrations(None);
    assert!(registrations().count() <= home::REGISTRATIONS_MAX);
    assert!(registrations().all(|r| r.bindings.len() <= home::CARE_OF_MAX));
}

/// Whatever overlaps belongs to one node, by whichever protocols (RFC 6612 4.2.1, RFC 5454 3.3).
fn check_owners(anchor: &Anchor) {
    let mut owners: Vec<(CustomerPrefix, &MnId)> = Vec::new();
    for (_, bce) in anchor.lma().cache().page(0, usize::MAX).0 {
        owners.extend(bce.prefixes().map(|p| (p, &bce.mn_id)));
    }
    for b in bindings(anchor) {
        let networks = b.networks.iter().filter(|_| b.state == HomeState::Active).copied();
        let held = [Some(b.held), b.ipv4].into_iter().flatten();
        owners.extend(held.chain(networks).map(|p| (p.of(b.customer), &b.mn_id)));
        assert!(b.held.contains(b.home), "{} is not in {}", b.home, b.held);
    }
    for r in anchor.mip4().registrations(None) {
        owners.extend(tunnels_of(r).map(|(key, _)| (key, &r.mn_id)));
    }
    for (n, (a, owner)) in owners.iter().enumerate() {
        for (b, other) in &owners[..n] {
            let apart = a.customer != b.customer
                || !(a.prefix.covers(b.prefix) || b.prefix.covers(a.prefix));
            assert!(apart || owner == other, "{a} of {owner} and {b} of {other}");
        }
    }
}
