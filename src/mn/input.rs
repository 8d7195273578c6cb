//! What happens outside, made into inputs of the node's task.

use crate::control::netlink::RouteSocket;
use crate::mag::kernel::{Interface, interface};
use crate::mn::kernel::Address;
use crate::mobility::mn::attachment::Attachment;
use crate::mobility::{mn, mn4};
use netlink_packet_route::RouteNetlinkMessage;
use std::io;
use tokio::sync::mpsc;

/// `RTNLGRP_LINK`
const LINK_GROUP: u32 = 1;
/// `RTNLGRP_IPV4_IFADDR`, `RTNLGRP_IPV6_IFADDR`
const ADDRESS_GROUPS: [u32; 2] = [5, 9];

/// What a protocol's core is told.
#[derive(Debug)]
pub(super) enum Event {
    /// Where the node is.
    Attached(Attachment),
    /// The node ends its binding.
    Stop,
    /// Of Mobile IPv6.
    Mip6(mn::event::Event),
    /// Of Mobile IPv4.
    Mip4(mn4::event::Event),
}

/// Something that happened.
#[derive(Debug)]
pub(super) enum Input {
    /// A message, of Mobile IPv6 one whose header is right.
    Message(Event),
    /// An interface has this address, or was told of it again.
    Address(Address),
    /// It has it no more.
    AddressGone(Address),
    /// An interface is there, or changed.
    Link(Interface),
}

/// Follows the kernel's interfaces and their addresses on a thread of its own, for netlink is read
/// blocking.
pub(super) fn watch(node: mpsc::Sender<Input>) -> io::Result<()> {
    let [ipv4, ipv6] = ADDRESS_GROUPS;
    let mut socket = RouteSocket::subscribe(&[LINK_GROUP, ipv4, ipv6])?;
    std::thread::Builder::new().name("addresses".into()).spawn(move || {
        loop {
            let mut inputs = Vec::new();
            let outcome = socket.notices(|notice| match notice.message {
                RouteNetlinkMessage::NewLink(link) => {
                    inputs.extend(interface(&link).map(Input::Link));
                }
                RouteNetlinkMessage::NewAddress(message) => {
                    inputs.extend(Address::of(&message).map(Input::Address));
                }
                RouteNetlinkMessage::DelAddress(message) => {
                    inputs.extend(Address::of(&message).map(Input::AddressGone));
                }
                _ => {}
            });
            if let Err(error) = outcome {
                // Some were lost: the next router advertisement tells of the address again.
                tracing::warn!(%error, "address notices");
            }
            for input in inputs {
                if node.blocking_send(input).is_err() {
                    return;
                }
            }
        }
    })?;
    Ok(())
}
