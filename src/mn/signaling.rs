//! Mobility Headers on kernel sockets: acknowledgements behind a type 2 routing header, as Mobile
//! Prefix Advertisements are, all else directly. Malformed bytes end here, counted.

use crate::mag::auth::Authenticator;
use crate::mag::counter::{Counter, Counters};
use crate::mag::retry;
use crate::mag::socket::{RawSocket, Received};
use crate::mn::input::{self, Input};
use crate::mn::{dsmip, packet};
use crate::mobility::message::{AckMsg, OwnedOptions, Transport, UpdateMsg};
use crate::mobility::mn::event::{Event, PrefixAnswer, PrefixQuestion};
use crate::wire::icmpv6;
use crate::wire::icmpv6::mobility::read_prefix_advertisement;
use crate::wire::ipv6::HomeRoute;
use crate::wire::mh::{self, Message};
use crate::wire::{Error, ErrorKind, Result};
use std::io;
use std::net::Ipv6Addr;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The longest that is received: a routing header, and the longest Mobility Header.
pub(super) const RECV_MAX: usize = HomeRoute::LEN + mh::MAX_LEN;

/// What arrives at a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Front {
    /// Routing headers with what follows.
    Route,
    /// Mobility Headers.
    Message,
}

impl Front {
    /// A socket for it, to any of our addresses.
    pub(super) fn socket(self) -> io::Result<RawSocket> {
        match self {
            Self::Route => RawSocket::tunnel(Ipv6Addr::UNSPECIFIED, HomeRoute::NEXT_HEADER),
            Self::Message => RawSocket::mobility_any(),
        }
    }

    /// What a packet says: the Mobility Header, and the home address before it.
    pub(super) fn split(self, bytes: &[u8]) -> Result<(Option<Ipv6Addr>, &[u8])> {
        match self {
            Self::Message => Ok((None, bytes)),
            Self::Route => {
                let (route, message) = HomeRoute::parse(bytes)?;
                if route.next_header != mh::NEXT_HEADER {
                    // A packet of a correspondent, and there are none of ours.
                    return Err(Error { kind: ErrorKind::Value, offset: 0 });
                }
                Ok((Some(route.home), message))
            }
        }
    }

    /// The advertisement in a packet, if it is one.
    fn advertisement(self, bytes: &[u8], from: Received) -> Option<Event> {
        let (route, message) = HomeRoute::parse(bytes).ok().filter(|_| self == Self::Route)?;
        if route.next_header != icmpv6::NEXT_HEADER {
            return None;
        }
        let (id, prefixes) = read_prefix_advertisement(message, from.src, route.home).ok()?;
        let (src, home, prefixes) = (from.src, Some(route.home), prefixes.collect());
        Some(Event::PrefixesAdvertised(PrefixAnswer { src, home, id, prefixes }))
    }
}

/// Receives, until the node is gone.
pub(super) fn receive(
    auth: Option<&Arc<Authenticator>>,
    node: &mpsc::Sender<Input>,
    counters: &Arc<Counters>,
) -> io::Result<()> {
    for front in [Front::Route, Front::Message] {
        let (socket, auth, node) = (front.socket()?, auth.cloned(), node.clone());
        tokio::spawn(receive_at(socket, front, auth, node, Arc::clone(counters)));
    }
    Ok(())
}

async fn receive_at(
    socket: RawSocket,
    front: Front,
    auth: Option<Arc<Authenticator>>,
    node: mpsc::Sender<Input>,
    counters: Arc<Counters>,
) {
    let mut buf = [0; RECV_MAX];
    loop {
        let received = socket.recv(&mut buf).await;
        let received = retry::ok_or_pause("signaling", &counters, received).await;
        let Some(from) = received else { continue };
        if let Some(event) = front.advertisement(from.bytes(&buf), from) {
            if node.send(Input::Message(input::Event::Mip6(event))).await.is_err() {
                return;
            }
            continue;
        }
        let split = front.split(from.bytes(&buf));
        let message = split.map_or(&[][..], |(_, message)| message);
        let event = split.and_then(|(home, message)| read(message, home, from));
        if !hand_on(event, message, auth.as_deref(), &node, &counters).await {
            return;
        }
    }
}

/// Hands on what a message means, if it is authentic, or counts what is wrong with it; whether the
/// node is still there.
pub(super) async fn hand_on(
    event: Result<Option<Event>>,
    message: &[u8],
    auth: Option<&Authenticator>,
    node: &mpsc::Sender<Input>,
    counters: &Counters,
) -> bool {
    match event {
        Ok(Some(Event::Ack(ack))) if auth.is_some_and(|auth| !auth.admits(&ack, message)) => {
            counters.add(Counter::PbaUnauthenticated);
        }
        Ok(Some(event)) => {
            return node.send(Input::Message(input::Event::Mip6(event))).await.is_ok();
        }
        Ok(None) => counters.add(Counter::MhUnexpected),
        Err(error) => {
            counters.add(Counter::MhMalformed);
            tracing::debug!(%error, "Mobility Header");
        }
    }
    true
}

