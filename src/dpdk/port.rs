//! Ports: found by their device, set up, started, asked, closed.
//!
//! Each worker gets a receive and a transmit queue of its own. What the hardware can do beyond that
//! is asked here, once, and named for the operator:
//!
//! - [`Signaling`]: whether Mobility Headers come on a queue of their own.
//! - [`Steering`]: whether frames come to the worker that owns their subscriber.

mod config;
mod plan;

pub use config::{PortConfig, PortError, Signaling, Spread, SpreadBy, Steering};

use super::Eal;
use super::eal::Alive;
use super::errno::Errno;
use super::flow::{self, Refused};
use super::mempool::Mempool;
use super::queue::{RxQueue, TxQueue};
use crate::addr::{MacAddr, PortId};
use core::ffi::{CStr, c_int};
use core::ptr;
use dpdk_sys::{
    RTE_ETH_RETA_GROUP_SIZE, RTE_MAX_ETHPORTS, rte_eth_dev_info, rte_eth_rss_reta_entry64,
    rte_eth_stats,
};
use plan::Plan;
use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A started port. It is stopped and closed when this and all its queues are gone.
#[derive(Debug)]
pub struct Port {
    opened: Arc<Opened>,
    driver: String,
    mac: MacAddr,
    signaling: Signaling,
    steering: Steering,
    offloads: String,
}

/// The queues of a port.
#[derive(Debug)]
pub struct Queues {
    /// One a worker.
    pub rx: Vec<RxQueue>,
    /// One a worker.
    pub tx: Vec<TxQueue>,
    /// Signaling, and nothing else, if the port steers it.
    pub signaling: Option<RxQueue>,
}

/// What a port has counted since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct PortStats {
    pub rx_packets: u64,
    pub tx_packets: u64,
    /// Lost because nobody took them in time, or because no buffer was free.
    pub rx_missed: u64,
    pub tx_errors: u64,
}

impl Port {
    /// Finds, sets up and starts a port. Receive queues take their buffers from `pool`.
    pub fn open(
        eal: &Eal,
        config: &PortConfig<'_>,
        pool: &Mempool,
    ) -> Result<(Self, Queues), PortError> {
        let device = config.device;
        let setup = |(step, errno)| PortError::Setup { device: device.into(), step, errno };

        let raw = find(device).ok_or_else(|| PortError::NotFound(device.into()))?;
        let opened = Opened::claim(eal, config.id, raw, pool)
            .ok_or_else(|| PortError::InUse(device.into()))?;
        let info = info(raw).map_err(setup)?;
        let workers = config.workers.max(1);
        let max = info.max_tx_queues.min(info.max_rx_queues);
        if max < workers {
            return Err(PortError::TooFewQueues { device: device.into(), workers, max });
        }

        let mut plan = Plan::new(config, &info, workers, true);
        let mut signaling = Signaling::PuntRing;
        if !config.anchors.is_empty() && info.max_rx_queues > workers {
            // Asked with the queue in place: drivers check that it exists.
            match opened.start_with_signaling(&plan, workers, pool) {
                Ok(()) => signaling = Signaling::FlowRule,
                Err(refused) => {
                    tracing::info!(device, %refused, "no queue for signaling: workers punt it");
                    opened.stop().map_err(setup)?;
                }
            }
        }
        if signaling == Signaling::PuntRing {
            plan = Plan::new(config, &info, workers, false);
            opened.start(&plan, pool).map_err(setup)?;
        }

        let single = plan.sends_single_buffers();
        let queues = Queues {
            rx: (0..workers).map(|q| RxQueue::new(&opened, q)).collect(),
            tx: (0..workers).map(|q| TxQueue::new(&opened, q, single)).collect(),
            signaling: (signaling == Signaling::FlowRule).then(|| RxQueue::new(&opened, workers)),
        };
        let mac = mac(raw).map_err(setup)?;
        let (steering, offloads) = (plan.steering, plan.offloads());
        let driver = driver(&info);
        Ok((Self { opened, driver, mac, signaling, steering, offloads }, queues))
    }

    /// The driver's name, for instance `net_ixgbe`.
    #[must_use]
    pub fn driver(&self) -> &str {
        &self.driver
    }

    /// Its own address.
    #[must_use]
    pub fn mac(&self) -> MacAddr {
        self.mac
    }

