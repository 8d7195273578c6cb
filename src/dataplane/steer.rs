//! Which worker owns a subscriber: `reta[toeplitz(first 64 bits of the prefix)]`, for an IPv4 home
//! address its 32 bits.
//!
//! A NIC that spreads frames by RSS over IPv6 addresses computes the same, if its key has
//! [`RSS_KEY`] where the prefix meets it and zeros elsewhere: what meets zeros does not matter.
//!
//! ```text
//!   input of the NIC:  source (128 bits) | destination (128 bits) | ports
//!   key, downlink:     0 ..              | RSS_KEY 0 ..           | 0 ..
//!   key, uplink:       RSS_KEY 0 ..      | 0 ..                   | 0 ..      of the inner header
//! ```
//!
//! So a port that can steer and a worker that must hand over agree (`docs/adr/0010`). Symmetric by
//! what is hashed: the destination of a downlink packet and the inner source of an uplink packet
//! are the same bits.

use super::header::is_mapped;
use crate::addr::{HomePrefix, WorkerId};
use std::net::Ipv6Addr;
use std::sync::Arc;

/// What of an RSS key meets the 64 bits. An address bit adds the 32 bits of the key from its own
/// position on, of which seven, the last, choose the slot. The first 31 bits are zero, so that the
/// address before the prefix adds none to these, and so are the last seven, for what is behind it.
/// Of what remains in between, seven bits of prefixes and IPv4 addresses that are counted up choose
/// each slot once: found by trying (ADR 0010).
pub const RSS_KEY: [u8; 12] =
    [0x00, 0x00, 0x00, 0x01, 0x40, 0xe0, 0xc6, 0xe5, 0x0a, 0x07, 0xa6, 0x80];

/// Entries of the redirection table, a power of two.
pub const RETA_LEN: usize = 128;

/// Who gets the updates of a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// One worker: all of the prefix lies in one /64, or it is one IPv4 address.
    One(WorkerId),
    /// Every worker: the prefix is shorter, so its addresses are spread over them. A binding's
    /// counters are then the sum over workers.
    All,
}

/// The steering function of an appliance with a fixed number of workers. Clones share its tables.
#[derive(Debug, Clone)]
pub struct Steering {
    workers: u16,
    /// `toeplitz[i][b]`: what byte `b` at position `i` contributes to the hash.
    toeplitz: Arc<[[u32; 256]; 8]>,
    reta: Arc<[WorkerId; RETA_LEN]>,
}

impl Steering {
    /// For `workers` workers (at least one), each with its share of the redirection table in one
    /// piece: the last bits of an address choose the piece.
    #[must_use]
    pub fn new(workers: u16) -> Self {
        let workers = workers.max(1);
        let worker_of = |slot| slot * usize::from(workers) / RETA_LEN;
        let reta = std::array::from_fn(|slot| {
            WorkerId(u16::try_from(worker_of(slot)).unwrap_or_default()) // below `workers`
        });
        let mut toeplitz = [[0; 256]; 8];
        for (i, table) in toeplitz.iter_mut().enumerate() {
            for (byte, contribution) in (0u8..=255).zip(table.iter_mut()) {
                *contribution = contribution_of(i, byte);
            }
        }
        Self { workers, toeplitz: Arc::new(toeplitz), reta: Arc::new(reta) }
    }

    /// How many workers there are.
    #[must_use]
    pub const fn workers(&self) -> u16 {
        self.workers
    }

    /// The redirection table, for a port that steers in hardware.
    #[must_use]
    pub fn reta(&self) -> &[WorkerId; RETA_LEN] {
        &self.reta
    }

    /// The worker that owns packets of this address: downlink by destination, uplink by inner
    /// source.
    #[must_use]
    pub(super) fn owner_of(&self, addr: Ipv6Addr) -> WorkerId {
        self.owner_of_bits(addr.to_bits())
    }

