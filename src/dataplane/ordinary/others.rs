//! A closer look at the headers of packets that are not the commonest ones: IPv4, GRE, padding, a
//! gateway that is a customer's.

use super::super::burst::{Lane, cut};
use super::super::encap::flow_label_of;
use super::super::header::{
    ETHER_LEN, Family, IPV4_LEN, IPV6_LEN, Ipv4, Ipv6, PAYLOAD_LEN_SHIFT, TRAFFIC_CLASS_SHIFT,
    are_forwardable_ipv4, ether_type,
};
use super::super::tunnel::TRANSPORT;
use super::kind::carried_by;
use super::read::{Carried, Entry, FromNode, Ordinary, Space, Spaces, around};
use super::upper::PORTS_LEN;
use super::{From, Note, Way, node};
use crate::nic::Frame;

impl<F: Frame> Lane<F> {
    /// Reads what is unread. With `from` the entries found may be other workers' in part.
    #[inline(never)]
    pub(super) fn read_others(
        &self,
        frames: &mut [F],
        notes: &mut [Note],
        entry: &Entry,
        from: Option<From>,
    ) {
        let (plain, tunneled) = (self.spaces(entry.customer), self.spaces(TRANSPORT));
        for (frame, note) in frames.iter_mut().zip(notes) {
            if note.way != Way::Unread {
                continue;
            }
            let ordinary = self.read_other(frame.data(), entry, [&plain, &tunneled], note);
            note.take(frame, ordinary);
            let is_ours = |from| node(frame, note).is_some_and(|node| self.is_ours(node, from));
            if from.is_some_and(|from| !is_ours(from)) {
                note.way = Way::General;
            }
        }
    }

    #[inline(always)]
    fn read_other(
        &self,
        frame: &[u8],
        entry: &Entry,
        [plain, tunneled]: [&Spaces; 2],
        note: &mut Note,
    ) -> Option<Ordinary> {
        let (ether, packet) = frame.split_first_chunk::<ETHER_LEN>()?;
        if !entry.is_for(ether) {
            return None;
        }
        let [.., high, low] = *ether;
        let (number, at, end, traffic_class) = match [high, low] {
            ether_type::IPV6 => {
                let ip = Ipv6::of(packet).filter(|ip| ip.version() == 6)?;
                if ip.dst() != entry.lma {
                    let head = packet.first_chunk()?;
                    if ip.packet_len() < head.len() {
                        return None;
                    }
                    return self.plain_ipv6(head, packet, &plain.ipv6, note);
                }
                (ip.next_header(), IPV6_LEN, ip.packet_len(), ip.traffic_class())
            }
            ether_type::IPV4 => {
                let head = packet.first_chunk()?;
                let ip = Ipv4::of(head)?;
                let [_, dst] = ip.addrs();
                if dst != entry.lma_ipv4 {
                    if ip.packet_len() < head.len() {
                        return None;
                    }
                    return self.plain_ipv4(head, packet, &plain.ipv4, note);
                }
                if !is_ordinary_ipv4(ip) || ip.is_fragment() {
                    return None;
                }
                (ip.protocol(), IPV4_LEN, ip.packet_len(), ip.tos())
            }
            _ => return None,
        };
        let (inner, len) = carried_by(number, packet.get(at..)?)?;
        let carried = Carried { at: at + len, end, traffic_class };
        let of_gateway;
        let spaces = if self.origins.is_empty() {
            tunneled
        } else {
            of_gateway = self.spaces(self.customer_behind(packet).unwrap_or(TRANSPORT));
            &of_gateway
        };
        let packet = packet.get(carried.at..)?;
        match inner {
            Family::Ipv6 => {
                let len = carried.end.checked_sub(carried.at + IPV6_LEN)? as u64;
                let class = u64::from(carried.traffic_class) << TRAFFIC_CLASS_SHIFT;
                let like = 6 << 60 | class | len << PAYLOAD_LEN_SHIFT;
                let ip = Ipv6::of(packet)?;
                self.inner_ipv6(ip, packet, carried, like, &spaces.ipv6, note)
            }
            Family::Ipv4 => self.inner_ipv4(packet, carried, &spaces.ipv4, note),
        }
    }

    /// A packet of which these are the header and the ports, if it has some: it is so long.
    #[inline(always)]
    pub(super) fn plain_ipv4(
        &self,
        head: &[u8; IPV4_LEN + PORTS_LEN],
        packet: &[u8],
        space: &Space,
        note: &mut Note,
    ) -> Option<Ordinary> {
        let ip = Ipv4::of(head)?;
        let (src, dst, len) = (ip.src(), ip.dst(), ip.packet_len());
        if !is_ordinary_ipv4(ip) || ip.ttl() <= 1 {
            return None;
        }
        let upper = self.uppers.of(Family::Ipv4, ip.protocol());
        let ports = upper.ports(*head.last_chunk()?, packet, IPV4_LEN)?;
        // Fragments of a packet have none in common.
        let ports = if ip.is_fragment() { 0 } else { ports };
        let label = flow_label_of(ip.protocol(), 0, src, dst, ports);
        let start = u64::from(ip.tos()) << TRAFFIC_CLASS_SHIFT | (len as u64) << PAYLOAD_LEN_SHIFT;
        note.inner = Family::Ipv4;
        note.start = around(start & space.repeated, space.around, label);
        self.place(&space.scope, dst, note);
        Some((Way::Down, len))
    }

    /// A packet that one to the anchor carries.
    #[inline(always)]
    pub(super) fn inner_ipv4(
        &self,
        packet: &[u8],
        carried: Carried,
        space: &Space,
        note: &mut Note,
    ) -> Option<Ordinary> {
        let ip = Ipv4::of(packet)?;
        let traffic_class = ip.tos();
        let is_fine = is_ordinary_ipv4(ip)
            && carried.at + ip.packet_len() == carried.end
            && ip.ttl() > 1
            && !self.uppers.of(Family::Ipv4, ip.protocol()).refuses(packet, IPV4_LEN);
        let is_kept = traffic_class == carried.traffic_class
            || space.keeps(traffic_class, carried.traffic_class);
        if !is_fine || !is_kept {
            return None;
        }
        let header = FromNode { inner: Family::Ipv4, src: ip.src(), dst: ip.dst() };
        Some(self.of_node(header, carried, space, note))
    }
}

impl Note {
    /// Takes what was read, and removes what is behind the packet, which is padding. The general
    /// path removes it too, whatever becomes of a packet that has been found ordinary so far.
    #[inline(always)]
    pub(super) fn take<F: Frame>(&mut self, frame: &mut F, ordinary: Option<Ordinary>) {
        self.way = match ordinary {
            Some((way, end)) if cut(frame, end) => way,
            _ => Way::General,
        };
    }
}

/// An IPv4 header without options, between addresses that may be forwarded.
#[inline(always)]
fn is_ordinary_ipv4(ip: Ipv4<'_>) -> bool {
    ip.is_simple() && ip.packet_len() >= IPV4_LEN && are_forwardable_ipv4(ip.addrs())
}
