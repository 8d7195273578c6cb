//! VLANs of a port as ports of their own (IEEE 802.1Q): the tag goes when a frame comes, and comes
//! when it goes. A frame that came with a tag and leaves with one keeps the priority that it came
//! with: those bits are the operator's own, of his switches and gateways. Tags that the anchor adds
//! by itself have the lowest.
//!
//! ```text
//!   | destination, source, 8100, TCI, EtherType | ...   on the wire
//!       | destination, source, EtherType | ...          on the worker
//! ```

use super::header::{ETHER_LEN, ether_type};
use super::worker::VlanPort;
use crate::addr::PortId;
use crate::nic::Frame;

/// Bytes of a tag.
const TAG_LEN: usize = 4;
/// Bytes of both addresses, before the tag.
const ADDRESSES_LEN: usize = 12;
/// The bits of the TCI that name the VLAN; the rest is priority (and who is dropped first).
const ID: u16 = 0x0fff;

/// The VLANs of all ports. Their [`PortId`]s follow those of the devices.
#[derive(Debug)]
pub(super) struct Vlans {
    devices: u16,
    vlans: Vec<Vlan>,
}

#[derive(Debug)]
struct Vlan {
    parent: PortId,
    id: u16,
}

impl Vlans {
    /// The VLANs of a worker with so many devices.
    pub(super) fn new(devices: usize, ports: &[VlanPort]) -> Self {
        let vlan = |p: &VlanPort| Vlan { parent: p.parent, id: p.id };
        let devices = u16::try_from(devices).unwrap_or(u16::MAX);
        Self { devices, vlans: ports.iter().map(vlan).collect() }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.vlans.is_empty()
    }

    /// The port of a frame that a device received; if it is a VLAN, its tag is gone. A tag of no
    /// VLAN stays, and the port is the device.
    #[inline]
    pub(super) fn untag<F: Frame>(&self, frame: &mut F, device: PortId) -> PortId {
        let Some((port, priority)) = self.find(frame.data(), device) else { return device };
        if !remove_tag(frame) {
            return device;
        }
        frame.set_priority(priority);
        port
    }

    /// The VLAN of a tagged frame, and its priority bits.
    fn find(&self, frame: &[u8], device: PortId) -> Option<(PortId, u16)> {
        let [tag @ .., high, low] = *frame.get(ADDRESSES_LEN..)?.first_chunk::<TAG_LEN>()?;
        if tag != ether_type::VLAN {
            return None;
        }
        let control = u16::from_be_bytes([high, low]);
        let id = control & ID;
        let at = self.vlans.iter().position(|v| v.parent == device && v.id == id)?;
        u16::try_from(at).ok().map(|at| (PortId(self.devices + at), control & !ID))
    }

    /// The device that a port's frames leave by, and their VLAN if they have one.
    #[inline]
    pub(super) fn device_of(&self, port: PortId) -> (PortId, Option<u16>) {
        let vlan = port.0.checked_sub(self.devices).and_then(|at| self.vlans.get(usize::from(at)));
        vlan.map_or((port, None), |v| (v.parent, Some(v.id)))
    }
}

/// `false`, and no change, if the frame's first buffer is too short.
fn remove_tag<F: Frame>(frame: &mut F) -> bool {
    let bytes = frame.data_mut();
    if bytes.len() < ETHER_LEN + TAG_LEN {
        return false;
    }
    bytes.copy_within(..ADDRESSES_LEN, TAG_LEN);
    frame.trim_front(TAG_LEN)
}

/// Tags a frame, with the priority of the tag that it came with. `false`, and no change, if the
/// buffer has no room.
#[must_use]
pub(super) fn add_tag<F: Frame>(frame: &mut F, id: u16) -> bool {
    if !frame.prepend(TAG_LEN) {
        return false;
    }
    let control = frame.priority() | id;
    let bytes = frame.data_mut();
    if bytes.len() >= ADDRESSES_LEN + TAG_LEN {
        bytes.copy_within(TAG_LEN..ADDRESSES_LEN + TAG_LEN, 0);
        bytes[ADDRESSES_LEN..ADDRESSES_LEN + 2].copy_from_slice(&ether_type::VLAN);
        bytes[ADDRESSES_LEN + 2..ADDRESSES_LEN + 4].copy_from_slice(&control.to_be_bytes());
    }
    true
}
