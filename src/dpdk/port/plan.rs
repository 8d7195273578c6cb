//! What is asked of a device, out of all that it says it can.

use super::{PortConfig, SpreadBy, Steering};
use dpdk_sys::{
    RSS_INNERMOST, RSS_IPV4, RSS_IPV6, RTE_ETH_MQ_RX_RSS, RX_SCATTER, TX_FAST_FREE, TX_MULTI_SEGS,
    rte_eth_conf, rte_eth_dev_info,
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
        } else {
            // All frames are of one pool, in one buffer, with one owner.
            conf.txmode.offloads = info.tx_offload_capa & TX_FAST_FREE;
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
        let asked = [
            (rx & RX_SCATTER, "scatter"),
            (tx & TX_MULTI_SEGS, "multi-segs"),
            (tx & TX_FAST_FREE, "fast-free"),
        ];
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

#[cfg(test)]
mod tests {
    use super::super::Spread;
    use super::*;
    use crate::addr::{PortId, WorkerId};
    use std::net::Ipv6Addr;

    const KEY: [u8; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    const TABLE: [WorkerId; 128] = [WorkerId(0); 128];

    fn config(by: SpreadBy, jumbo: bool) -> PortConfig<'static> {
        PortConfig {
            id: PortId(0),
            device: "nic",
            mtu: 1500,
            rx_desc: 64,
            tx_desc: 64,
            workers: 2,
            anchors: &[Ipv6Addr::LOCALHOST],
            jumbo,
            spread: Spread { key: &KEY, table: &TABLE, by },
        }
    }

    /// A device with a hash over both addresses, as most have.
    fn device(reta_size: u16, hash_key_size: u8) -> rte_eth_dev_info {
        rte_eth_dev_info {
            max_rx_queues: 8,
            max_tx_queues: 8,
            flow_type_rss_offloads: RSS_IPV4 | RSS_IPV6,
            reta_size,
            hash_key_size,
            rx_offload_capa: u64::MAX,
            tx_offload_capa: u64::MAX,
            ..Default::default()
        }
    }

    fn asked(plan: &Plan<'_>) -> (Steering, u64, u16) {
        (plan.steering, plan.conf.rx_adv_conf.rss_conf.rss_hf, plan.reta_size)
    }

    #[test]
    fn plain_hash_steers_downlink_with_the_key_where_the_destination_is() {
        let config = config(SpreadBy::Destination, false);
        for (reta_size, key_len) in [(128, 40), (512, 52), (2048, 52)] {
            let plan = Plan::new(&config, &device(reta_size, key_len), 2, false);
            assert_eq!(asked(&plan), (Steering::Rss, RSS_IPV6, reta_size));
            let zeros = vec![0; usize::from(key_len) - 28];
            assert_eq!(plan.key, [&[0; 16][..], &KEY, &zeros].concat());
            assert_eq!((plan.rx_queues, plan.tx_queues), (2, 2));
        }
    }

    #[test]
    fn uplink_is_steered_by_a_device_that_hashes_the_innermost_header_alone() {
        let config = config(SpreadBy::InnerSource, false);
        let mut info = device(128, 40);
        let plan = Plan::new(&config, &info, 2, false);
        assert_eq!(asked(&plan), (Steering::HandOff, RSS_IPV4 | RSS_IPV6, 128));
        assert!(plan.key.is_empty(), "the driver's own spreads tunnels");
        info.flow_type_rss_offloads |= RSS_INNERMOST;
        let plan = Plan::new(&config, &info, 2, false);
        assert_eq!(asked(&plan), (Steering::Rss, RSS_IPV6 | RSS_INNERMOST, 128));
        assert_eq!(plan.key, [&KEY[..], &[0; 28]].concat());
    }

    #[test]
    fn device_without_key_table_or_hash_leaves_it_to_the_workers() {
        let config = config(SpreadBy::Destination, false);
        let any = RSS_IPV4 | RSS_IPV6;
        for (info, wanted) in [
            (device(0, 40), (Steering::HandOff, any, 0)),
            (device(64, 40), (Steering::HandOff, any, 0)),
            (device(128, 0), (Steering::HandOff, any, 128)),
            (device(128, 16), (Steering::HandOff, any, 128)),
            (rte_eth_dev_info::default(), (Steering::HandOff, 0, 0)),
        ] {
            let plan = Plan::new(&config, &info, 2, false);
            assert_eq!((asked(&plan), plan.key.len()), (wanted, 0));
        }
    }

    #[test]
    fn queue_for_signaling_is_one_more_and_a_table_keeps_data_away_from_it() {
        let config = config(SpreadBy::InnerSource, false);
        let plan = Plan::new(&config, &device(128, 40), 1, true);
        assert_eq!(asked(&plan), (Steering::Single, RSS_IPV4 | RSS_IPV6, 128));
        assert_eq!((plan.rx_queues, plan.tx_queues, plan.spreads_by_table()), (2, 2, true));
        let mut info = device(0, 40);
        info.max_tx_queues = 1;
        let plan = Plan::new(&config, &info, 1, true);
        assert_eq!((plan.rx_queues, plan.tx_queues, plan.spreads_by_table()), (2, 1, false));
    }

    #[test]
    fn several_buffers_are_asked_for_with_jumbo_frames_alone_and_where_they_can_be_had() {
        let mut info = device(128, 40);
        for (jumbo, wanted) in [(false, (0, TX_FAST_FREE)), (true, (RX_SCATTER, TX_MULTI_SEGS))] {
            let port = config(SpreadBy::Destination, jumbo);
            let plan = Plan::new(&port, &info, 2, false);
            assert_eq!((plan.conf.rxmode.offloads, plan.conf.txmode.offloads), wanted);
            assert!(!plan.sends_single_buffers());
        }
        (info.rx_offload_capa, info.tx_offload_capa) = (0, 0);
        let jumbo = config(SpreadBy::Destination, true);
        let plan = Plan::new(&jumbo, &info, 2, false);
        assert_eq!((plan.conf.rxmode.offloads, plan.conf.txmode.offloads), (0, 0));
        assert!(plan.sends_single_buffers());
    }
}
