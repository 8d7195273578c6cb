/* See headers.h. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "headers.h"

#ifdef NEEDS_X86_64_V3
/* Before all of the program that was compiled for such a processor: else an older one stops it
 * without a word at the first instruction that it does not know. */
__attribute__((constructor)) static void require_x86_64_v3(void)
{
	static const char why[] = "error: this program was built for processors of x86-64-v3 (AVX2, BMI2, FMA; since "
				  "Haswell and Zen), and this is none: build it without .cargo/x86-64-v3.toml\n";

	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma"))
		return;
	if (write(STDERR_FILENO, why, sizeof(why) - 1) >= 0)
		_exit(78); /* EX_CONFIG */
	_exit(1);
}
#endif

uint16_t shim_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t n)
{
	return rte_eth_rx_burst(port, queue, frames, n);
}

uint16_t shim_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t n)
{
	return rte_eth_tx_burst(port, queue, frames, n);
}

struct rte_mbuf *shim_mbuf_alloc(struct rte_mempool *pool)
{
	return rte_pktmbuf_alloc(pool);
}

void shim_mbuf_free(struct rte_mbuf *frame)
{
	rte_pktmbuf_free(frame);
}

int shim_mbuf_copy(const struct rte_mbuf *frame, uint32_t at, uint32_t len, void *to)
{
	const void *from = rte_pktmbuf_read(frame, at, len, to);

	if (from == NULL)
		return -1;
	if (from != to)
		memcpy(to, from, len);
	return 0;
}

uint64_t shim_rdtsc(void)
{
	return rte_rdtsc();
}

int shim_errno(void)
{
	return rte_errno;
}

/* Here because struct rte_eth_link changed its shape after 22.11. */
int shim_link_up(uint16_t port)
{
	struct rte_eth_link link;
	int ret = rte_eth_link_get_nowait(port, &link);

	return ret < 0 ? ret : link.link_status == RTE_ETH_LINK_UP;
}

/* Here because the IPv6 header's address type changed after 22.11. */
int shim_flow_to_queue(uint16_t port, uint8_t proto, const uint8_t *dst, size_t dst_len, uint16_t queue,
		       char *why, size_t why_size)
{
	/* 0 comes before 1. */
	const struct rte_flow_attr attr = { .ingress = 1, .priority = dst_len == 0 };
	struct rte_flow_item_ipv6 ipv6 = { .hdr.proto = proto }, ipv6_mask = { .hdr.proto = 0xff };
	struct rte_flow_item_ipv4 ipv4 = { .hdr.next_proto_id = proto };
	const struct rte_flow_item_ipv4 ipv4_mask = {
		.hdr.next_proto_id = 0xff,
		.hdr.dst_addr = RTE_BE32(UINT32_MAX),
	};
	struct rte_flow_item pattern[] = {
		{ .type = RTE_FLOW_ITEM_TYPE_ETH },
		{ .type = RTE_FLOW_ITEM_TYPE_END },
		{ .type = RTE_FLOW_ITEM_TYPE_END },
	};
	const struct rte_flow_action_queue to = { .index = queue };
	const struct rte_flow_action actions[] = {
		{ .type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &to },
		{ .type = RTE_FLOW_ACTION_TYPE_END },
	};
	struct rte_flow_error error = { 0 };
	int ret;

	if (dst_len == 16) {
		memcpy(&ipv6.hdr.dst_addr, dst, 16);
		memset(&ipv6_mask.hdr.dst_addr, 0xff, 16);
		pattern[1] = (struct rte_flow_item){
			.type = RTE_FLOW_ITEM_TYPE_IPV6, .spec = &ipv6, .mask = &ipv6_mask
		};
	} else if (dst_len == 4) {
		memcpy(&ipv4.hdr.dst_addr, dst, 4);
		pattern[1] = (struct rte_flow_item){
			.type = RTE_FLOW_ITEM_TYPE_IPV4, .spec = &ipv4, .mask = &ipv4_mask
		};
	}
	ret = rte_flow_validate(port, &attr, pattern, actions, &error);
	if (ret == 0 && rte_flow_create(port, &attr, pattern, actions, &error) == NULL)
		ret = -rte_errno;
	snprintf(why, why_size, "%s", ret != 0 && error.message != NULL ? error.message : "");
	return ret;
}

int shim_mbuf_linearize(struct rte_mbuf *frame)
{
	return rte_pktmbuf_linearize(frame);
}
