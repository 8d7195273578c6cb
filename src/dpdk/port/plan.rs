//! What is asked of a device, out of all that it says it can.

use super::{PortConfig, SpreadBy, Steering};
use dpdk_sys::{
    RSS_INNERMOST, RSS_IPV4, RSS_IPV6, RTE_ETH_MQ_RX_RSS, RX_SCATTER, TX_MULTI_SEGS, rte_eth_conf,
    rte_eth_dev_info,
};

/// What is asked of a device.
pub(super) struct Plan<'a> {
    pub(super) config: &'a PortConfig<'a>,
    pub(super) conf: rte_eth_conf,
    /// The key of its hash; empty: its driver's own.
    pub(super) key: Vec<u8>,
    /// Entries of its redirection table to write; zero for none.
    pub(super) reta_size: u16,
    pub(super) rx_queues: u16,
    pub(super) tx_queues: u16,
    pub(super) steering: Steering,
}

impl<'a> Plan<'a> {
    /// With one receive queue a worker, and one more for `signaling`.
    pub(super) fn new(
        config: &'a PortConfig<'a>,
        info: &rte_eth_dev_info,
        workers: u16,
        signaling: bool,
    ) -> Self {
        let rx_queues = workers + u16::from(signaling);
        // Some devices have queues in pairs only.
        let tx_queues = if info.max_tx_queues < rx_queues { workers } else { rx_queues };
        let mut conf = rte_eth_conf::default();
        conf.rxmode.mtu = u32::from(config.mtu);
        if config.jumbo {
            conf.rxmode.offloads = info.rx_offload_capa & RX_SCATTER;
            conf.txmode.offloads = info.tx_offload_capa & TX_MULTI_SEGS;
        }
        let hash = Hash::new(config, info, workers);
        // The device's table must repeat ours.
        let table = config.spread.table.len();
        let fits = table > 0 && info.reta_size > 0 && usize::from(info.reta_size) % table == 0;
        let (steering, hash) = match (workers, hash) {
            (1, _) => (Steering::Single, Hash::any(info)),
            (_, Some(hash)) if fits => (Steering::Rss, hash),
            // The load is spread nevertheless; the workers pass on what is not theirs.
            _ => (Steering::HandOff, Hash::any(info)),
        };
        let rss = rx_queues > 1 && hash.types != 0;
        if rss {
            conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
            conf.rx_adv_conf.rss_conf.rss_hf = hash.types;
        }
        let reta_size = if rss && fits { info.reta_size } else { 0 };
        Self { config, conf, key: hash.key, reta_size, rx_queues, tx_queues, steering }
    }

    /// Whether frames that no flow rule takes stay away from the queue for signaling: if a table
    /// that we write says where they go.
    pub(super) fn spreads_by_table(&self) -> bool {
        self.reta_size > 0
    }

    /// Whether frames in several buffers may come to be sent, and the device cannot.
    pub(super) fn sends_single_buffers(&self) -> bool {
        self.config.jumbo && self.conf.txmode.offloads & TX_MULTI_SEGS == 0
    }

    /// For people: what was asked for beside queues.
    pub(super) fn offloads(&self) -> String {
        let (rx, tx) = (self.conf.rxmode.offloads, self.conf.txmode.offloads);
        let asked = [(rx & RX_SCATTER, "scatter"), (tx & TX_MULTI_SEGS, "multi-segs")];
        let names: Vec<_> = asked.iter().filter(|(bit, _)| *bit != 0).map(|(_, n)| *n).collect();
        names.join(" ")
    }
}

/// What a device spreads frames by.
struct Hash {
    types: u64,
    key: Vec<u8>,
}

impl Hash {
    /// The hash that finds the worker that owns the subscriber, if the device has it: over both
    /// IPv6 addresses of the header that counts, with the key where the subscriber's prefix is and
    /// zeros elsewhere.
    fn new(config: &PortConfig<'_>, info: &rte_eth_dev_info, workers: u16) -> Option<Self> {
        let can = info.flow_type_rss_offloads;
        let (level, key_at) = match config.spread.by {
            SpreadBy::Destination => (0, IPV6_ADDR_LEN),
            SpreadBy::InnerSource => (RSS_INNERMOST, 0),
        };
        let mut key = vec![0; usize::from(info.hash_key_size)];
        let room = key.get_mut(key_at..key_at + config.spread.key.len())?;
        room.copy_from_slice(config.spread.key);
        let able = workers > 1 && can & RSS_IPV6 != 0 && can & level == level;
        able.then_some(Self { types: (can & RSS_IPV6) | level, key })
    }

    /// Whatever the device has.
    fn any(info: &rte_eth_dev_info) -> Self {
        let types = info.flow_type_rss_offloads & (RSS_IPV4 | RSS_IPV6);
        Self { types, key: Vec::new() }
    }
}

const IPV6_ADDR_LEN: usize = 16;
