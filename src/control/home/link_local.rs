//! Packets to the link-local address of a node that is away: they are of its home link alone, so
//! they enter no tunnel, and their sender is told (RFC 6275 10.4.2).

use super::super::counters::Counter;
use super::super::signaling;
use super::{Control, HomePort};
use crate::addr::{MacAddr, PortId};
use crate::mobility::ha::LinkAddress;
use crate::nic::FramePool;
use crate::time::Now;
use crate::wire::ether::{self, EtherHeader};
use crate::wire::icmpv6::{self, ErrorMessage, Unreachable};
use crate::wire::ipv6::Ipv6Header;
use std::net::Ipv6Addr;

impl<P: FramePool> Control<P> {
    /// Ends a frame to a link-local address that we defend on this port's link. `true`: it was one.
    pub(super) fn refuse_link_local(&mut self, port: PortId, frame: &[u8], now: Now) -> bool {
        let Ok((ether::IPV6, packet)) = ether::payload(frame) else { return false };
        let Ok(ip) = Ipv6Header::parse(packet) else { return false };
        let Some(home) = self.defending(port, ip.dst) else { return false };
        self.counters[Counter::HomeLinkLocalDiscarded] += 1;
        // What the link added behind a short packet is not part of it.
        let packet = packet.get(..ip.packet_len()).unwrap_or(packet);
        let error = ErrorMessage::DestinationUnreachable(Unreachable::Address);
        let sender = EtherHeader::parse(frame).map(|e| e.src);
        if let Ok(sender) = sender
            && error.may_answer(packet)
            && self.admit_error(now)
        {
            self.send_back(home, sender, ip.src, error, packet);
        }
        true
    }

    /// Where we defend this link-local address on a link of the port.
    fn defending(&self, port: PortId, address: Ipv6Addr) -> Option<HomePort> {
        if !address.is_unicast_link_local() {
            return None;
        }
        let link = self.home.link_of(port)?;
        let is_defended = self.home.defended.contains_key(&LinkAddress { link, address });
        self.home.port(link).filter(|_| is_defended)
    }

    /// Sends an error to who is on the link: nobody else reaches such an address.
    fn send_back(
        &mut self,
        home: HomePort,
        sender: MacAddr,
        to: Ipv6Addr,
        error: ErrorMessage,
        invoking: &[u8],
    ) {
        let Some(info) = self.output.ports().get(usize::from(home.port.0)) else { return };
        let mut frame = [0; ether::HEADER_LEN + icmpv6::ERROR_MAX_LEN];
        let (link, packet) = frame.split_at_mut(ether::HEADER_LEN);
        let header = EtherHeader { dst: sender, src: info.mac, ether_type: ether::IPV6 };
        let written = signaling::write_error(error, (home.address, to), invoking, packet);
        if let Some(len) = written
            && header.emit(link).is_ok()
        {
            let frame = frame.get(..ether::HEADER_LEN + len).unwrap_or_default();
            if self.output.send_frame(home.port, frame, &mut self.counters) {
                self.counters[Counter::UnreachableSent] += 1;
            }
        }
    }
}
