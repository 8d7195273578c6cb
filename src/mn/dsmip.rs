//! A node of Mobile IPv6 in an IPv4 network (RFC 5555 section 4): everything is in UDP, to and from
//! port 4191, signaling and tunnel.
//!
//! ```text
//!   IPv4 | UDP 4191 | IPv6, home address and home agent | Mobility Header
//!   IPv4 | UDP 4191 | any other IPv6 or IPv4 packet
//! ```

use crate::mag::auth::Authenticator;
use crate::mag::counter::Counters;
use crate::mag::retry;
use crate::mag::socket::{RawSocket, Received};
use crate::mag::tunnel::{Form, Tunnel};
use crate::mn::input::Input;
use crate::mn::signaling;
use crate::mobility::message::{OwnedOptions, Transport, UpdateMsg};
use crate::mobility::mn::event::Event;
use crate::mobility::packet::{self, Ends};
use crate::wire::ipv6::{Ipv6Header, find_upper_layer};
use crate::wire::{Result, ipv4, ipv6, mh, udp};
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The longest UDP payload.
const RECV_MAX: usize = 65_527;
/// The longest update.
const SEND_MAX: usize = ipv4::HEADER_LEN + udp::HEADER_LEN + ipv6::HEADER_LEN + mh::MAX_LEN;

/// The packet of an update with these options; `None` if it is none of this transport, or the
/// header would be too long.
pub(super) fn update(msg: &UpdateMsg, options: &OwnedOptions) -> Option<Vec<u8>> {
    let Transport::Dsmip { port, anchor: agent, esp } = msg.transport else { return None };
    // The ends of the IPv6 packet are named from the other side.
    let transport = Transport::Dsmip { port, anchor: msg.home?, esp };
    let ends = Ends { src: msg.src, dst: msg.dst, transport, home: Some(agent) };
    let mut packet = vec![0; SEND_MAX];
    let len = packet::emit(&msg.update, options.options(), &ends, &mut packet)?;
    packet.truncate(len);
    Some(packet)
}

/// A socket for what comes, to any of our addresses.
pub(super) fn socket() -> io::Result<RawSocket> {
    RawSocket::udp(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(), udp::DSMIP_PORT)
}

/// Receives, until the node is gone.
pub(super) async fn receive(
    socket: RawSocket,
    tunnel: Arc<Tunnel>,
    auth: Option<Arc<Authenticator>>,
    node: mpsc::Sender<Input>,
    counters: Arc<Counters>,
) {
    let mut buf = vec![0; RECV_MAX];
    loop {
        let received = socket.recv(&mut buf).await;
        let received = retry::ok_or_pause("port 4191", &counters, received).await;
        let Some(from) = received else { continue };
        let Some((ip, message)) = mobility_header(from.bytes(&buf)) else {
            tunnel.admit(&mut buf, from, Form::Mip6Udp).await;
            continue;
        };
        let event = read(message, ip, from);
        if !signaling::hand_on(event, message, auth.as_deref(), &node, &counters).await {
            return;
        }
    }
}

/// The Mobility Header of a packet that has one directly behind its IPv6 header.
fn mobility_header(payload: &[u8]) -> Option<(Ipv6Header, &[u8])> {
    let ip = Ipv6Header::parse(payload).ok()?;
    let packet = payload.get(..ip.packet_len())?;
    let upper = find_upper_layer(packet).ok()?;
    let is_message = upper.next_header == mh::NEXT_HEADER && !upper.is_fragment;
    packet.get(upper.offset..).filter(|_| is_message).map(|message| (ip, message))
}

/// What it means. An acknowledgement is between the addresses of IPv4, for the home address.
fn read(message: &[u8], ip: Ipv6Header, from: Received) -> Result<Option<Event>> {
    let inner = Received { src: ip.src, dst: ip.dst, ..from };
    let event = signaling::read(message, None, inner)?;
    Ok(event.map(|event| match event {
        Event::Ack(mut ack) => {
            (ack.src, ack.dst, ack.home) = (from.src, from.dst, Some(ip.dst));
            let (port, esp) = (from.src_port, false);
            ack.transport = Transport::Dsmip { port, anchor: ip.src, esp };
            Event::Ack(ack)
        }
        other => other,
    }))
}
