//! Mobility Headers on kernel sockets: next header 135 over IPv6, UDP over IPv4 (RFC 5844 section
//! 4). Malformed bytes end here, counted.

use crate::mag::auth::Authenticator;
use crate::mag::counter::{Counter, Counters};
use crate::mag::input::Input;
use crate::mag::retry;
use crate::mag::socket::{RawSocket, Received};
use crate::mobility::mag::MagConfig;
use crate::mobility::message::{AckMsg, OwnedOptions, PeerBody, PeerMsg, Transport, UpdateMsg};
use crate::wire;
use crate::wire::mh::{MAX_LEN, Message, MessageData};
use crate::wire::udp::SIGNALING_PORT;
use std::io;
use std::net::Ipv6Addr;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The sockets at our addresses towards the anchors.
pub(super) struct Signaling {
    ipv6: Arc<RawSocket>,
    ipv4: Option<Arc<RawSocket>>,
    auth: Option<Arc<Authenticator>>,
}

impl Signaling {
    pub(super) fn open(config: &MagConfig, auth: Option<Authenticator>) -> io::Result<Self> {
        let ipv4 = config.ipv4_proxy_coa.map(|coa| RawSocket::udp(coa.0, SIGNALING_PORT));
        Ok(Self {
            ipv6: Arc::new(RawSocket::mobility(config.proxy_coa.0)?),
            ipv4: ipv4.transpose()?.map(Arc::new),
            auth: auth.map(Arc::new),
        })
    }

    /// Receives, until the gateway is gone.
    pub(super) fn receive(&self, gateway: &mpsc::Sender<Input>, counters: &Arc<Counters>) {
        for socket in [Some(&self.ipv6), self.ipv4.as_ref()].into_iter().flatten() {
            let (socket, gateway, auth) = (Arc::clone(socket), gateway.clone(), self.auth.clone());
            tokio::spawn(receive(socket, auth, gateway, Arc::clone(counters)));
        }
    }

    pub(super) fn send_update(&self, msg: &UpdateMsg) -> io::Result<()> {
        let route = (msg.src, msg.dst, msg.transport);
        match &self.auth {
            Some(auth) => self.emit(&msg.update, &auth.signed(msg), route),
            None => self.emit(&msg.update, &msg.options, route),
        }
    }

    pub(super) fn send(&self, msg: &PeerMsg) -> io::Result<()> {
        let route = (msg.src, msg.dst, msg.transport);
        match &msg.body {
            PeerBody::Bri(m) => self.emit(m, &msg.options, route),
            PeerBody::Bra(m) => self.emit(m, &msg.options, route),
            PeerBody::Heartbeat(m) => self.emit(m, &msg.options, route),
            PeerBody::BindingError(m) => self.emit(m, &msg.options, route),
            // A home agent's.
            PeerBody::RefreshRequest | PeerBody::Switch(_) => Ok(()),
        }
    }

    fn emit(
        &self,
        message: &impl MessageData,
        options: &OwnedOptions,
        (src, dst, transport): (Ipv6Addr, Ipv6Addr, Transport),
    ) -> io::Result<()> {
        let mut buf = [0; MAX_LEN];
        let options = options.options();
        match (transport.udp_port(), &self.ipv4) {
            (None, _) => {
                let len = message.emit(options, src, dst, &mut buf).map_err(io::Error::other)?;
                self.ipv6.send(buf.get(..len).unwrap_or_default(), dst, 0)
            }
            (Some(port), Some(ipv4)) => {
                // RFC 5844 4.2.2.1: the checksum is UDP's.
                let len = message.emit_in_udp(options, &mut buf).map_err(io::Error::other)?;
                ipv4.send_to_port(buf.get(..len).unwrap_or_default(), dst, port)
            }
            (Some(_), None) => Err(io::ErrorKind::AddrNotAvailable.into()),
        }
    }
}

async fn receive(
    socket: Arc<RawSocket>,
    auth: Option<Arc<Authenticator>>,
    gateway: mpsc::Sender<Input>,
    counters: Arc<Counters>,
) {
    let mut buf = [0; MAX_LEN];
    loop {
        let received = socket.recv(&mut buf).await;
        let received = retry::ok_or_pause("signaling", &counters, received).await;
        let Some(from) = received else { continue };
        let bytes = from.bytes(&buf);
        // RFC 5213 6.9.1.2 (2): the rules of RFC 6275 9.2.
        match read(bytes, from) {
            Ok(Some(Input::Pba(msg)))
                if auth.as_ref().is_some_and(|auth| !auth.admits(&msg, bytes)) =>
            {
                counters.add(Counter::PbaUnauthenticated);
            }
            Ok(Some(input)) => {
                if gateway.send(input).await.is_err() {
                    return;
                }
            }
            Ok(None) => counters.add(Counter::MhUnexpected),
            Err(error) => {
                counters.add(Counter::MhMalformed);
                tracing::debug!(%error, src = %from.src, "Mobility Header");
            }
        }
    }
}

/// What a Mobility Header means; `None` if it is of a type that a gateway has no use for.
pub(super) fn read(bytes: &[u8], from: Received) -> wire::Result<Option<Input>> {
    let (src, dst) = (from.src, from.dst);
    let (message, transport) = match src.to_ipv4_mapped() {
        Some(_) => (Message::parse_in_udp(bytes)?, Transport::Udp(from.src_port)),
        None => (Message::parse(bytes, src, dst)?, Transport::Ipv6),
    };
    let options = OwnedOptions::from(message.options());
    let body = match message {
        Message::Ba(ack, _) => {
            return Ok(Some(Input::Pba(AckMsg { home: None, src, dst, transport, ack, options })));
        }
        Message::Bri(bri, _) => PeerBody::Bri(bri),
        Message::Bra(bra, _) => PeerBody::Bra(bra),
        Message::Heartbeat(beat, _) => PeerBody::Heartbeat(beat),
        Message::Be(error, _) => PeerBody::BindingError(error),
        Message::Brr(_) | Message::Bu(..) | Message::Switch(..) => return Ok(None),
    };
    Ok(Some(Input::Peer(PeerMsg { node: None, src, dst, transport, body, options })))
}
