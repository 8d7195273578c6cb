//! What happens outside, made into inputs of the gateway's task. Malformed bytes end here, counted.

pub(super) mod dhcp;

use crate::addr::MacAddr;
use crate::control::netlink::RouteSocket;
use crate::dhcp::v4;
use crate::dhcp::v4::relay::Backward;
use crate::mag::counter::{Counter, Counters};
use crate::mag::kernel::{Interface, interface};
use crate::mag::retry;
use crate::mag::socket::{RawSocket, Received};
use crate::mobility::mag::event::LinkId;
use crate::mobility::message::{AckMsg, PeerMsg};
use crate::wire::icmpv6::ndp::{Envelope, NeighborAdvertisement, RouterSolicitation};
use netlink_packet_route::RouteNetlinkMessage;
use std::io;
use std::net::Ipv6Addr;
use std::sync::Arc;
use tokio::sync::mpsc;

/// `RTNLGRP_LINK`
const LINK_GROUP: u32 = 1;
/// Neighbour discovery fits into the smallest MTU (RFC 4861 4.6).
const ND_MAX: usize = 1280;
const ROUTER_SOLICITATION: u8 = 133;
const NEIGHBOR_ADVERTISEMENT: u8 = 136;

/// Something that happened.
#[derive(Debug)]
pub(super) enum Input {
    /// A Binding Acknowledgement whose header is right.
    Pba(AckMsg),
    /// A revocation, an acknowledgement of one, a heartbeat or a Binding Error, likewise.
    Peer(PeerMsg),
    /// A node asked for an IPv4 address, or gave one up.
    Dhcp { link: LinkId, request: v4::Request },
    /// A DHCP server answered a node, through us.
    DhcpServer(Backward),
    /// A node's message to DHCPv6 servers: its source, and whether it was sent to all of them.
    Dhcpv6 { link: LinkId, node: Ipv6Addr, to_multicast: bool, message: Vec<u8> },
    /// A DHCPv6 server's message to a relay.
    Dhcpv6Server(Vec<u8>),
    /// A node asked for a router.
    Solicited { link: LinkId, mac: Option<MacAddr>, link_local: Option<Ipv6Addr> },
    /// A node advertised this address.
    Advertised { link: LinkId, target: Ipv6Addr },
    /// An interface is there, or changed.
    Link(Interface),
    /// An interface is gone.
    LinkGone(LinkId),
}

/// Receives neighbour discovery of one link, until the gateway or the link is gone.
pub(super) async fn neighbor_discovery(
    socket: RawSocket,
    link: LinkId,
    gateway: mpsc::Sender<Input>,
    counters: Arc<Counters>,
) {
    let mut buf = [0; ND_MAX];
    loop {
        let received = socket.recv(&mut buf).await;
        let received = retry::ok_or_pause("neighbour discovery", &counters, received).await;
        let Some(from) = received else { continue };
        let message = from.bytes(&buf);
        let input = match discovered(message, from, link) {
            None => continue,
            Some(Ok(input)) => input,
            Some(Err(error)) => {
                counters.add(Counter::NdMalformed);
                tracing::debug!(%error, src = %from.src, "neighbour discovery");
                continue;
            }
        };
        if gateway.send(input).await.is_err() {
            return;
        }
    }
}

/// What a message means; `None` for the types that are the kernel's.
fn discovered(message: &[u8], from: Received, link: LinkId) -> Option<crate::wire::Result<Input>> {
    let envelope = Envelope { src: from.src, dst: from.dst, hop_limit: from.hop_limit };
    let link_local = from.src.is_unicast_link_local().then_some(from.src);
    match *message.first()? {
        ROUTER_SOLICITATION => {
            Some(RouterSolicitation::parse(message, envelope).map(|rs| Input::Solicited {
                link,
                mac: rs.source_link_layer,
                link_local,
            }))
        }
        NEIGHBOR_ADVERTISEMENT => Some(
            NeighborAdvertisement::parse(message, envelope)
                .map(|na| Input::Advertised { link, target: na.target }),
        ),
        _ => None,
    }
}

/// Follows the kernel's interfaces on a thread of its own, for netlink is read blocking.
pub(super) fn watch_links(gateway: mpsc::Sender<Input>) -> io::Result<()> {
    let mut socket = RouteSocket::subscribe(&[LINK_GROUP])?;
    std::thread::Builder::new().name("links".into()).spawn(move || {
        loop {
            let mut inputs = Vec::new();
            let outcome = socket.notices(|notice| match notice.message {
                RouteNetlinkMessage::NewLink(link) => {
                    inputs.extend(interface(&link).map(Input::Link));
                }
                RouteNetlinkMessage::DelLink(link) => {
                    inputs.push(Input::LinkGone(LinkId(link.header.index)));
                }
                _ => {}
            });
            if let Err(error) = outcome {
                // Some were lost: a link that went down shows by its node's silence.
                tracing::warn!(%error, "interface notices");
            }
            for input in inputs {
                if gateway.blocking_send(input).is_err() {
                    return;
                }
            }
        }
    })?;
    Ok(())
}
