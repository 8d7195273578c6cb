//! Which session an inner address belongs to.

use crate::addr::{GreKeys, HomePrefix};
use crate::mobility::mag::action::Path;
use core::cmp::Reverse;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::net::Ipv6Addr;

/// Which tunnel serves which prefix or IPv4 home address, by prefix length, the longest first. One
/// anchor's prefixes never overlap; those of several anchors, or of several of its customers, may.
#[derive(Debug, Default)]
pub(crate) struct TunnelTable(BTreeMap<Reverse<u8>, HashMap<u128, Entry>>);

/// The tunnel of one session, and its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: Path,
    pub(super) keys: GreKeys,
    /// The tunnel in which that one is, if it is in another.
    pub(super) outer: Option<Path>,
}

impl TunnelTable {
    pub(crate) fn insert(&mut self, prefix: HomePrefix, path: Path, keys: GreKeys) {
        self.put(prefix, Entry { path, keys, outer: None });
    }

    /// The same of a tunnel inside of another: what it carries up has both headers. Down it comes
    /// out of the outer one as a packet to the end of the inner one.
    pub(crate) fn insert_inside(&mut self, prefix: HomePrefix, path: Path, outer: Path) {
        self.put(prefix, Entry { path, keys: GreKeys::default(), outer: Some(outer) });
    }

    fn put(&mut self, prefix: HomePrefix, entry: Entry) {
        let prefixes = self.0.entry(Reverse(prefix.len())).or_default();
        prefixes.insert(prefix.bits(), entry);
    }

    pub(crate) fn remove(&mut self, prefix: HomePrefix) {
        let len = Reverse(prefix.len());
        if let Some(prefixes) = self.0.get_mut(&len) {
            prefixes.remove(&prefix.bits());
            if prefixes.is_empty() {
                self.0.remove(&len);
            }
        }
    }

    /// The tunnel of the bound node that has this address.
    pub(super) fn of(&self, address: Ipv6Addr) -> Option<Entry> {
        self.0.iter().find_map(|(len, prefixes)| {
            prefixes.get(&(address.to_bits() & HomePrefix::mask(len.0))).copied()
        })
    }
}