    /// How signaling comes from this port.
    #[must_use]
    pub fn signaling(&self) -> Signaling {
        self.signaling
    }

    /// How frames of this port find their worker.
    #[must_use]
    pub fn steering(&self) -> Steering {
        self.steering
    }

    /// What it was asked to do beside that, for people; what it cannot do is done here.
    #[must_use]
    pub fn offloads(&self) -> &str {
        &self.offloads
    }

    /// Whether there is a link now.
    #[must_use]
    pub fn link_up(&self) -> bool {
        // SAFETY: a port that exists while we share it.
        unsafe { dpdk_sys::shim_link_up(self.opened.raw) == 1 }
    }

    /// The driver's counters; zeros if it has none.
    #[must_use]
    pub fn stats(&self) -> PortStats {
        let mut s = rte_eth_stats::default();
        // SAFETY: a port that exists while we share it; `s` is written whole.
        if unsafe { dpdk_sys::rte_eth_stats_get(self.opened.raw, &raw mut s) } != 0 {
            return PortStats::default();
        }
        PortStats {
            rx_packets: s.ipackets,
            tx_packets: s.opackets,
            rx_missed: s.imissed + s.rx_nombuf,
            tx_errors: s.oerrors,
        }
    }
}

/// A failed step and DPDK's answer.
type Failed = (&'static str, Errno);

/// A port that is ours. Queues share it.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) id: PortId,
    /// DPDK's own number.
    pub(super) raw: u16,
    /// Receive queues hold buffers of it.
    _pool: Mempool,
    _alive: Arc<Alive>,
}

static IN_USE: [AtomicBool; RTE_MAX_ETHPORTS as usize] =
    [const { AtomicBool::new(false) }; RTE_MAX_ETHPORTS as usize];

impl Opened {
    fn claim(eal: &Eal, id: PortId, raw: u16, pool: &Mempool) -> Option<Arc<Self>> {
        if IN_USE[usize::from(raw)].swap(true, Ordering::Relaxed) {
            return None;
        }
        Some(Arc::new(Self { id, raw, _pool: pool.clone(), _alive: eal.share() }))
    }

    /// Starts it, and has the NIC put signaling, and nothing else, on the queue after the workers'.
    fn start_with_signaling(
        &self,
        plan: &Plan<'_>,
        queue: u16,
        pool: &Mempool,
    ) -> Result<(), Refused> {
        self.start(plan, pool)?;
        let mut made = flow::steer_signaling(self.raw, plan.config.anchors, queue);
        if made.is_ok() && !plan.spreads_by_table() {
            // Without a table of ours a device may spread frames over all queues.
            made = flow::steer_rest(self.raw);
        }
        made.inspect_err(|_| flow::flush(self.raw))
    }

    fn start(&self, plan: &Plan<'_>, pool: &Mempool) -> Result<(), Failed> {
        let (raw, config) = (self.raw, plan.config);
        let mut conf = plan.conf;
        let mut key = plan.key.clone();
        if !key.is_empty() {
            conf.rx_adv_conf.rss_conf.rss_key = key.as_mut_ptr();
            conf.rx_adv_conf.rss_conf.rss_key_len = u8::try_from(key.len()).unwrap_or(u8::MAX);
        }
        // SAFETY: the port is ours and stopped; `conf`, with the key that it points to, and the
        // descriptor counts outlive the calls, which copy them. The pool outlives the port
        // (`_pool`).
        unsafe {
            let ret = dpdk_sys::rte_eth_dev_configure(
                raw,
                plan.rx_queues,
                plan.tx_queues,
                &raw const conf,
            );
            step("configure its queues and MTU", ret)?;
            let ret = dpdk_sys::rte_eth_dev_set_mtu(raw, config.mtu);
            if ret != -libc::ENOTSUP {
                step("set the MTU", ret)?;
            }
            let (mut rx_desc, mut tx_desc) = (config.rx_desc, config.tx_desc);
            let ret =
                dpdk_sys::rte_eth_dev_adjust_nb_rx_tx_desc(raw, &raw mut rx_desc, &raw mut tx_desc);
            step("adjust the number of descriptors", ret)?;
            let node = dpdk_sys::rte_eth_dev_socket_id(raw).cast_unsigned();
            for q in 0..plan.rx_queues {
                let pool = pool.as_ptr();
                let ret =
                    dpdk_sys::rte_eth_rx_queue_setup(raw, q, rx_desc, node, ptr::null(), pool);
                step("set up a receive queue", ret)?;
            }
            for q in 0..plan.tx_queues {
                let ret = dpdk_sys::rte_eth_tx_queue_setup(raw, q, tx_desc, node, ptr::null());
                step("set up a transmit queue", ret)?;
            }
            step("start", dpdk_sys::rte_eth_dev_start(raw))?;
        }
        self.write_reta(plan)?;
        // Neighbour discovery comes as multicast. A port without such a filter takes all anyway.
        // SAFETY: the port is ours and started.
        if unsafe { dpdk_sys::rte_eth_allmulticast_enable(raw) } != 0 {
            // SAFETY: as above.
            let _ = unsafe { dpdk_sys::rte_eth_promiscuous_enable(raw) };
        }
        Ok(())
    }

