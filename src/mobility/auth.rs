//! Authentication of messages by a shared key, RFC 4285: HMAC-SHA1, its first 96 bits.
//!
//! Proxy Mobile IPv6 has no words for the addresses that are authenticated besides the header. As
//! RFC 6275 6.1.7 has it for a message without a Home Address option, the home address is the
//! gateway's: source of its updates, destination of our answers. The care-of address is the
//! Proxy-CoA.

use crate::time::{Duration, MobTimestamp};
use crate::wire::mh::{AuthOption, MAX_LEN, MessageData, MobilityOption};
use core::fmt;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use std::net::Ipv6Addr;

/// A mobility security association by shared key (RFC 4285 3.1).
#[derive(Clone, PartialEq, Eq)]
pub struct AuthKey {
    /// Mobility SPI: by which messages name it. Those up to 255 are reserved (5.1).
    pub spi: u32,
    /// The key; the RFC's are of 16 octets.
    pub secret: Box<[u8]>,
    /// Whether messages must have a Replay Protection option (else status 145), and how far its
    /// time may be from ours (else 144). Where it is not demanded it may be there, and then is
    /// compared with [`AuthKey::DEFAULT_WINDOW`].
    pub replay_window: Option<Duration>,
}

impl AuthKey {
    /// RFC 4285 5.1: the default value of "close enough".
    pub const DEFAULT_WINDOW: Duration = Duration::from_secs(7);

    /// Whether `header`, in which `option` was found, is authentic.
    pub(crate) fn verifies(&self, option: &AuthOption, header: &[u8], about: &Addresses) -> bool {
        let Some(mac) = self.mac(option, header, about) else { return false };
        let data = option.data(header);
        data.len() == DATA_LEN && mac.verify_truncated_left(data).is_ok()
    }

    fn mac(&self, option: &AuthOption, header: &[u8], about: &Addresses) -> Option<Hmac<Sha1>> {
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.secret).ok()?;
        let (care_of, home) = (about.care_of.octets(), about.home.octets());
        for piece in option.mobility_data(&care_of, &home, header) {
            mac.update(piece);
        }
        Some(mac)
    }
}

impl fmt::Debug for AuthKey {
    /// Never the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthKey").field("spi", &self.spi).finish_non_exhaustive()
    }
}

/// The key with which a message of ours is authenticated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signer<'a> {
    pub(crate) key: &'a AuthKey,
    pub(crate) about: Addresses,
}

impl Signer<'_> {
    /// The Authentication Data of a message with these `options`, for an option behind them.
    pub(crate) fn authenticate<M: MessageData>(
        &self,
        message: &M,
        options: &[MobilityOption<'_>],
    ) -> Option<[u8; DATA_LEN]> {
        let empty = MobilityOption::MessageAuth(AuthOption::MN_HA, self.key.spi, &[0; DATA_LEN]);
        let all: Vec<_> = options.iter().copied().chain([empty]).collect();
        let mut header = [0; MAX_LEN];
        let len = message.emit_in_udp(&all, &mut header).ok()?;
        let header = header.get(..len)?;
        let option = AuthOption::find(header, AuthOption::MN_HA).ok()??;
        let digest = self.key.mac(&option, header, &self.about)?.finalize().into_bytes();
        digest.get(..DATA_LEN)?.try_into().ok()
    }
}

/// What is authenticated besides the Mobility Header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) care_of: Ipv6Addr,
    /// The gateway's end of the exchange.
    pub(crate) home: Ipv6Addr,
}

/// Octets of Authentication Data (5.1).
const DATA_LEN: usize = 12;

/// Our time of day as a Replay Protection option has it (RFC 4285 6): the format of NTP.
pub(crate) fn ntp(clock: MobTimestamp) -> u64 {
    let seconds = (clock.0 >> 16).wrapping_add(NTP_EPOCH) & u64::from(u32::MAX);
    (seconds << 32) | ((clock.0 & 0xffff) << 16)
}

