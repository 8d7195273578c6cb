//! The ports as they are made: for people, for the workers, for the control core.

use super::{RuntimeError, plan};
use crate::addr::PortId;
use crate::config::{self, Config, Device};
use crate::control::{PortInfo, PortStatus};
use crate::dataplane::steer::{RSS_KEY, Steering};
use crate::dataplane::worker::{VlanPort, WorkerPort};
use crate::dpdk::port::{Queues, Spread, SpreadBy};
use crate::dpdk::{self, Eal, Mbuf, Mempool, Port, PortConfig, PortError};
use crate::nic::RxQueue;
use std::sync::Arc;

/// All ports, and the queues on them.
pub(super) struct Ports {
    pub(super) info: Vec<PortInfo>,
    /// By worker, then by device.
    pub(super) queues: Vec<Vec<WorkerPort<dpdk::RxQueue, dpdk::TxQueue>>>,
    /// Behind the devices.
    pub(super) vlans: Vec<VlanPort>,
    pub(super) signaling: Vec<Box<dyn RxQueue<Frame = Mbuf>>>,
    opened: Vec<Arc<Port>>,
}

impl Ports {
    pub(super) fn open(
        eal: &Eal,
        config: &Config,
        pool: &Mempool,
        steering: &Steering,
    ) -> Result<Self, RuntimeError> {
        let queues = (0..steering.workers()).map(|_| Vec::new()).collect();
        let (info, vlans, signaling, opened) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut this = Self { info, queues, vlans, signaling, opened };
        // Those with a device come first in a configuration, whatever their order in the file.
        for (id, port) in (0u16..).zip(&config.ports) {
            match &port.device {
                Device::Vlan { parent, vlan } => this.add_vlan(port, parent, *vlan, config),
                Device::Pci(device) | Device::Vdev(device) => this
                    .add(eal, PortId(id), port, device, config, pool, steering)
                    .map_err(|source| RuntimeError::Port { name: port.name.clone(), source })?,
            }
        }
        Ok(this)
    }

    #[allow(clippy::too_many_arguments)] // what a port is made of
    fn add(
        &mut self,
        eal: &Eal,
        id: PortId,
        port: &config::Port,
        device: &str,
        config: &Config,
        pool: &Mempool,
        steering: &Steering,
    ) -> Result<(), PortError> {
        let by = if plan::is_access(port) { SpreadBy::InnerSource } else { SpreadBy::Destination };
        let setup = PortConfig {
            id,
            device,
            mtu: port.mtu,
            rx_desc: port.rx_desc,
            tx_desc: port.tx_desc,
            workers: steering.workers(),
            anchors: &plan::anchors(config, port),
            jumbo: plan::is_jumbo(config),
            spread: Spread { key: &RSS_KEY, table: steering.reta(), by },
        };
        let (opened, queues) = Port::open(eal, &setup, pool)?;
        let Queues { rx, tx, signaling } = queues;
        let worker_port = plan::worker_port(config, port, opened.mac());
        for (ports, (rx, tx)) in self.queues.iter_mut().zip(rx.into_iter().zip(tx)) {
            ports.push(WorkerPort { config: worker_port, rx, tx });
        }
        if let Some(queue) = signaling {
            self.signaling.push(Box::new(queue));
        }
        tracing::info!(port = port.name, mac = %opened.mac(), driver = opened.driver(),
            signaling = opened.signaling().as_str(), steering = opened.steering().as_str(),
            offloads = opened.offloads(), "port open");
        self.note(port, device.into(), Arc::new(opened), None);
        Ok(())
    }

    /// A VLAN needs nothing of the device: its frames come and go with those of its parent.
    fn add_vlan(&mut self, port: &config::Port, parent: &str, vlan: u16, config: &Config) {
        let ports = (0u16..).zip(self.info.iter().zip(&self.opened));
        let mut named = ports.filter(|(_, (info, _))| info.name == parent);
        // A configuration without it is refused.
        let Some((id, (_, opened))) = named.next() else { return };
        let (id, opened) = (PortId(id), Arc::clone(opened));
        let worker_port = plan::worker_port(config, port, opened.mac());
        self.vlans.push(VlanPort { parent: id, id: vlan, config: worker_port });
        self.note(port, format!("{vlan} of {parent}"), opened, Some((id, vlan)));
    }

    fn note(
        &mut self,
        port: &config::Port,
        device: String,
        opened: Arc<Port>,
        vlan: Option<(PortId, u16)>,
    ) {
        let asked = Arc::clone(&opened);
        self.info.push(PortInfo {
            name: port.name.clone(),
            role: port.role,
            device,
            driver: opened.driver().into(),
            mac: opened.mac(),
            mtu: port.mtu,
            vlan,
            signaling: opened.signaling().as_str(),
            steering: opened.steering().as_str(),
            status: Box::new(move || status(&asked)),
        });
        if vlan.is_none() {
            self.opened.push(opened);
        }
    }
}

fn status(port: &Port) -> PortStatus {
    let stats = port.stats();
    PortStatus {
        link_up: port.link_up(),
        rx_packets: stats.rx_packets,
        tx_packets: stats.tx_packets,
        rx_missed: stats.rx_missed,
        tx_errors: stats.tx_errors,
    }
}
