//! IPv4 packets, and a topology with both families outside.
//!
//! ```text
//!   port 0, 192.0.2.1 (the LMA's)     MAG4 198.51.100.7 -- node i 2001:db8:1:ai::/64, 10.1.0.(16 + i)
//!   port 1, 192.0.2.254               default gateway fe80::1 -- CN4 203.0.113.9
//! ```

use super::*;
use crate::dataplane::checksum::{sum_of, value};

/// An IPv4 packet to be.
#[derive(Clone)]
pub(super) struct Packet4 {
    src: Ipv4Addr,
    dst: Ipv4Addr,
    protocol: u8,
    ttl: u8,
    tos: u8,
    /// Flags and offset.
    fragment: u16,
    payload: Vec<u8>,
}

impl Packet4 {
    /// A UDP packet with DF.
    pub(super) fn new(src: &str, dst: &str) -> Self {
        let payload = [&[4, 1, 4, 2, 0, 24, 0, 0][..], &[0x55; 16]].concat();
        let (src, dst) = (ipv4(src), ipv4(dst));
        Self { src, dst, protocol: UDP, ttl: 64, tos: 0, fragment: 0x4000, payload }
    }

    pub(super) fn ttl(self, ttl: u8) -> Self {
        Self { ttl, ..self }
    }

    pub(super) fn tos(self, tos: u8) -> Self {
        Self { tos, ..self }
    }

    pub(super) fn fragment(self, fragment: u16) -> Self {
        Self { fragment, ..self }
    }

    pub(super) fn payload(self, protocol: u8, payload: &[u8]) -> Self {
        Self { protocol, payload: payload.to_vec(), ..self }
    }

    pub(super) fn set_payload(&mut self, at: usize, byte: u8) {
        self.payload[at] = byte;
    }

    /// In UDP without a checksum.
    pub(super) fn udp(self, from: u16, to: u16, payload: &[u8]) -> Self {
        let len = u16::try_from(payload.len() + 8).unwrap();
        let header = [from, to, len, 0].map(u16::to_be_bytes).concat();
        self.payload(UDP, &[&header, payload].concat())
    }

    /// Fills up to `len` bytes in all, header included.
    pub(super) fn len(mut self, len: usize) -> Self {
        self.payload.resize(len - 20, 0x55);
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let len = u16::try_from(20 + self.payload.len()).unwrap().to_be_bytes();
        let fragment = self.fragment.to_be_bytes();
        let mut bytes = vec![0x45, self.tos, len[0], len[1], 0, 7, fragment[0], fragment[1]];
        bytes.extend([self.ttl, self.protocol, 0, 0]);
        bytes.extend([self.src.octets(), self.dst.octets()].concat());
        let checksum = value(sum_of(&bytes)).to_be_bytes();
        bytes[10..12].copy_from_slice(&checksum);
        bytes.extend(&self.payload);
        bytes
    }

    pub(super) fn frame(&self, dst: MacAddr, src: MacAddr) -> Vec<u8> {
        [&dst.0[..], &src.0, &[0x08, 0x00], &self.bytes()].concat()
    }

    /// As it arrives on the core port.
    pub(super) fn on_core(&self) -> Vec<u8> {
        self.frame(CORE_MAC, GATEWAY_MAC)
    }

    /// As it arrives on the access port.
    pub(super) fn on_access(&self) -> Vec<u8> {
        self.frame(ACCESS_MAC, MAG4_MAC)
    }
}
