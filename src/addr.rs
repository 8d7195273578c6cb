//! Domain newtypes: what an address or identifier means, not how it is carried. No I/O.
//!
//! An IPv4 address or prefix is its IPv4-mapped IPv6 form (RFC 4291 2.5.5.2) wherever it is a key,
//! a tunnel's end, a route or a neighbour: one key space, one lookup. Text shows plain IPv4.

mod mn_id;
mod tunnel;

use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use mn_id::{MnId, MnIdError};
pub use tunnel::{COPIES_MAX, Encap, GreKeys, Protection, TunnelPath, TunnelPaths};

/// A network prefix with its host bits zero. A *home network prefix* (RFC 5213 section 2.2) when it
/// belongs to a binding, a pool when it is configured as one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HomePrefix {
    bits: u128,
    len: u8,
}

/// Why a prefix was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// The length is over 128.
    #[error("prefix length {0} is over 128")]
    Length(u8),
    /// Bits beyond the length are set.
    #[error("{0}/{1} has bits set beyond its length")]
    HostBits(Ipv6Addr, u8),
    /// Not of the form `address/length`.
    #[error("{0:?} is not a prefix (address/length)")]
    Syntax(String),
    /// The length of an IPv4 prefix is over 32.
    #[error("IPv4 prefix length {0} is over 32")]
    Ipv4Length(u8),
}

impl HomePrefix {
    /// `::/0`: in an update it asks for an assignment (RFC 5213 6.9.1.1 (3)).
    pub const ALL_ZERO: Self = Self { bits: 0, len: 0 };

    /// A prefix whose host bits must be zero.
    pub fn new(addr: Ipv6Addr, len: u8) -> Result<Self, PrefixError> {
        let p = Self::truncating(addr, len)?;
        if p.bits == u128::from(addr) { Ok(p) } else { Err(PrefixError::HostBits(addr, len)) }
    }

    /// The prefix of length `len` that contains `addr`.
    pub fn truncating(addr: Ipv6Addr, len: u8) -> Result<Self, PrefixError> {
        if len > 128 {
            return Err(PrefixError::Length(len));
        }
        Ok(Self { bits: u128::from(addr) & Self::mask(len), len })
    }

    /// The netmask of a prefix of length `len` (0 to 128), host order.
    #[must_use]
    pub const fn mask(len: u8) -> u128 {
        if len == 0 { 0 } else { u128::MAX << (128 - len) }
    }

    /// The first address.
    #[must_use]
    pub const fn addr(self) -> Ipv6Addr {
        Ipv6Addr::from_bits(self.bits)
    }

    /// The prefix as a number, host order.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.bits
    }

    /// Length in bits, 0 to 128.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub const fn len(self) -> u8 {
        self.len
    }

    /// Whether `addr` lies inside.
    #[must_use]
    pub fn contains(self, addr: Ipv6Addr) -> bool {
        u128::from(addr) & Self::mask(self.len) == self.bits
    }

    /// The IPv4 prefix of length `len` that contains `addr`, as IPv4-mapped IPv6.
    pub fn from_ipv4(addr: Ipv4Addr, len: u8) -> Result<Self, PrefixError> {
        if len > 32 {
            return Err(PrefixError::Ipv4Length(len));
        }
        Self::truncating(addr.to_ipv6_mapped(), 96 + len)
    }

    /// The IPv4 address and prefix length that it stands for, if it is IPv4-mapped.
    #[must_use]
    pub fn to_ipv4(self) -> Option<(Ipv4Addr, u8)> {
        let len = self.len.checked_sub(96)?;
        Some((self.addr().to_ipv4_mapped()?, len))
    }

    /// The last address of an IPv4 network: that of its broadcasts, and of no host.
    #[must_use]
    pub fn ipv4_broadcast(self) -> Option<Ipv4Addr> {
        let (first, len) = self.to_ipv4()?;
        let hosts = u32::MAX.checked_shr(len.into()).unwrap_or(0);
        Some(Ipv4Addr::from_bits(first.to_bits() | hosts))
    }

    /// Whether `other` is this prefix or lies inside it.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        other.len >= self.len && self.contains(other.addr())
    }
}