/// Whether a time in the format of NTP is close enough to ours.
pub(crate) fn is_close(time: u64, clock: MobTimestamp, window: Duration) -> bool {
    // Seconds wrap in 2036: what counts is the shorter way round.
    let apart = time.wrapping_sub(ntp(clock));
    let apart = apart.min(apart.wrapping_neg());
    let fraction = (u128::from(window.subsec_nanos()) << 32) / 1_000_000_000;
    u128::from(apart) <= (u128::from(window.as_secs()) << 32) + fraction
}

/// Whether a time in the format of NTP comes after another.
pub(crate) fn is_after(time: u64, last: u64) -> bool {
    (1..1 << 63).contains(&time.wrapping_sub(last))
}

/// The time that is answered to one that is not valid: the upper half of ours, the lower of theirs.
pub(crate) fn corrected(time: u64, clock: MobTimestamp) -> u64 {
    (ntp(clock) >> 32 << 32) | (time & u64::from(u32::MAX))
}

/// Seconds from 1900 to 1970.
const NTP_EPOCH: u64 = 2_208_988_800;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_ntp_are_compared_across_the_end_of_their_era() {
        // 2036-02-07 06:28:16 UTC is second 0 of the next era.
        let clock = |secs| MobTimestamp::from_unix(Duration::from_secs(secs));
        let turn = (1 << 32) - NTP_EPOCH;
        assert_eq!(ntp(clock(turn)), 0);
        assert_eq!(ntp(clock(0)), NTP_EPOCH << 32);
        let window = Duration::from_secs(7);
        assert!(is_close(ntp(clock(turn - 3)), clock(turn + 4), window));
        assert!(!is_close(ntp(clock(turn - 3)), clock(turn + 5), window));
        assert!(is_after(ntp(clock(turn + 1)), ntp(clock(turn - 1))));
        assert!(!is_after(ntp(clock(turn - 1)), ntp(clock(turn + 1))));
        assert!(!is_after(7, 7));
    }

    #[test]
    fn corrected_time_has_our_seconds_and_their_fraction() {
        let clock = MobTimestamp::from_unix(Duration::new(1, 500_000_000));
        assert_eq!(corrected(0x1234, clock), (NTP_EPOCH + 1) << 32 | 0x1234);
    }

    /// An update of a gateway at 2001:db8:2::1 with the key 00 01 .. 0f and the SPI 256, made and
    /// authenticated by Python's `hmac`.
    const AUTHENTIC: [u8; 88] = *b"\x3b\x0a\x05\0\0\0\0\x07\x82\0\0\x0f\x08\x10\x01mn1@example.org\
        \x01\x04\0\0\0\0\x16\x12\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x17\x02\0\x01\x18\x02\0\x04\0\x09\x11\x01\
        \0\0\x01\0\xb0\x81\x9c\x24\x28\x12\xb4\x33\xbc\x0a\x7f\xaa\x01\x02\0\0";

    // proves: AUTH-5.1-4, AUTH-5.1.1-3
    #[test]
    fn message_that_others_authenticated_verifies_and_not_with_one_bit_changed() {
        let gateway = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 1);
        let secret = std::array::from_fn::<u8, 16, _>(|n| n.to_le_bytes()[0]);
        let key = AuthKey { spi: 256, secret: secret.into(), replay_window: None };
        let verifies = |header: &[u8], care_of| {
            let option = AuthOption::find(header, AuthOption::MN_HA).ok().flatten();
            let about = Addresses { care_of, home: gateway };
            option.is_some_and(|o| key.verifies(&o, header, &about))
        };
        assert!(verifies(&AUTHENTIC, gateway));
        let mut checksummed = AUTHENTIC;
        checksummed[4..6].copy_from_slice(&[0x12, 0x34]);
        assert!(verifies(&checksummed, gateway), "the checksum counts as zero");
        assert!(!verifies(&AUTHENTIC, Ipv6Addr::LOCALHOST));
        for at in 6..84 {
            let mut changed = AUTHENTIC;
            changed[at] ^= 1;
            assert!(!verifies(&changed, gateway), "octet {at}");
        }
    }

    #[test]
    fn secret_is_not_shown() {
        let key = AuthKey { spi: 256, secret: [0x5e; 16].into(), replay_window: None };
        assert_eq!(format!("{key:?}"), "AuthKey { spi: 256, .. }");
    }
}
