//! `[[port]]`: devices, and VLANs of them.

use super::super::reader::{Section, integer};
use super::super::value::{interface_address, interface_name, label, pci, role, vdev};
use super::super::{Device, Port};
use super::{MTU_MAX, MTU_MIN, power_of_two};

/// All ports in their order. Those with a device are read first: a VLAN takes from its parent what
/// it does not say itself.
pub(super) fn ports(sections: &[Section<'_, '_>]) -> Vec<Option<Port>> {
    let is_vlan = |s: &Section<'_, '_>| s.has("parent") || s.has("vlan");
    let mut ports: Vec<Option<Port>> =
        sections.iter().map(|s| if is_vlan(s) { None } else { physical(s) }).collect();
    let parents: Vec<Port> = ports.iter().flatten().cloned().collect();
    for (port, s) in ports.iter_mut().zip(sections) {
        if is_vlan(s) {
            *port = vlan(s, &parents);
        }
    }
    ports
}

fn physical(s: &Section<'_, '_>) -> Option<Port> {
    let name = s.required("name", &interface_name);
    let role = s.required("role", &role);
    let device = device(s);
    let customer = s.get("customer", &label);
    let addresses = s.list("addresses", &interface_address);
    let mtu = s.integer("mtu", 1500, MTU_MIN..=MTU_MAX);
    let (rx_desc, tx_desc) = (descriptors(s, "rx_desc"), descriptors(s, "tx_desc"));
    let (name, role, device) = (name?, role?, device?);
    Some(Port { name, role, device, customer, addresses, mtu, rx_desc, tx_desc })
}

fn vlan(s: &Section<'_, '_>, parents: &[Port]) -> Option<Port> {
    let name = s.required("name", &interface_name);
    let vlan = s.required("vlan", &|v| integer(v, &(1..=VLAN_MAX)));
    let customer = s.get("customer", &label);
    let addresses = s.list("addresses", &interface_address);
    let named = s.required("parent", &label);
    let parent = named.as_ref().and_then(|named| parents.iter().find(|p| p.name == *named));
    if let (Some(named), None) = (&named, parent) {
        let names: Vec<&str> = parents.iter().map(|p| p.name.as_str()).collect();
        let what = format!("{named:?} is no port with a device (there is: {})", names.join(", "));
        s.fault("parent", what);
    }
    let most = parent.map_or(MTU_MAX, |p| p.mtu);
    let mtu = s.integer("mtu", most, MTU_MIN..=most);
    let parent = parent?;
    Some(Port {
        name: name?,
        role: parent.role,
        device: Device::Vlan { parent: parent.name.clone(), vlan: vlan? },
        customer,
        addresses,
        mtu,
        rx_desc: parent.rx_desc,
        tx_desc: parent.tx_desc,
    })
}

fn device(s: &Section<'_, '_>) -> Option<Device> {
    let pci = s.get("pci", &pci).map(Device::Pci);
    let vdev = s.get("vdev", &vdev).map(Device::Vdev);
    match (s.has("pci"), s.has("vdev")) {
        (true, true) => s.fault("vdev", "stands beside pci: give one of them"),
        (false, false) => {
            s.fault("", "has no device: give pci = \"0000:3b:00.0\" or vdev = \"net_tap0\"");
        }
        _ => {}
    }
    pci.or(vdev)
}

fn descriptors(s: &Section<'_, '_>, key: &'static str) -> u16 {
    let n: u16 = s.integer(key, 1024, 64..=32_768);
    power_of_two(s, key, n.is_power_of_two(), n);
    n
}

/// IEEE 802.1Q: 4095 is reserved, zero says that there is none.
const VLAN_MAX: u16 = 4094;
