//! Scopes: a customer's prefixes of one family and length. An entry's key is 64 bits in its scope,
//! so most keys need no more.
//!
//! ```text
//!   IPv6 up to /64    the first half
//!   IPv4              the second half, which is ::ffff:a.b.c.d
//!   IPv6 from /65 on  both halves mixed, and the second one beside it
//! ```

use super::super::hash::{high, low, mix};
use super::super::header::Family;
use super::super::steer::is_spread;
use crate::addr::{CustomerId, CustomerPrefix, HomePrefix};

/// A customer's prefixes of one family and length.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Scope {
    /// Never zero.
    pub(super) id: u16,
    len: u8,
    /// Whether the addresses of one prefix may be of several workers.
    pub(in super::super) is_spread: bool,
    pub(super) tag: Tag,
    /// In a scope of long prefixes, those of more than 64 bits, how many bits follow a prefix.
    pub(super) spare: Option<u8>,
    entries: u32,
    /// What of an address's halves is the key.
    first: u64,
    second: u64,
}

/// What of a scope goes with an address.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct Tag(u32);

impl Tag {
    const fn new(short_id: u16, CustomerId(customer): CustomerId) -> Self {
        Self((customer as u32) << 16 | short_id as u32)
    }

    /// The scope's number, but of one of long prefixes that of one without entries: they take a
    /// second look.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // the lower half
    pub(super) const fn short_id(self) -> u16 {
        self.0 as u16
    }

    /// Whose it is.
    #[inline]
    pub(in super::super) const fn customer(self) -> CustomerId {
        CustomerId((self.0 >> 16) as u16)
    }
}

/// Scopes with entries are numbered below it.
const IDS_MAX: u16 = u16::MAX;

impl Scope {
    /// Without entries.
    pub(super) const fn empty(customer: CustomerId) -> Self {
        Self {
            id: IDS_MAX,
            tag: Tag::new(IDS_MAX, customer),
            len: 0,
            is_spread: false,
            spare: None,
            entries: 0,
            first: 0,
            second: 0,
        }
    }

    fn new(id: u16, CustomerPrefix { prefix, customer }: CustomerPrefix) -> Self {
        let (len, mask) = (prefix.len(), HomePrefix::mask(prefix.len()));
        let (first, second, spare) = match family(prefix) {
            Family::Ipv4 => (0, low(mask), None),
            Family::Ipv6 if len <= 64 => (high(mask), 0, None),
            Family::Ipv6 => (high(mask), low(mask), Some(128 - len)),
        };
        let short_id = if spare.is_none() { id } else { IDS_MAX };
        let is_spread = is_spread(prefix);
        let tag = Tag::new(short_id, customer);
        Self { id, tag, len, is_spread, spare, entries: 0, first, second }
    }

    /// The key of an address if no prefixes here are long.
    #[inline]
    pub(super) const fn key(&self, addr: u128) -> u64 {
        high(addr) & self.first | low(addr) & self.second
    }

    /// The key of an address. Among long prefixes the second half, too, must be compared.
    pub(super) const fn full_key(&self, addr: u128) -> u64 {
        match self.spare {
            None => self.key(addr),
            Some(_) => high(addr) & self.first ^ mix(low(addr) & self.second, 0),
        }
    }
}

/// All scopes that have an entry.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    /// By customer: of IPv6 and of IPv4, the longest prefixes first.
    customers: Vec<[Vec<Scope>; 2]>,
    /// Numbers that are nobody's any more.
    free: Vec<u16>,
    /// The largest number given.
    last: u16,
}

impl Scopes {
    /// Those of a customer, the longest prefixes first.
    #[inline]
    pub(super) fn of(&self, customer: CustomerId, family: Family) -> &[Scope] {
        match self.customers.get(usize::from(customer.0)) {
            Some(scopes) => &scopes[usize::from(family == Family::Ipv4)],
            None => &[],
        }
    }

    /// That of a prefix, if it has an entry.
    pub(super) fn get(&self, key: CustomerPrefix) -> Option<&Scope> {
        let scopes = self.of(key.customer, family(key.prefix));
        scopes.iter().find(|scope| scope.len == key.prefix.len())
    }

    /// That of a new entry. `None` if there are too many.
    pub(super) fn acquire(&mut self, key: CustomerPrefix) -> Option<Scope> {
        let (customer, len) = (usize::from(key.customer.0), key.prefix.len());
        if self.customers.len() <= customer {
            self.customers.resize_with(customer + 1, Default::default);
        }
        let scopes = &mut self.customers[customer][usize::from(family(key.prefix) == Family::Ipv4)];
        let at = scopes.iter().position(|scope| scope.len <= len).unwrap_or(scopes.len());
        if scopes.get(at).is_none_or(|scope| scope.len != len) {
            let next = self.last + 1;
            let id = self.free.pop().or_else(|| (next < IDS_MAX).then_some(next))?;
            self.last = self.last.max(id);
            scopes.insert(at, Scope::new(id, key));
        }
        scopes[at].entries += 1;
        Some(scopes[at])
    }

    /// One of its entries is no more.
    pub(super) fn release(&mut self, key: CustomerPrefix) {
        let family = usize::from(family(key.prefix) == Family::Ipv4);
        let Some(customer) = self.customers.get_mut(usize::from(key.customer.0)) else { return };
        let scopes = &mut customer[family];
        let Some(at) = scopes.iter().position(|scope| scope.len == key.prefix.len()) else {
            return;
        };
        scopes[at].entries -= 1;
        if scopes[at].entries == 0 {
            self.free.push(scopes.remove(at).id);
        }
    }
}

fn family(prefix: HomePrefix) -> Family {
    if prefix.to_ipv4().is_some() { Family::Ipv4 } else { Family::Ipv6 }
}
