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
use crate::addr::{CustomerId, CustomerPrefix, HomePrefix};

/// A customer's prefixes of one family and length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope {
    /// Never zero.
    pub(super) id: u16,
    len: u8,
    /// In a scope of prefixes longer than 64 bits, how many bits follow a prefix; else
    /// [`NOT_LONG`].
    pub(super) spare: u8,
    entries: u32,
    /// What of an address's halves is the key.
    first: u64,
    second: u64,
}

/// No number of bits.
pub(super) const NOT_LONG: u8 = u8::MAX;

impl Scope {
    fn new(id: u16, prefix: HomePrefix) -> Self {
        let (len, mask) = (prefix.len(), HomePrefix::mask(prefix.len()));
        let (first, second, spare) = match family(prefix) {
            Family::Ipv4 => (0, low(mask), NOT_LONG),
            Family::Ipv6 if len <= 64 => (high(mask), 0, NOT_LONG),
            Family::Ipv6 => (high(mask), low(mask), 128 - len),
        };
        Self { id, len, spare, entries: 0, first, second }
    }

    /// The key of an address: in a scope of long prefixes the second half, too, must be compared.
    #[inline]
    pub(super) fn key(&self, addr: u128) -> u64 {
        let (first, second) = (high(addr) & self.first, low(addr) & self.second);
        if self.spare == NOT_LONG { first | second } else { first ^ mix(second, 0) }
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
            let id = self.free.pop().or_else(|| self.last.checked_add(1))?;
            self.last = self.last.max(id);
            scopes.insert(at, Scope::new(id, key.prefix));
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
