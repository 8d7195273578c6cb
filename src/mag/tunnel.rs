//! The tunnels in user space: between a TUN, which the kernel routes by, and raw sockets.
//!
//! ```text
//!   node -> access link -> kernel -> TUN -> uplink():   source is a bound node's?  outer header, send
//!   node <- access link <- kernel <- TUN <- downlink(): source, form, key are its session's? header off
//! ```
//! Hop limits are the kernel's: it decrements when it forwards to and from the TUN.

mod packet;
mod table;

#[cfg(test)]
mod tests;

use crate::addr::{AnchorAddr, ProxyCoa};
use crate::mag::counter::{Counter, Counters};
use crate::mag::retry;
use crate::mag::socket::{RawSocket, Received};
use crate::wire::{gre, ipv4, udp};
use packet::{HEADROOM, IPV6_IN_IP, Outer, decapsulate, encapsulate};
use parking_lot::RwLock;
use std::io;
use std::net::Ipv6Addr;
use std::sync::Arc;
use tun_rs::AsyncDevice;

pub(crate) use table::TunnelTable;

/// The largest packet that IPv6 has without jumbograms.
const PACKET_MAX: usize = 65_575;

/// How tunnel packets arrive at a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Ip,
    Gre,
    Udp,
    /// Behind a MIP Tunnel Data header (RFC 3519 3.3).
    Mip4Udp,
    /// In UDP of port 4191 (RFC 5555 4.1).
    Mip6Udp,
}

/// A socket that takes tunnel packets of one form to one of our addresses.
pub(crate) struct Receiver {
    socket: RawSocket,
    form: Form,
}

/// The tunnels' ends in this process.
pub(crate) struct Tunnel {
    pub(crate) device: AsyncDevice,
    pub(crate) sender: Arc<RawSocket>,
    /// There if we have an IPv4 address towards the anchors.
    pub(crate) ipv4_sender: Option<Arc<RawSocket>>,
    pub(crate) table: RwLock<TunnelTable>,
    pub(crate) counters: Arc<Counters>,
}

impl Receiver {
    /// Every form of tunnel packet to `local`.
    pub(crate) fn all(local: ProxyCoa) -> io::Result<Vec<Self>> {
        let mut all = Self::without_udp(local)?;
        if local.0.to_ipv4_mapped().is_some() {
            let socket = RawSocket::udp(local.0, udp::TUNNEL_PORT)?;
            all.push(Self { socket, form: Form::Udp });
        }
        Ok(all)
    }

    /// The same without those of UDP.
    pub(crate) fn without_udp(local: ProxyCoa) -> io::Result<Vec<Self>> {
        let raw = |protocol, form| {
            RawSocket::tunnel(local.0, protocol).map(|socket| Self { socket, form })
        };
        Ok(vec![
            raw(IPV6_IN_IP, Form::Ip)?,
            raw(ipv4::PROTOCOL, Form::Ip)?,
            raw(gre::PROTOCOL, Form::Gre)?,
        ])
    }
}

impl Tunnel {
    /// From the nodes to the anchors, until the TUN fails.
    pub(crate) async fn uplink(&self) -> io::Error {
        let mut buf = vec![0; HEADROOM + PACKET_MAX];
        loop {
            let inner = buf.get_mut(HEADROOM..).unwrap_or_default();
            let len = match self.device.recv(inner).await {
                Ok(len) => len,
                Err(e) => return e,
            };
            let packet = buf.get_mut(..HEADROOM + len).unwrap_or_default();
            let outcome = encapsulate(packet, &self.table.read());
            match outcome {
                Ok((start, lma)) => {
                    self.send(packet.get(start..).unwrap_or_default(), lma.0).await;
                }
                Err(why) => self.counters.add(why),
            }
        }
    }

    /// From the anchors to the nodes.
    pub(crate) async fn downlink(&self, receiver: Receiver) {
        let mut buf = vec![0; PACKET_MAX];
        loop {
            let received = receiver.socket.recv(&mut buf).await;
            let received = retry::ok_or_pause("tunnel", &self.counters, received).await;
            let Some(from) = received else { continue };
            self.admit(&mut buf, from, receiver.form).await;
        }
    }

    /// One tunnel packet from an anchor, that was received into `buf`.
    pub(crate) async fn admit(&self, buf: &mut [u8], from: Received, form: Form) {
        let outer = Outer {
            lma: AnchorAddr(from.src),
            coa: ProxyCoa(from.dst),
            traffic_class: from.traffic_class,
            form,
        };
        let packet = buf.get_mut(from.start..from.start + from.len).unwrap_or_default();
        let inner = decapsulate(packet, outer, &self.table.read());
        let inner = match inner {
            Ok(inner) => inner,
            Err(why) => return self.counters.add(why),
        };
        match self.device.send(packet.get(inner..).unwrap_or_default()).await {
            Ok(_) => self.counters.add(Counter::TunnelDownlink),
            Err(_) => self.counters.add(Counter::TunnelTunRefused),
        }
    }

    /// Sends one packet of our own that the kernel does not route here; not if the queue is full.
    pub(crate) fn say(&self, inner: &[u8]) -> io::Result<()> {
        let mut packet = vec![0; HEADROOM];
        packet.extend_from_slice(inner);
        let outcome = encapsulate(&mut packet, &self.table.read());
        let (start, lma) = outcome.map_err(|why| io::Error::other(format!("{why:?}")))?;
        let sender = self.sender(lma.0).ok_or(io::ErrorKind::NotConnected)?;
        sender.send(packet.get(start..).unwrap_or_default(), lma.0, 0)
    }

    fn sender(&self, lma: Ipv6Addr) -> Option<&Arc<RawSocket>> {
        match lma.to_ipv4_mapped() {
            Some(_) => self.ipv4_sender.as_ref(),
            None => Some(&self.sender),
        }
    }

    async fn send(&self, packet: &[u8], lma: Ipv6Addr) {
        let Some(sender) = self.sender(lma) else {
            return self.counters.add(Counter::TunnelSendFailed);
        };
        loop {
            match sender.send(packet, lma, 0) {
                Ok(()) => return self.counters.add(Counter::TunnelUplink),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    if sender.writable().await.is_ok() {
                        continue;
                    }
                }
                Err(_) => {}
            }
            // No route, or longer than the path: the node learns of it by its own means.
            return self.counters.add(Counter::TunnelSendFailed);
        }
    }
}