impl fmt::Display for HomePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `pad` so that tables can align it.
        match self.to_ipv4() {
            Some((addr, len)) => f.pad(&format!("{addr}/{len}")),
            None => f.pad(&format!("{}/{}", self.addr(), self.len)),
        }
    }
}

impl fmt::Debug for HomePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for HomePrefix {
    type Err = PrefixError;
    fn from_str(s: &str) -> Result<Self, PrefixError> {
        let syntax = || PrefixError::Syntax(s.into());
        let (a, l) = s.split_once('/').ok_or_else(syntax)?;
        let len: u8 = l.parse().map_err(|_| syntax())?;
        if let Ok(a) = a.parse::<Ipv4Addr>() {
            let p = Self::from_ipv4(a, len)?;
            let host_bits = || PrefixError::HostBits(a.to_ipv6_mapped(), 96 + len);
            return if p.addr() == a.to_ipv6_mapped() { Ok(p) } else { Err(host_bits()) };
        }
        Self::new(a.parse().map_err(|_| syntax())?, len)
    }
}

impl TryFrom<String> for HomePrefix {
    type Error = PrefixError;
    fn try_from(s: String) -> Result<Self, PrefixError> {
        s.parse()
    }
}

impl From<HomePrefix> for String {
    fn from(p: HomePrefix) -> Self {
        p.to_string()
    }
}

/// One of the customers (virtual operators) that share the appliance, by its place in the
/// configuration; each has an address space of its own. Zero is the operator itself.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct CustomerId(pub u16);

/// A prefix in a customer's address space: what forwarding looks up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CustomerPrefix {
    /// Whose address space.
    pub customer: CustomerId,
    /// The prefix in it.
    pub prefix: HomePrefix,
}

impl fmt::Display for CustomerPrefix {
    /// The prefix; behind it `@` and the customer's number, if it is not the operator's own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.customer {
            CustomerId(0) => self.prefix.fmt(f),
            CustomerId(n) => f.pad(&format!("{}@{n}", self.prefix)),
        }
    }
}

impl From<HomePrefix> for CustomerPrefix {
    /// In the operator's own address space.
    fn from(prefix: HomePrefix) -> Self {
        prefix.of(CustomerId::default())
    }
}

impl HomePrefix {
    /// The prefix in a customer's address space.
    #[must_use]
    pub const fn of(self, customer: CustomerId) -> CustomerPrefix {
        CustomerPrefix { customer, prefix: self }
    }
}

