//! Frames to and from the kernel.
//!
//! ```text
//!   what comes for it --------------------------> TAP
//!   to a node whose tunnel is in ESP -----------> TAP, to be forwarded by its policies
//!   TAP --> ESP of ours, to the home address of such a node --> to its care-of address
//!       --> what should be in ESP and is not -----------------> dropped
//!       --> ESP of ours to an address that a node holds, and
//!           from a node out of ESP to another ----------------> that node's tunnel
//!       --> anything else ------------------------------------> as it is
//! ```
//! RFC 6275 10.4.6: the kernel's security association for a node's tunnel ends at the home address,
//! which never changes. Where the node is the binding in force says, for each packet anew; ESP
//! covers no header before its own.

use super::counters::Counter;
use super::send::OPERATOR;
use super::{Control, ipsec};
use crate::addr::{PortId, Protection};
use crate::nic::{BURST_MAX, Frame, FramePool};
use crate::time::{Instant, Now};
use crate::wire::ether;
use crate::wire::ipv4::Ipv4Header;
use crate::wire::ipv6::{Ipv6Header, may_carry};
use crate::wire::mh;
use core::ops::Range;
use std::net::Ipv6Addr;

/// How a frame of the kernel leaves.
enum Way<'f> {
    /// By the port that the kernel has chosen.
    AsItIs,
    /// This packet, in the tunnel of the node that it is for.
    ToNode(&'f [u8]),
    /// This packet, which is ESP in tunnel mode to a node, to the node's care-of address.
    ToCareOf(Ipv6Addr, &'f [u8]),
    /// Not at all: it has to be in ESP.
    Unprotected,
}

impl<P: FramePool> Control<P> {
    pub(super) fn give_to_kernel(&mut self, mut frame: P::Frame, now: Now) {
        let whole = frame.data().len() == frame.frame_len();
        let port = self.output.untag(frame.port(), &mut frame);
        if port.is_some_and(|port| self.hear_home_link(port, frame.data(), now))
            || self.hear_broadcast(frame.data(), now)
        {
            return;
        }
        self.write_to_kernel(port.filter(|_| whole), frame);
    }

    /// Has the kernel forward a packet to a node whose tunnel is protected.
    pub(super) fn pass_to_kernel(&mut self, mut frame: P::Frame) {
        let whole = frame.data().len() == frame.frame_len();
        let port = self.output.untag(frame.port(), &mut frame);
        self.write_to_kernel(port.filter(|_| whole), frame);
    }

    fn write_to_kernel(&mut self, port: Option<PortId>, frame: P::Frame) {
        if let Some(port) = port
            && self.kernel.to_kernel.try_send((port, frame)).is_ok()
        {
            self.counters[Counter::KernelTx] += 1;
        } else {
            self.counters[Counter::KernelTxDropped] += 1;
        }
    }

    pub(super) fn take_from_kernel(&mut self, now: Instant) -> usize {
        let mut work = 0;
        while work < KERNEL_FRAME_BUDGET
            && let Ok((port, bytes)) = self.kernel.from_kernel.try_recv()
        {
            self.send_from_kernel(port, &bytes, now);
            work += 1;
        }
        work
    }

    fn send_from_kernel(&mut self, port: PortId, frame: &[u8], now: Instant) {
        let copied = |packet: &[u8], buf: &mut [u8]| {
            buf.get_mut(..packet.len())?.copy_from_slice(packet);
            Some(packet.len())
        };
        match self.way_of(frame) {
            Way::AsItIs => self.output.send_from_kernel(port, frame, &mut self.counters),
            Way::ToNode(packet) => {
                let (output, counters) = (&mut self.output, &mut self.counters);
                counters[Counter::KernelRx] += 1;
                output.send_to_node(OPERATOR, counters, |buf| copied(packet, buf));
            }
            Way::ToCareOf(care_of, packet) => {
                self.counters[Counter::KernelRx] += 1;
                self.send_anywhere(false, care_of, now, |buf| {
                    let len = copied(packet, buf)?;
                    buf.get_mut(DESTINATION)?.copy_from_slice(&care_of.octets());
                    Some(len)
                });
            }
            // RFC 5213 section 4, RFC 6275 10.4.6: what is to be protected leaves so, or not at
            // all.
            Way::Unprotected => self.counters[Counter::KernelUnprotected] += 1,
        }
    }

    fn way_of<'f>(&self, frame: &'f [u8]) -> Way<'f> {
        if ipsec::is_clear(frame, self.own) {
            return Way::Unprotected;
        }
        let Some((packet, src, dst)) = ends(frame) else { return Way::AsItIs };
        let is_esp = ipsec::is_esp(packet, self.own.ipv6);
        let protection = |address| self.publisher.protection_of(OPERATOR, address);
        match protection(dst) {
            // ESP over IPv4 is not there.
            Some((_, care_of)) if is_esp && care_of.to_ipv4_mapped().is_none() => {
                return Way::ToCareOf(care_of, packet);
            }
            Some((Protection::All, _)) => return Way::Unprotected,
            Some(_) if is_esp || may_carry(packet, mh::NEXT_HEADER) => return Way::Unprotected,
            Some(_) | None => {}
        }
        let is_for_node = is_esp || protection(src).is_some();
        if is_for_node && self.publisher.is_held(OPERATOR, dst) {
            Way::ToNode(packet)
        } else {
            Way::AsItIs
        }
    }
}

/// The packet of a frame, from and to where; IPv4 as IPv4-mapped.
fn ends(frame: &[u8]) -> Option<(&[u8], Ipv6Addr, Ipv6Addr)> {
    match ether::payload(frame).ok()? {
        (ether::IPV6, packet) => {
            let ip = Ipv6Header::parse(packet).ok()?;
            Some((packet.get(..ip.packet_len())?, ip.src, ip.dst))
        }
        (ether::IPV4, packet) => {
            let ip = Ipv4Header::parse(packet).ok()?;
            let packet = packet.get(..usize::from(ip.total_len))?;
            Some((packet, ip.src.to_ipv6_mapped(), ip.dst.to_ipv6_mapped()))
        }
        _ => None,
    }
}

/// Where the destination stands in an IPv6 header.
const DESTINATION: Range<usize> = 24..40;
/// Frames of the kernel a turn.
const KERNEL_FRAME_BUDGET: usize = BURST_MAX;