/// What a Mobility Header means, `home` being the address in a type 2 routing header before it;
/// `None` if it is of a type that a node has no use for.
pub(super) fn read(bytes: &[u8], home: Option<Ipv6Addr>, from: Received) -> Result<Option<Event>> {
    let (src, dst) = (from.src, from.dst);
    let message = Message::parse(bytes, src, home.unwrap_or(dst))?;
    let options = OwnedOptions::from(message.options());
    Ok(match message {
        Message::Ba(ack, _) => {
            Some(Event::Ack(AckMsg { src, dst, transport: Transport::Ipv6, home, ack, options }))
        }
        Message::Brr(_) => Some(Event::RefreshRequest { src }),
        Message::Be(error, _) => Some(Event::BindingError { src, error }),
        Message::Switch(switch, _) => {
            Some(Event::Switch { src, agents: switch.agents().collect() })
        }
        Message::Bu(..) | Message::Heartbeat(..) | Message::Bri(..) | Message::Bra(..) => None,
    })
}

/// Sends an update, signed where there is a key, by a socket of its family.
pub(super) fn send(
    sender: &RawSocket,
    auth: Option<&Authenticator>,
    msg: &UpdateMsg,
) -> io::Result<()> {
    let signed = auth.map(|auth| auth.signed(msg));
    let options = signed.as_ref().unwrap_or(&msg.options);
    let packet = match msg.transport {
        Transport::Dsmip { .. } => dsmip::update(msg, options),
        _ => packet::update(msg, options),
    };
    sender.send(&packet.ok_or(io::ErrorKind::InvalidInput)?, msg.dst, 0)
}

/// Asks for the prefixes of the home link.
pub(super) fn solicit(sender: &RawSocket, question: &PrefixQuestion) -> io::Result<()> {
    let packet = packet::solicitation(question).ok_or(io::ErrorKind::InvalidInput)?;
    sender.send(&packet, question.agent, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Lifetime;
    use crate::wire::icmpv6::mobility::{LinkPrefixInformation, emit_prefix_advertisement};
    use crate::wire::mh::{BaFlags, BindingAck, MessageData, SeqNo, Status};

    const COA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 9);
    const HOME: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 9);
    const HA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1);

    fn from() -> Received {
        Received {
            start: 0,
            len: 0,
            src: HA,
            src_port: 0,
            dst: COA,
            hop_limit: 64,
            traffic_class: 0,
        }
    }

    /// An acknowledgement behind a routing header with this next header.
    fn packet(next_header: u8) -> Vec<u8> {
        let mut packet = vec![0; RECV_MAX];
        HomeRoute { next_header, home: HOME }.emit(&mut packet).expect("fits");
        let ack = BindingAck {
            status: Status::ACCEPTED,
            flags: BaFlags::default(),
            seq: SeqNo(3),
            lifetime: Lifetime(9),
        };
        let len = ack.emit(&[], HA, HOME, &mut packet[HomeRoute::LEN..]).expect("fits");
        packet.truncate(HomeRoute::LEN + len);
        packet
    }

    #[test]
    fn acknowledgement_behind_a_routing_header_is_for_the_home_address() {
        let packet = packet(mh::NEXT_HEADER);
        let (home, message) = Front::Route.split(&packet).expect("valid");
        assert_eq!(home, Some(HOME));
        let event = read(message, home, from()).expect("valid");
        assert!(matches!(event, Some(Event::Ack(m)) if m.home == home && m.dst == COA), "checked");
        assert!(read(message, None, from()).is_err(), "its checksum is over the home address");
    }

    #[test]
    fn advertisement_behind_a_routing_header_is_for_the_home_address() {
        let mut packet = vec![0; 256];
        HomeRoute { next_header: 58, home: HOME }.emit(&mut packet).expect("fits");
        let offer = LinkPrefixInformation {
            prefix: "2001:db8:100::/64".parse().expect("a prefix"),
            address: None,
            valid_lifetime_s: 100,
            preferred_lifetime_s: 50,
        };
        let back = &mut packet[HomeRoute::LEN..];
        let len = emit_prefix_advertisement(9, &[offer], (HA, HOME), back).expect("fits");
        packet.truncate(HomeRoute::LEN + len);
        let event = Front::Route.advertisement(&packet, from());
        let prefixes = vec![offer];
        let answer = PrefixAnswer { src: HA, home: Some(HOME), id: 9, prefixes };
        assert_eq!(event, Some(Event::PrefixesAdvertised(answer)));
        assert_eq!(Front::Message.advertisement(&packet, from()), None, "without the header");
        packet[HomeRoute::LEN + 5] ^= 1;
        assert_eq!(Front::Route.advertisement(&packet, from()), None, "its checksum is wrong");
    }

    #[test]
    fn what_is_no_acknowledgement_behind_it_is_malformed() {
        assert!(Front::Route.split(&packet(6)).is_err());
        let packet = packet(mh::NEXT_HEADER);
        for len in 0..packet.len() {
            let read = Front::Route.split(&packet[..len]).and_then(|(h, m)| read(m, h, from()));
            assert!(read.is_err(), "{len}");
        }
    }
}