macro_rules! address_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Ipv6Addr);

        /// As text like any address, an IPv4-mapped one as IPv4; else the 16 octets.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                if to.is_human_readable() {
                    self.0.to_canonical().serialize(to)
                } else {
                    self.0.serialize(to)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                if !from.is_human_readable() {
                    return Ipv6Addr::deserialize(from).map(Self);
                }
                Ok(Self(match IpAddr::deserialize(from)? {
                    IpAddr::V4(addr) => addr.to_ipv6_mapped(),
                    IpAddr::V6(addr) => addr,
                }))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0.to_ipv4_mapped() {
                    Some(addr) => f.pad(&addr.to_string()),
                    None => f.pad(&self.0.to_string()),
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

address_newtype! {
    /// The address of the gateway that serves a node now; the far end of its tunnel (RFC 5213 2.2).
    ProxyCoa
}
address_newtype! {
    /// The LMA's own address, LMAA: where PBUs arrive and tunnels end (RFC 5213 2.2).
    AnchorAddr
}

/// An Ethernet address. Serialised as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddr(pub [u8; 6]);

/// Text that is no Ethernet address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no Ethernet address (like 02:00:00:00:00:01)")]
pub struct MacError(String);

impl FromStr for MacAddr {
    type Err = MacError;
    fn from_str(s: &str) -> Result<Self, MacError> {
        let octet = |o: &str| (o.len() == 2).then(|| u8::from_str_radix(o, 16).ok()).flatten();
        let octets: Option<Vec<u8>> = s.split(':').map(octet).collect();
        let octets = octets.and_then(|o| o.try_into().ok());
        octets.map(Self).ok_or_else(|| MacError(s.into()))
    }
}

impl TryFrom<String> for MacAddr {
    type Error = MacError;
    fn try_from(s: String) -> Result<Self, MacError> {
        s.parse()
    }
}

impl From<MacAddr> for String {
    fn from(m: MacAddr) -> Self {
        m.to_string()
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = self.0.map(|b| format!("{b:02x}"));
        f.pad(&hex.join(":"))
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A GRE key: the downlink key is the gateway's, the uplink key the anchor's (RFC 5845 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GreKey(pub u32);

/// A port of the appliance, in the order of the configuration. (DPDK's own number may differ.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PortId(pub u16);

/// A forwarding worker, counted from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkerId(pub u16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_refuses_host_bits_and_long_lengths() {
        assert!("2001:db8::1/64".parse::<HomePrefix>().is_err());
        assert!("2001:db8::/129".parse::<HomePrefix>().is_err());
        assert_eq!(
            "2001:db8::/64".parse::<HomePrefix>().map(|p| p.to_string()),
            Ok("2001:db8::/64".into())
        );
    }

    #[test]
    fn ipv4_prefix_is_a_mapped_one_and_shows_as_ipv4() {
        let p: HomePrefix = "10.1.0.0/16".parse().expect("valid");
        assert_eq!((p.addr().to_string(), p.len()), ("::ffff:10.1.0.0".into(), 112));
        assert_eq!(p.to_string(), "10.1.0.0/16");
        assert_eq!(p.to_ipv4(), Some((Ipv4Addr::new(10, 1, 0, 0), 16)));
        assert!("10.1.0.1/16".parse::<HomePrefix>().is_err());
        assert!("10.1.0.0/33".parse::<HomePrefix>().is_err());
        let plain: HomePrefix = "2001:db8::/120".parse().expect("valid");
        assert_eq!(plain.to_ipv4(), None);
    }

    #[test]
    fn address_is_written_as_people_know_it_and_kept_as_it_is() {
        for text in ["\"198.51.100.1\"", "\"2001:db8::1\""] {
            let coa: ProxyCoa = serde_json::from_str(text).expect("an address");
            assert_eq!(serde_json::to_string(&coa).expect("writes"), text);
            let kept = postcard::to_stdvec(&coa).expect("writes");
            assert_eq!(kept, coa.0.octets());
            assert_eq!(postcard::from_bytes::<ProxyCoa>(&kept), Ok(coa));
        }
        let mapped: ProxyCoa = serde_json::from_str("\"::ffff:198.51.100.1\"").expect("one");
        assert_eq!(mapped.to_string(), "198.51.100.1");
    }

    #[test]
    fn prefix_contains_its_own_and_no_neighbour() {
        let p: HomePrefix = "2001:db8:0:1::/64".parse().expect("valid");
        assert!(p.contains("2001:db8:0:1::42".parse().expect("valid")));
        assert!(!p.contains("2001:db8:0:2::42".parse().expect("valid")));
        let whole: HomePrefix = "::/0".parse().expect("valid");
        assert!(whole.covers(p) && !p.covers(whole));
    }

    #[test]
    fn ethernet_address_is_six_pairs_of_digits() {
        let mac: MacAddr = serde_json::from_str("\"02:00:00:00:00:0a\"").expect("an address");
        assert_eq!(mac, MacAddr([2, 0, 0, 0, 0, 10]));
        assert!("02:00:00:00:00".parse::<MacAddr>().is_err());
    }
}
