//! Proxy Binding Updates as a gateway sends them, and what of an acknowledgement must be right. By
//! hand, as in `scene`: RFC 6275 section 6.1, RFC 5213 section 8, RFC 4283.

use crate::scene::{self, ACCESS_MAC, ACCESS_ROUTER_MAC, ETHER, IPV6, LMA, POOL};
use std::net::Ipv6Addr;

/// What a gateway asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The node attaches.
    Register,
    /// The gateway asks for more lifetime.
    Refresh,
    /// The node is at the next gateway.
    Handoff,
}

impl Step {
    /// All, in the order of a node's life.
    pub(crate) const ALL: [Self; 3] = [Self::Register, Self::Refresh, Self::Handoff];

    /// RFC 5213 section 8.4.
    fn handoff_indicator(self) -> u8 {
        match self {
            Self::Register => 1,
            Self::Refresh => 5,
            Self::Handoff => 3,
        }
    }
}

/// An update to be.
pub(crate) struct Pbu {
    pub(crate) step: Step,
    /// Which node.
    pub(crate) node: u32,
    /// Which gateway sends it.
    pub(crate) mag: Ipv6Addr,
    /// What the node holds; zero: it asks for a prefix.
    pub(crate) hnp: u128,
    /// When, as the Timestamp option says it.
    pub(crate) timestamp: u64,
}

/// The next header of a Mobility Header.
pub(crate) const MH: u8 = 135;
const MH_LEN: usize = 88;
const NAI_LEN: usize = 22;
/// Bytes of a whole frame.
pub(crate) const PBU_LEN: usize = ETHER + IPV6 + MH_LEN;
/// A and P (RFC 5213 section 8.1).
const FLAGS: [u8; 2] = [0x82, 0x00];
const LIFETIME: u16 = 900;

/// Writes an update into `out`.
pub(crate) fn write(pbu: &Pbu, out: &mut [u8]) {
    let Pbu { step, node: i, mag: src, hnp, timestamp } = *pbu;
    scene::ether(out, ACCESS_MAC.0, ACCESS_ROUTER_MAC);
    scene::ipv6(&mut out[ETHER..], MH_LEN, MH, 64, src, LMA);
    let mh = &mut out[ETHER + IPV6..PBU_LEN];
    mh.fill(0);
    // Payload proto 59, 8 * (10 + 1) bytes, type 5.
    mh[..4].copy_from_slice(&[59, 10, 5, 0]);
    mh[6..8].copy_from_slice(&low_half(i).to_be_bytes());
    mh[8..10].copy_from_slice(&FLAGS);
    mh[10..12].copy_from_slice(&LIFETIME.to_be_bytes());
    mh[12..15].copy_from_slice(&[8, 1 + 22, 1]); // MN-ID: an NAI
    mh[15..15 + NAI_LEN].copy_from_slice(format!("n{i:07}@bench.example").as_bytes());
    mh[37..40].copy_from_slice(&[1, 1, 0]); // PadN
    mh[40..44].copy_from_slice(&[23, 2, 0, step.handoff_indicator()]);
    mh[44..48].copy_from_slice(&[24, 2, 0, 4]); // IEEE 802.11
    mh[48..52].copy_from_slice(&[1, 2, 0, 0]);
    mh[52..56].copy_from_slice(&[22, 18, 0, if hnp == 0 { 0 } else { 64 }]);
    mh[56..72].copy_from_slice(&hnp.to_be_bytes());
    mh[72..76].copy_from_slice(&[1, 0, 27, 8]);
    mh[76..84].copy_from_slice(&timestamp.to_be_bytes());
    mh[84..88].copy_from_slice(&[1, 2, 0, 0]);
    let sum = checksum(src, LMA, mh);
    mh[4..6].copy_from_slice(&sum.to_be_bytes());
}

/// An acknowledgement that is right as far as can be said without its update.
pub(crate) struct Pba {
    /// The gateway it goes to.
    pub(crate) mag: Ipv6Addr,
    /// Of the update.
    pub(crate) seq: u16,
    /// Which node.
    pub(crate) node: u32,
    /// Its home network prefix.
    pub(crate) hnp: u128,
}

/// Reads a frame that the anchor sent: a PBA with status 0, our lifetime and a prefix of the pool.
pub(crate) fn read(frame: &[u8]) -> Option<Pba> {
    let ip = frame.get(ETHER..ETHER + IPV6)?;
    let mh = frame.get(ETHER + IPV6..)?;
    let address = |at: usize| ip[at..at + 16].try_into().ok().map(u128::from_be_bytes);
    let (src, mag) = (address(8)?.into(), address(24)?.into());
    let len = usize::from(u16::from_be_bytes([ip[4], ip[5]]));
    let right = frame[..6] == ACCESS_ROUTER_MAC
        && frame[12..14] == [0x86, 0xdd]
        && (ip[6], src, len) == (MH, LMA, mh.len())
        && mh.len() >= 12
        && (usize::from(mh[1]) + 1) * 8 == len
        && (mh[2], mh[6], u16::from_be_bytes([mh[10], mh[11]])) == (6, 0, LIFETIME)
        && checksum(src, mag, mh) == 0;
    if !right {
        return None;
    }
    let nai = option(mh, 8)?.get(1..).and_then(|nai| std::str::from_utf8(nai).ok())?;
    let node = nai.strip_prefix('n')?.strip_suffix("@bench.example")?.parse().ok()?;
    let hnp = option(mh, 22)?;
    let bits = u128::from_be_bytes(hnp.get(2..18)?.try_into().ok()?);
    let seq = u16::from_be_bytes([mh[8], mh[9]]);
    (hnp[1] == 64 && bits >> 96 == POOL >> 96).then_some(Pba { mag, seq, node, hnp: bits })
}

/// The sequence number that node `i` uses: any would do, updates are ordered by their timestamps.
pub(crate) fn low_half(i: u32) -> u16 {
    u16::try_from(i & 0xffff).unwrap_or(0)
}

/// The data of the first option of this type.
fn option(mh: &[u8], wanted: u8) -> Option<&[u8]> {
    let mut rest = mh.get(12..)?;
    loop {
        rest = match *rest {
            [0, ref after @ ..] => after, // Pad1
            [kind, len, ref after @ ..] => {
                let (data, after) = after.split_at_checked(usize::from(len))?;
                if kind == wanted {
                    return Some(data);
                }
                after
            }
            _ => return None,
        };
    }
}

/// RFC 6275 section 6.1.1: over the pseudo-header and the message. Zero for a message that holds
/// its own checksum.
fn checksum(src: Ipv6Addr, dst: Ipv6Addr, mh: &[u8]) -> u16 {
    let len = u32::try_from(mh.len()).unwrap_or(0).to_be_bytes();
    let pseudo = [&src.octets()[..], &dst.octets(), &len, &[0, 0, 0, MH]].concat();
    let words = pseudo.chunks(2).chain(mh.chunks(2));
    let mut sum: u32 = words.map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}
