//! The ports as they are made: for people, for the workers, for the control core.

use super::{RuntimeError, plan};
use crate::addr::{CustomerId, PortId};
use crate::config::{self, Config};
use crate::control::{PortInfo, PortStatus};
use crate::dataplane::steer::{RSS_KEY, Steering};
use crate::dataplane::worker::{self, WorkerPort};
use crate::dpdk::port::{Queues, Spread, SpreadBy};
use crate::dpdk::{self, Eal, Mbuf, Mempool, Port, PortConfig, PortError};
use crate::nic::RxQueue;

/// All ports, and the queues on them.
pub(super) struct Ports {
    pub(super) info: Vec<PortInfo>,
    /// By worker, then by port.
    pub(super) queues: Vec<Vec<WorkerPort<dpdk::RxQueue, dpdk::TxQueue>>>,
    pub(super) signaling: Vec<Box<dyn RxQueue<Frame = Mbuf>>>,
}

impl Ports {
    pub(super) fn open(
        eal: &Eal,
        config: &Config,
        pool: &Mempool,
        steering: &Steering,
    ) -> Result<Self, RuntimeError> {
        let queues = (0..steering.workers()).map(|_| Vec::new()).collect();
        let mut this = Self { info: Vec::new(), queues, signaling: Vec::new() };
        for (id, port) in (0u16..).zip(&config.ports) {
            this.add(eal, PortId(id), port, config, pool, steering)
                .map_err(|source| RuntimeError::Port { name: port.name.clone(), source })?;
        }
        Ok(this)
    }

    fn add(
        &mut self,
        eal: &Eal,
        id: PortId,
        port: &config::Port,
        config: &Config,
        pool: &Mempool,
        steering: &Steering,
    ) -> Result<(), PortError> {
        let access = plan::is_access(port);
        let by = if access { SpreadBy::InnerSource } else { SpreadBy::Destination };
        let setup = PortConfig {
            id,
            device: plan::device(port),
            mtu: port.mtu,
            rx_desc: port.rx_desc,
            tx_desc: port.tx_desc,
            workers: steering.workers(),
            anchor: config.node.lma_address.0,
            spread: Spread { key: &RSS_KEY, table: steering.reta(), by },
        };
        let (opened, queues) = Port::open(eal, &setup, pool)?;
        let Queues { rx, tx, signaling } = queues;
        let mac = opened.mac();
        let address = port.addresses.first().map(|&(a, _)| a);
        let worker_port = worker::PortConfig {
            access,
            mac,
            mtu: port.mtu,
            address,
            ipv4_address: None,
            customer: CustomerId::default(),
        };
        for (ports, (rx, tx)) in self.queues.iter_mut().zip(rx.into_iter().zip(tx)) {
            ports.push(WorkerPort { config: worker_port, rx, tx });
        }
        if let Some(queue) = signaling {
            self.signaling.push(Box::new(queue));
        }
        tracing::info!(port = port.name, %mac, driver = opened.driver(),
            signaling = opened.signaling().as_str(), steering = opened.steering().as_str(),
            "port open");
        self.info.push(PortInfo {
            name: port.name.clone(),
            role: port.role,
            device: plan::device(port).into(),
            driver: opened.driver().into(),
            mac,
            mtu: port.mtu,
            signaling: opened.signaling().as_str(),
            steering: opened.steering().as_str(),
            status: Box::new(move || status(&opened)),
        });
        Ok(())
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
