//! ICMPv6 errors (RFC 4443): made in place out of the packet that they are about, rate-limited.
//!
//! ```text
//!   | headroom | Ethernet | packet ...             |
//!   | Ethernet | IPv6 | ICMPv6 | packet ... cut so that it all has at most 1280 bytes |
//! ```

use super::header::{
    ETHER_LEN, Header, Headers, IPV6_LEN, IPV6_MTU_MIN, Ipv6, is_unforwardable, protocol,
};
use super::tunnel::HOP_LIMIT;
use crate::nic::Frame;
use crate::time::{Duration, Instant};
use crate::wire::checksum::Checksum;
use std::net::Ipv6Addr;

/// What the sender of a dropped packet is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IcmpError {
    /// Type 1 code 0.
    NoRoute,
    /// Type 1 code 1: administratively prohibited.
    Prohibited,
    /// Type 1 code 3: the route is known (it ends here), the address is not reachable.
    AddressUnreachable,
    /// Type 2, with the MTU to use.
    PacketTooBig(u32),
    /// Type 3 code 0.
    HopLimitExceeded,
    /// Type 4 code 0, with the offset of the field.
    ErroneousField(u32),
    /// Type 4 code 2, with the offset of the option.
    UnknownOption(u32),
}

impl IcmpError {
    /// Type, code and the word behind the checksum.
    const fn fields(self) -> (u8, u8, u32) {
        match self {
            Self::NoRoute => (1, 0, 0),
            Self::Prohibited => (1, 1, 0),
            Self::AddressUnreachable => (1, 3, 0),
            Self::PacketTooBig(mtu) => (2, 0, mtu),
            Self::HopLimitExceeded => (3, 0, 0),
            Self::ErroneousField(pointer) => (4, 0, pointer),
            Self::UnknownOption(pointer) => (4, 2, pointer),
        }
    }
}

const ICMP_LEN: usize = 8;
/// An error has at most the minimum MTU (RFC 4443 section 2.4 (c)).
const QUOTE_MAX: usize = IPV6_MTU_MIN as usize - IPV6_LEN - ICMP_LEN;
const TYPE_INFORMATIONAL_MIN: u8 = 128;
const TYPE_REDIRECT: u8 = 137;

