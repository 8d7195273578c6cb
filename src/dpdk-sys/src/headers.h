/* What bindgen reads: the part of DPDK that src/dpdk uses, and constants that only a C compiler
 * knows. build.rs holds the allowlist. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <rte_config.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

/* Where the fields of an mbuf are: per packet they are read by offset, without a call. */
enum {
	MBUF_BUF_ADDR = offsetof(struct rte_mbuf, buf_addr),
	MBUF_DATA_OFF = offsetof(struct rte_mbuf, data_off),
	MBUF_NB_SEGS = offsetof(struct rte_mbuf, nb_segs),
	MBUF_PORT = offsetof(struct rte_mbuf, port),
	MBUF_PKT_LEN = offsetof(struct rte_mbuf, pkt_len),
	MBUF_DATA_LEN = offsetof(struct rte_mbuf, data_len),
	MBUF_BUF_LEN = offsetof(struct rte_mbuf, buf_len),
	MBUF_VLAN_TCI = offsetof(struct rte_mbuf, vlan_tci),
};

/* Macros with casts, which bindgen cannot evaluate. */
static const uint64_t RSS_IPV4 = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP |
				 RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV4_OTHER;
static const uint64_t RSS_IPV6 = RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_TCP |
				 RTE_ETH_RSS_NONFRAG_IPV6_UDP | RTE_ETH_RSS_NONFRAG_IPV6_OTHER;
static const uint64_t RSS_INNERMOST = RTE_ETH_RSS_LEVEL_INNERMOST;
static const uint64_t RX_SCATTER = RTE_ETH_RX_OFFLOAD_SCATTER;
static const uint64_t TX_FAST_FREE = RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
static const uint64_t TX_MULTI_SEGS = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;

/* shim.c: static inlines of DPDK that are called once a burst or rarer, and what differs between
 * its versions. */
uint16_t shim_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t n);
uint16_t shim_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t n);
struct rte_mbuf *shim_mbuf_alloc(struct rte_mempool *pool);
void shim_mbuf_free(struct rte_mbuf *frame);
/* Bytes of all segments; -1 if there are fewer. */
int shim_mbuf_copy(const struct rte_mbuf *frame, uint32_t at, uint32_t len, void *to);
/* Copies all segments behind the first one's data: 0, or negative and no change if there is no room. */
int shim_mbuf_linearize(struct rte_mbuf *frame);
uint64_t shim_rdtsc(void);
int shim_errno(void);
/* 1 up, 0 down, negative errno. */
int shim_link_up(uint16_t port);
/* Frames with next header or protocol `proto` to `dst` (16 bytes of IPv6, 4 of IPv4; 0: all frames
 * that no other rule takes) go to `queue`, if the driver says that it can. 0 or a negative errno;
 * `why` then has the driver's words, or "". */
int shim_flow_to_queue(uint16_t port, uint8_t proto, const uint8_t *dst, size_t dst_len, uint16_t queue,
		       char *why, size_t why_size);
