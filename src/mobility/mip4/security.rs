//! Mobility security associations: who a message is from (RFC 5944 3.5.1, 5.1).

use crate::time::Duration;
use crate::wire::mip4::{AuthKind, Extension};
use core::fmt;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha2::Sha256;

/// What two ends share: a key, and how it is used.
#[derive(Clone, PartialEq, Eq)]
pub struct SecurityAssociation {
    /// By which messages name it; those up to 255 are reserved (1.6).
    pub spi: u32,
    /// With what messages are authenticated.
    pub algorithm: Algorithm,
    /// The key.
    pub secret: Box<[u8]>,
    /// How a request is known to be new. Of a foreign agent's it has no meaning.
    pub replay: Replay,
}

/// An algorithm of authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Algorithm {
    /// HMAC-MD5, 128 bits: what everybody has (5.1).
    #[default]
    HmacMd5,
    /// HMAC-SHA-256, 256 bits.
    HmacSha256,
}

/// Protection against replays (5.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// The node's time of day, this far from ours at most.
    Timestamps(Duration),
    /// Numbers that we give the node.
    Nonces,
}

impl Default for Replay {
    /// 5.7.1: seven seconds.
    fn default() -> Self {
        Self::Timestamps(Duration::from_secs(7))
    }
}

impl SecurityAssociation {
    /// Whether the extension at `at` in a payload authenticates what is before it.
    pub(in crate::mobility) fn verifies(
        &self,
        payload: &[u8],
        at: usize,
        authenticator: &[u8],
    ) -> bool {
        let Some(covered) = payload.get(..at + COVERED_LEN) else { return false };
        match self.algorithm {
            Algorithm::HmacMd5 => verify::<Hmac<Md5>>(&self.secret, covered, authenticator),
            Algorithm::HmacSha256 => verify::<Hmac<Sha256>>(&self.secret, covered, authenticator),
        }
    }

    /// Appends an extension that authenticates the payload so far.
    pub(in crate::mobility) fn append(&self, between: AuthKind, payload: &mut Vec<u8>) {
        let empty = [0; LEN_MAX];
        let empty = empty.get(..self.algorithm.len()).unwrap_or_default();
        append(&Extension::Auth(between, self.spi, empty), payload);
        let covered = payload.len() - empty.len();
        let (data, place) = payload.split_at_mut(covered);
        match self.algorithm {
            Algorithm::HmacMd5 => write::<Hmac<Md5>>(&self.secret, data, place),
            Algorithm::HmacSha256 => write::<Hmac<Sha256>>(&self.secret, data, place),
        }
    }
}

/// Appends an extension to a message. None that we make is too long for its Length field.
pub(in crate::mobility) fn append(extension: &Extension<'_>, payload: &mut Vec<u8>) {
    let from = payload.len();
    payload.resize(from + extension.buffer_len(), 0);
    if let Some(place) = payload.get_mut(from..)
        && extension.emit(place).is_err()
    {
        payload.truncate(from);
    }
}

impl Algorithm {
    /// Octets of its authenticator.
    const fn len(self) -> usize {
        match self {
            Self::HmacMd5 => 16,
            Self::HmacSha256 => 32,
        }
    }
}

impl fmt::Debug for SecurityAssociation {
    /// Never the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurityAssociation")
            .field("spi", &self.spi)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// Type, length and SPI of the extension itself (3.5.1).
const COVERED_LEN: usize = 6;

/// The longest authenticator.
const LEN_MAX: usize = 32;

fn verify<M: Mac + KeyInit>(secret: &[u8], covered: &[u8], authenticator: &[u8]) -> bool {
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(secret) else { return false };
    mac.update(covered);
    mac.verify_slice(authenticator).is_ok()
}

fn write<M: Mac + KeyInit>(secret: &[u8], covered: &[u8], place: &mut [u8]) {
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(secret) else { return };
    mac.update(covered);
    for (to, from) in place.iter_mut().zip(mac.finalize().into_bytes()) {
        *to = from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // proves: MIP4-3.5.1-1, MIP4-3.5.1-2, MIP4-3.5.1-3, MIP4-3.5.1-4
    #[test]
    fn authenticator_is_what_others_compute_of_all_before_it_and_its_own_beginning() {
        // By Python's hmac: 24 octets, then the extension's type, length and SPI.
        let expected = [
            (Algorithm::HmacMd5, "d9443f172468a5fb1e4c59cae357f1d3"),
            (
                Algorithm::HmacSha256,
                "23fd127653bda9a8330e6384c1f9202835e54b95ec44a1992ff27a4bff1c14b1",
            ),
        ];
        let octets = std::array::from_fn::<u8, 24, _>(|n| n.to_le_bytes()[0]);
        for (algorithm, hex) in expected {
            let replay = Replay::default();
            let association =
                SecurityAssociation { spi: 256, algorithm, secret: octets[..16].into(), replay };
            let mut payload = octets.to_vec();
            association.append(AuthKind::MobileHome, &mut payload);
            let made: Vec<_> = payload[30..].iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(made.concat(), hex);
            assert!(association.verifies(&payload, 24, &payload[30..]));
            assert!(!association.verifies(&payload, 24, &payload[30..payload.len() - 1]), "cut");
            for at in 0..30 {
                let mut changed = payload.clone();
                changed[at] ^= 1;
                assert!(!association.verifies(&changed, 24, &payload[30..]), "octet {at}");
            }
        }
    }

    #[test]
    fn secret_is_not_shown() {
        let secret = [0x5e; 16].into();
        let (algorithm, replay) = (Algorithm::HmacMd5, Replay::Nonces);
        let association = SecurityAssociation { spi: 256, algorithm, secret, replay };
        let shown = "SecurityAssociation { spi: 256, algorithm: HmacMd5, .. }";
        assert_eq!(format!("{association:?}"), shown);
    }
}