/// Whether an error about `packet` may be sent (RFC 4443 section 2.4 (e)): not about an ICMPv6 error
/// or redirect, nor if its source or destination names no single node that we can reach.
pub(super) fn may_answer(packet: &[u8]) -> bool {
    let Some(ip) = Ipv6::of(packet) else { return false };
    if is_unforwardable(ip.src()) || is_unforwardable(ip.dst()) {
        return false;
    }
    let mut headers = Headers::of(packet, ip);
    loop {
        match headers.step() {
            Ok(Header::Upper { protocol: protocol::ICMPV6, at }) => {
                return packet
                    .get(at)
                    .is_some_and(|t| *t >= TYPE_INFORMATIONAL_MIN && *t != TYPE_REDIRECT);
            }
            // Its type is in another fragment.
            Ok(Header::Fragment { next: protocol::ICMPV6, first: false }) => return false,
            Ok(Header::Upper { .. } | Header::Fragment { first: false, .. }) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

/// Turns a frame with a packet into one with an error about it, to the packet's sender. The Ethernet
/// header is left undefined. `false`: the buffer does not allow it, and the frame is of no use.
#[must_use]
pub(super) fn rewrite<F: Frame>(frame: &mut F, error: IcmpError, source: Ipv6Addr) -> bool {
    let Some(target) = Ipv6::of_frame(frame.data()).map(Ipv6::src) else { return false };
    if frame.data().len() != frame.frame_len() {
        return false; // the checksum needs all bytes in one buffer
    }
    let quote = (frame.frame_len() - ETHER_LEN).min(QUOTE_MAX);
    if !frame.truncate(ETHER_LEN + quote) || !frame.prepend(IPV6_LEN + ICMP_LEN) {
        return false;
    }
    let (kind, code, word) = error.fields();
    let len = ICMP_LEN + quote;
    let Some((head, icmp)) = frame.data_mut().split_first_chunk_mut::<{ ETHER_LEN + IPV6_LEN }>()
    else {
        return false;
    };
    let target = Ipv6Addr::from_bits(target);
    head[14..18].copy_from_slice(&(6u32 << 28).to_be_bytes());
    head[18..20].copy_from_slice(&u16::try_from(len).unwrap_or(0).to_be_bytes());
    (head[20], head[21]) = (protocol::ICMPV6, HOP_LIMIT);
    head[22..38].copy_from_slice(&source.octets());
    head[38..54].copy_from_slice(&target.octets());
    icmp[..4].copy_from_slice(&[kind, code, 0, 0]);
    icmp[4..8].copy_from_slice(&word.to_be_bytes());
    let mut sum = Checksum::pseudo(source, target, protocol::ICMPV6, u32::try_from(len).unwrap_or(0));
    sum.add(icmp);
    icmp[2..4].copy_from_slice(&sum.value().to_be_bytes());
    true
}

/// A token bucket (RFC 4443 section 2.4 (f)): on average one error a millisecond and worker, and
/// bursts of [`ERRORS_BURST`].
#[derive(Debug)]
pub(super) struct ErrorLimit {
    /// Time that may still be spent, at [`ERROR_COST`] an error.
    credit: Duration,
    last: Instant,
}

const ERROR_COST: Duration = Duration::from_millis(1);
/// Errors that may leave at once after a quiet time.
pub(super) const ERRORS_BURST: u32 = 64;

impl ErrorLimit {
    /// A full bucket.
    pub(super) const fn new() -> Self {
        Self { credit: CREDIT_MAX, last: Instant(0) }
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.credit = self.credit.saturating_add(now.since(self.last)).min(CREDIT_MAX);
        self.last = self.last.max(now);
        let Some(left) = self.credit.checked_sub(ERROR_COST) else { return false };
        self.credit = left;
        true
    }
}

const CREDIT_MAX: Duration = Duration::from_millis(ERRORS_BURST as u64);

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(src: &str, dst: &str, next: u8, rest: &[u8]) -> Vec<u8> {
        let addr = |s: &str| s.parse::<Ipv6Addr>().unwrap().octets();
        let len = u16::try_from(rest.len()).unwrap().to_be_bytes();
        let head = [0x60, 0, 0, 0, len[0], len[1], next, 64];
        [&head[..], &addr(src), &addr(dst), rest].concat()
    }

    // RFC 4443 2.4 (e)
    #[test]
    fn no_error_answers_errors_redirects_or_packets_without_a_single_sender() {
        let (a, b) = ("2001:db8::a", "2001:db8::b");
        for (src, dst, next, rest, want) in [
            (a, b, 17, &[0; 8][..], true),
            (a, b, 59, &[], true),
            (a, b, 58, &[128, 0], true), // echo request
            (a, b, 58, &[1, 3], false),
            (a, b, 58, &[127, 0], false),
            (a, b, 58, &[137, 0], false),
            (a, b, 58, &[], false),                                     // type unknown
            (a, b, 60, &[58, 0, 1, 4, 0, 0, 0, 0, 2, 0], false),        // behind options
            (a, b, 60, &[58, 0, 1, 4, 0, 0, 0, 0, 129, 0], true),       // echo reply behind options
            (a, b, 60, &[58, 9, 1, 4], false),                          // cut
            (a, b, 44, &[58, 0, 0, 1, 0, 0, 0, 0, 1, 0], false),        // first fragment
            (a, b, 44, &[58, 0, 0, 8, 0, 0, 0, 0, 128, 0], false),      // a later one
            (a, b, 44, &[17, 0, 0, 8, 0, 0, 0, 0, 128, 0], true),
            ("::", b, 17, &[0; 8], false),
            ("ff02::1", b, 17, &[0; 8], false),
            ("fe80::1", b, 17, &[0; 8], false),
            (a, "ff05::2", 17, &[0; 8], false),
        ] {
            assert_eq!(may_answer(&packet(src, dst, next, rest)), want, "{src} {dst} {next} {rest:?}");
        }
        assert!(!may_answer(&[0x60; 39]));
    }

    // RFC 4443 2.4 (f)
    #[test]
    fn bucket_gives_its_burst_then_one_a_millisecond() {
        let mut limit = ErrorLimit::new();
        let start = Instant(5_000_000_000);
        let given = (0..1000).filter(|_| limit.take(start)).count();
        assert_eq!(given, ERRORS_BURST as usize);
        assert!(!limit.take(start + Duration::from_micros(999)));
        assert!(limit.take(start + Duration::from_millis(1)));
        assert!(!limit.take(start + Duration::from_millis(1)));
        let later = start + Duration::from_secs(100);
        assert_eq!((0..1000).filter(|_| limit.take(later)).count(), ERRORS_BURST as usize);
    }
}