    /// The same for an address as a number, host order.
    #[must_use]
    #[inline]
    pub(super) fn owner_of_bits(&self, addr: u128) -> WorkerId {
        if self.workers == 1 {
            return WorkerId(0);
        }
        let bytes = addr.to_be_bytes();
        let input = if is_mapped(addr) { &bytes[12..] } else { &bytes[..8] };
        let hash = (self.toeplitz.iter().zip(input)).fold(0, |h, (t, b)| h ^ t[usize::from(*b)]);
        self.reta[hash as usize % RETA_LEN]
    }

    /// The workers that must know this prefix.
    #[must_use]
    pub fn owner(&self, prefix: HomePrefix) -> Owner {
        if is_spread(prefix) { Owner::All } else { Owner::One(self.owner_of(prefix.addr())) }
    }
}

/// Whether addresses of a prefix have different hashes.
pub(super) const fn is_spread(prefix: HomePrefix) -> bool {
    let one_input = if is_mapped(prefix.bits()) && prefix.len() >= 96 { 128 } else { 64 };
    prefix.len() < one_input
}

/// The 32 bits of the key from each set bit of `byte` (which stands at position `i` of the input)
/// on, combined: one eighth of the Toeplitz hash.
fn contribution_of(i: usize, byte: u8) -> u32 {
    let window = RSS_KEY[i..i + 5].iter().fold(0u64, |w, b| (w << 8) | u64::from(*b));
    (0..8)
        .filter(|bit| byte & (0x80 >> bit) != 0)
        .fold(0, |hash, bit| hash ^ u32::try_from((window >> (8 - bit)) & 0xffff_ffff).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, bit by bit, over any input that the key can cover.
    fn toeplitz(key: &[u8], input: &[u8]) -> u32 {
        let key_bit = |i: usize| key.get(i / 8).map_or(0, |b| u32::from(b >> (7 - i % 8)) & 1);
        (0..input.len() * 8)
            .filter(|i| input[i / 8] & (0x80 >> (i % 8)) != 0)
            .fold(0, |h, i| h ^ (0..32).fold(0, |w, j| (w << 1) | key_bit(i + j)))
    }

    fn addr(s: &str) -> Ipv6Addr {
        s.parse().unwrap()
    }

    fn some_addr(i: u128) -> Ipv6Addr {
        Ipv6Addr::from_bits(i.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
    }

    #[test]
    fn bitwise_definition_gives_the_published_vectors() {
        const MICROSOFT: [u8; 40] = [
            0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
            0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
            0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
        ];
        // Microsoft, "Verifying the RSS Hash Calculation", IPv6 and IPv4 without ports.
        for (dst, src, hash) in [
            ("3ffe:2501:200:3::1", "3ffe:2501:200:1fff::7", 0x2cc1_8cd5),
            ("ff02::1", "3ffe:501:8::260:97ff:fe40:efab", 0x0f0c_461c),
        ] {
            let input = [addr(src).octets(), addr(dst).octets()].concat();
            assert_eq!(toeplitz(&MICROSOFT, &input), hash);
        }
        for (dst, src, hash) in [
            ([161, 142, 100, 80], [66, 9, 149, 187], 0x323e_8fc2_u32),
            ([65, 69, 140, 83], [199, 92, 111, 2], 0xd718_262a),
        ] {
            assert_eq!(toeplitz(&MICROSOFT, &[src, dst].concat()), hash);
        }
    }

    #[test]
    fn tables_agree_with_the_definition_and_ignore_the_interface_id() {
        let s = Steering::new(5);
        for i in 0..2000u128 {
            let a = some_addr(i);
            let hash = toeplitz(&RSS_KEY, &a.octets()[..8]);
            assert_eq!(s.owner_of(a), s.reta()[hash as usize % RETA_LEN]);
            assert_eq!(s.owner_of(a), s.owner_of(Ipv6Addr::from_bits(a.to_bits() ^ 0xffff)));
        }
    }

    // What a NIC is configured with (`dpdk::port`): a table that repeats ours, and a key of 40
    // bytes or more with RSS_KEY where the address that counts begins.
    #[test]
    fn a_nic_that_hashes_both_addresses_and_the_ports_finds_the_same_worker() {
        let s = Steering::new(5);
        let device_table: Vec<_> = s.reta().iter().cycle().take(512).copied().collect();
        for i in 0..2000u128 {
            let (src, dst) = (some_addr(3 * i + 1), some_addr(i));
            let addresses = [src.octets(), dst.octets()].concat();
            let with_ports = [&addresses[..], &some_addr(7 * i).octets()[..4]].concat();
            for input in [&addresses, &with_ports] {
                for (key_at, owner) in [(16, s.owner_of(dst)), (0, s.owner_of(src))] {
                    let mut key = [0; 52];
                    key[key_at..key_at + RSS_KEY.len()].copy_from_slice(&RSS_KEY);
                    assert_eq!(device_table[toeplitz(&key, input) as usize % 512], owner);
                }
            }
        }
    }

    #[test]
    fn ipv4_address_is_hashed_as_its_32_bits() {
        let s = Steering::new(5);
        for i in 0..2000u32 {
            let a = std::net::Ipv4Addr::from_bits(i.wrapping_mul(0x9e37_79b9));
            let hash = toeplitz(&RSS_KEY, &a.octets());
            assert_eq!(s.owner_of(a.to_ipv6_mapped()), s.reta()[hash as usize % RETA_LEN]);
        }
        let p = |text: &str| text.parse::<HomePrefix>().unwrap();
        assert_eq!(s.owner(p("10.1.2.0/31")), Owner::All);
        assert_eq!(s.owner(p("10.1.2.3/32")), Owner::One(s.owner_of(addr("::ffff:10.1.2.3"))));
        assert_eq!(s.owner(p("::/0")), Owner::All);
    }

    /// How many of 128 addresses, `step` apart, each of so many workers has.
    fn shares(workers: u16, first: u128, step: u128) -> Vec<u32> {
        let s = Steering::new(workers);
        let mut count = vec![0; usize::from(workers)];
        for i in 0..128 {
            count[usize::from(s.owner_of(Ipv6Addr::from_bits(first + i * step)).0)] += 1;
        }
        count
    }

    #[test]
    fn what_is_counted_up_is_spread_evenly() {
        let (prefix, ipv4) = (0x2001_0db8_0100_0000_u128 << 64, 0xffff_0a00_0000_u128);
        for workers in 1..=16 {
            // Of /64 and /56, and of IPv4 addresses: no two of 128 share a slot.
            for (first, step) in [(prefix, 1 << 64), (prefix, 1 << 72), (ipv4, 1)] {
                let shares = shares(workers, first, step);
                let fair = u32::from(128 / workers)..=u32::from(128_u16.div_ceil(workers));
                assert!(shares.iter().all(|n| fair.contains(n)), "{workers}: {shares:?}");
            }
        }
        // Few of them, and few workers.
        for n in [2, 4] {
            let s = Steering::new(n);
            for first in [prefix >> 64, prefix >> 64 | 0xa4c8] {
                let owners = (0..u128::from(n)).map(|i| Ipv6Addr::from_bits((first + i) << 64));
                let owners: std::collections::BTreeSet<_> =
                    owners.map(|a| s.owner_of(a).0).collect();
                assert_eq!(owners.len(), usize::from(n));
            }
        }
    }

    #[test]
    fn prefix_shorter_than_64_belongs_to_every_worker() {
        let s = Steering::new(2);
        assert_eq!(s.owner("2001:db8::/63".parse().unwrap()), Owner::All);
        let p: HomePrefix = "2001:db8:1::/64".parse().unwrap();
        assert_eq!(s.owner(p), Owner::One(s.owner_of(p.addr())));
        let host: HomePrefix = "2001:db8:1::7/128".parse().unwrap();
        assert_eq!(s.owner(host), s.owner(p));
    }
}
