//! A blocking rtnetlink socket: requests with their answers, dumps, and a subscription.
//!
//! Ordinary threads only: the control core never calls this. `rtnetlink` proper wants an async
//! runtime; three synchronous calls are all that we need.

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use std::io;

/// One message of a subscription: what happened, and whether it replaces what was there.
#[derive(Debug)]
pub(crate) struct Notice {
    /// The message.
    pub(crate) message: RouteNetlinkMessage,
    /// `NLM_F_REPLACE` was set.
    pub(crate) replace: bool,
}

/// A socket to the kernel's routing netlink.
pub(crate) struct RouteSocket {
    socket: Socket,
    buf: Vec<u8>,
    seq: u32,
}

impl RouteSocket {
    /// A socket for requests and dumps.
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, buf: Vec::with_capacity(RECV_BUF_SIZE), seq: 0 })
    }

    /// A socket that receives what the kernel says to these groups.
    pub(crate) fn subscribe(groups: &[u32]) -> io::Result<Self> {
        let this = Self::open()?;
        for &group in groups {
            this.socket.add_membership(group)?;
        }
        // A burst of a routing daemon should fit; what does not is found by a resync.
        this.socket.set_rx_buf_sz(SUBSCRIPTION_BUF_SIZE)?;
        Ok(this)
    }

    /// Sends a request and waits for its acknowledgement. `flags` are added to REQUEST and ACK.
    pub(crate) fn request(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        let seq = self.send(message, NLM_F_REQUEST | NLM_F_ACK | flags)?;
        let mut outcome = Ok(());
        self.collect(seq, &mut |_| {}, &mut outcome)?;
        outcome
    }

    /// Sends a dump request and hands every answer to `each`. An interrupted dump is an error of
    /// kind [`io::ErrorKind::Interrupted`]: ask again.
    pub(crate) fn dump(
        &mut self,
        message: RouteNetlinkMessage,
        mut each: impl FnMut(RouteNetlinkMessage),
    ) -> io::Result<()> {
        let seq = self.send(message, NLM_F_REQUEST | NLM_F_DUMP)?;
        let mut outcome = Ok(());
        self.collect(seq, &mut each, &mut outcome)?;
        outcome
    }

    /// Sends a request that has one answer and hands that to `each`; its acknowledgement ends it.
    pub(crate) fn query(
        &mut self,
        message: RouteNetlinkMessage,
        mut each: impl FnMut(RouteNetlinkMessage),
    ) -> io::Result<()> {
        let seq = self.send(message, NLM_F_REQUEST | NLM_F_ACK)?;
        let mut outcome = Ok(());
        self.collect(seq, &mut each, &mut outcome)?;
        outcome
    }

    /// Waits for notices. `ENOBUFS` says that some were lost.
    pub(crate) fn notices(&mut self, mut each: impl FnMut(Notice)) -> io::Result<()> {
        self.recv()?;
        for message in messages(&self.buf) {
            let replace = message.header.flags & NLM_F_REPLACE != 0;
            if let NetlinkPayload::InnerMessage(message) = message.payload {
                each(Notice { message, replace });
            }
        }
        Ok(())
    }

    fn send(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<u32> {
        self.seq = self.seq.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.seq;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        Ok(self.seq)
    }

    /// Receives until the answer to `seq` is complete.
    fn collect(
        &mut self,
        seq: u32,
        each: &mut dyn FnMut(RouteNetlinkMessage),
        outcome: &mut io::Result<()>,
    ) -> io::Result<()> {
        loop {
            self.recv()?;
            for message in messages(&self.buf) {
                if message.header.sequence_number != seq {
                    continue;
                }
                if message.header.flags & NLM_F_DUMP_INTR != 0 {
                    *outcome = Err(io::ErrorKind::Interrupted.into());
                }
                match message.payload {
                    NetlinkPayload::Done(_) => return Ok(()),
                    NetlinkPayload::Error(e) => {
                        if e.code.is_some() {
                            *outcome = Err(e.to_io());
                        }
                        return Ok(());
                    }
                    NetlinkPayload::InnerMessage(inner) => each(inner),
                    _ => {}
                }
            }
        }
    }

    fn recv(&mut self) -> io::Result<()> {
        loop {
            self.buf.clear();
            match self.socket.recv(&mut self.buf, 0) {
                Ok(_) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

/// The messages of one datagram. What does not parse (an attribute newer than the library) is left
/// out: a route or neighbour that we do not understand is one that we do not mirror.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = NetlinkMessage<RouteNetlinkMessage>> {
    std::iter::from_fn(move || {
        while let Some(len) = bytes.first_chunk::<4>() {
            let len = usize::try_from(u32::from_ne_bytes(*len)).unwrap_or(usize::MAX);
            if len < HEADER_LEN || len > bytes.len() {
                return None;
            }
            let (one, _) = bytes.split_at(len);
            bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
            match NetlinkMessage::deserialize(one) {
                Ok(message) => return Some(message),
                Err(error) => tracing::debug!(%error, "netlink message not understood"),
            }
        }
        None
    })
}

/// `struct nlmsghdr`.
const HEADER_LEN: usize = 16;
/// The kernel writes dumps in pieces of at most 32 KiB.
const RECV_BUF_SIZE: usize = 64 * 1024;
const SUBSCRIPTION_BUF_SIZE: i32 = 4 * 1024 * 1024;
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_DUMP_INTR: u16 = 0x10;