    /// Fills the device's redirection table by repeating ours: queue `i` is worker `i`'s, and the
    /// queue for signaling gets nothing.
    fn write_reta(&self, plan: &Plan<'_>) -> Result<(), Failed> {
        const GROUP: usize = RTE_ETH_RETA_GROUP_SIZE as usize;
        if plan.reta_size == 0 {
            return Ok(());
        }
        let mut groups = vec![
            rte_eth_rss_reta_entry64 { mask: u64::MAX, ..Default::default() };
            usize::from(plan.reta_size).div_ceil(GROUP)
        ];
        let workers = plan.config.spread.table.iter().cycle();
        for (i, worker) in (0..usize::from(plan.reta_size)).zip(workers) {
            groups[i / GROUP].reta[i % GROUP] = worker.0 % plan.config.workers.max(1);
        }
        // SAFETY: the port is ours; the array holds reta_size entries in groups of 64.
        let ret = unsafe {
            dpdk_sys::rte_eth_dev_rss_reta_update(self.raw, groups.as_mut_ptr(), plan.reta_size)
        };
        step("write the redirection table", ret)
    }

    fn stop(&self) -> Result<(), Failed> {
        // SAFETY: the port is ours; no queue has been handed out, or all are gone.
        step("stop", unsafe { dpdk_sys::rte_eth_dev_stop(self.raw) })
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let _ = self.stop(); // closing is the answer to that, too
        // SAFETY: the port is ours and no queue is left, for each shares this.
        let closed = unsafe { dpdk_sys::rte_eth_dev_close(self.raw) };
        if let Err(errno) = Errno::check(closed) {
            tracing::warn!(port = self.id.0, %errno, "port did not close");
        }
        IN_USE[usize::from(self.raw)].store(false, Ordering::Relaxed);
    }
}

fn step(name: &'static str, ret: c_int) -> Result<(), Failed> {
    Errno::check(ret).map(drop).map_err(|errno| (name, errno))
}

/// DPDK's number of a device that was probed.
fn find(device: &str) -> Option<u16> {
    let name = device.split(',').next().unwrap_or(device);
    let name = CString::new(name).ok()?;
    let mut raw = 0;
    // SAFETY: a string that ends with zero; `raw` is written on success.
    let ret = unsafe { dpdk_sys::rte_eth_dev_get_port_by_name(name.as_ptr(), &raw mut raw) };
    (ret == 0 && u32::from(raw) < RTE_MAX_ETHPORTS).then_some(raw)
}

fn info(raw: u16) -> Result<rte_eth_dev_info, Failed> {
    let mut info = rte_eth_dev_info::default();
    // SAFETY: a port that exists; `info` is written whole.
    step("ask", unsafe { dpdk_sys::rte_eth_dev_info_get(raw, &raw mut info) }).map(|()| info)
}

fn driver(info: &rte_eth_dev_info) -> String {
    if info.driver_name.is_null() {
        return String::new();
    }
    // SAFETY: a static string of the driver.
    unsafe { CStr::from_ptr(info.driver_name) }.to_string_lossy().into_owned()
}

fn mac(raw: u16) -> Result<MacAddr, Failed> {
    let mut mac = dpdk_sys::rte_ether_addr::default();
    // SAFETY: a port that exists; `mac` is written on success.
    let ret = unsafe { dpdk_sys::rte_eth_macaddr_get(raw, &raw mut mac) };
    step("ask its address", ret).map(|()| MacAddr(mac.addr_bytes))
}
