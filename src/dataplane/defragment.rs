//! Fragments of tunnel packets, on the worker where all of one packet meet: which one that is says
//! a hash of their addresses and identification. What has been put together goes on as if it had
//! been received.

use super::burst::Lane;
use super::classify::Class;
use super::counters::Counter;
use super::drop::DropReason;
use super::handoff::Context;
use super::hash::{high, low, mix, slot};
use super::header::ETHER_LEN;
use super::quote::whole_packet;
use super::reassembly::{Fragment, Place, Taken};
use crate::addr::{PortId, WorkerId};
use crate::nic::Frame;
use crate::wire::icmpv6::ErrorMessage;
use hashbrown::HashMap;

impl<F: Frame> Lane<F> {
    /// Where the fragments of a packet meet.
    #[cold]
    pub(super) fn fragment_owner(&self, frame: &F) -> WorkerId {
        let fragment = whole_packet(frame.data()).and_then(|packet| Fragment::of(packet).ok());
        let Some(Fragment { key, .. }) = fragment else { return self.id };
        let addrs = mix(high(key.src) ^ low(key.dst), low(key.src) ^ high(key.dst));
        let hash = mix(addrs, key.identification.into());
        WorkerId(u16::try_from(slot(hash, self.steering.workers().into())).unwrap_or(0))
    }

    /// Ends a fragment that is ours to put together with others.
    #[cold]
    pub(super) fn take_fragment(&mut self, frame: F, context: Context) {
        let ether = frame.data().first_chunk::<ETHER_LEN>();
        let (Some(ether), Some(packet)) = (ether, whole_packet(frame.data())) else {
            return self.discard(frame, DropReason::Segmented);
        };
        let fragment = match Fragment::of(packet) {
            Ok(fragment) => fragment,
            Err(fault) => {
                let error = ErrorMessage::ErroneousField(fault.pointer); // RFC 8200 4.5
                return self.refuse(frame, DropReason::FragmentLength, error, context);
            }
        };
        if !self.gateways.has(fragment.key.src) {
            if fragment.is_udp() {
                self.punt_exception(frame, context.port);
            } else {
                self.discard(frame, DropReason::NotServing);
            }
            return;
        }
        match self.reassembly.take(self.now, &fragment, ether) {
            Taken::Held { evicted } => {
                self.counters.add(Counter::FragmentsTaken, 1);
                self.counters.add(Counter::ReassemblyEvicted, u64::from(evicted));
            }
            Taken::Refused(reason) => self.discard(frame, reason),
            Taken::Complete(place) => {
                let device = frame.port();
                self.counters.add(Counter::FragmentsTaken, 1);
                drop(frame);
                self.put_together(place, device, context.port);
                self.reassembly.release(place);
            }
        }
    }

    /// Gives up packets that wait for fragments too long.
    pub(super) fn expire_fragments(&mut self) {
        let expired = self.reassembly.expire(self.now);
        if expired > 0 {
            self.counters.add(Counter::ReassemblyTimeout, expired);
        }
    }

    /// Goes on with a packet that is complete.
    fn put_together(&mut self, place: Place, device: PortId, port: PortId) {
        let Some((head, payload)) = self.reassembly.packet(place) else {
            return self.counters.add(Counter::ReassemblyCongested, 1);
        };
        let whole = self.pool.alloc(device).and_then(|mut frame| {
            let room = frame.append(head.len() + payload.len()).then(|| frame.data_mut())?;
            let (front, back) = room.split_at_mut_checked(head.len())?;
            front.copy_from_slice(&head);
            back.copy_from_slice(payload);
            Some(frame)
        });
        let Some(frame) = whole else {
            return self.counters.add(Counter::ReassemblyNoBuffer, 1);
        };
        self.counters.add(Counter::Reassembled, 1);
        let mut job = self.job(frame, port, None);
        match job.class {
            // A Mobility Header never needs fragments; nor has a tunnel packet fragments in it.
            Class::Signaling => job.class = Class::Drop(DropReason::SignalingFragment),
            Class::Fragment => job.class = Class::Drop(DropReason::OuterFragment),
            _ => {}
        }
        self.finish(job);
    }
}

/// Whose fragments are taken: gateways that a tunnel leads to. Anybody else's would only fill the
/// buffers.
#[derive(Debug, Default)]
pub(super) struct Gateways {
    /// How many tunnels lead there.
    tunnels: HashMap<u128, u32>,
    /// By the tunnel's number.
    by_tunnel: HashMap<u32, u128>,
}

impl Gateways {
    fn has(&self, addr: u128) -> bool {
        self.tunnels.contains_key(&addr)
    }

    /// A tunnel leads to this gateway now.
    pub(super) fn add(&mut self, tunnel: u32, gateway: u128) {
        self.remove(tunnel);
        self.by_tunnel.insert(tunnel, gateway);
        *self.tunnels.entry(gateway).or_default() += 1;
    }

    /// A tunnel is gone.
    pub(super) fn remove(&mut self, tunnel: u32) {
        let Some(gateway) = self.by_tunnel.remove(&tunnel) else { return };
        if let Some(count) = self.tunnels.get_mut(&gateway) {
            *count -= 1;
            if *count == 0 {
                self.tunnels.remove(&gateway);
            }
        }
    }
}
