/* net_pgen: a device that makes packets and takes them, and knows what that costs.
 *
 *   rx: frames of a seeded sequence of flows, in the program's own buffers
 *   tx: every frame compared with what must come out, counted, freed
 *
 *   cycles of the program per packet = (elapsed - rx - tx) / packets
 *
 * in windows of some packets; the middle window is the figure. Any DPDK program can be measured:
 *
 *   -d librte_net_pgen.so --vdev net_pgen0,kind=down66,flows=1000000
 *
 * This file is the device, queue.c what its queues do, sequence.c whose frames come in which order,
 * frame.c what they look like. The result is a line on standard output for each queue when the port
 * is stopped, and with `turns=1` another: how often the program took how many cycles from one burst
 * to the next, in bins with their least value.
 *
 *   pgen: queue=0 app=41.3 least=40.8 greatest=57.0 rx=33.1 tx=40.2 windows=152 received=9961472
 *         sent=9961472 bytes=1175453696 wrong=0
 *   pgen-turns: queue=0 greatest=81920 2560=120 2816=155020 3072=499
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_kvargs.h>
#include <rte_malloc.h>

#include <bus_vdev_driver.h>
#include <ethdev_driver.h>
#include <ethdev_vdev.h>

#include "pgen.h"

struct pgen {
	struct settings settings;
	struct rte_ether_addr mac;
	struct queue queues[QUEUES];
};

static int dev_start(struct rte_eth_dev *dev)
{
	struct pgen *g = dev->data->dev_private;

	for (int i = 0; i < QUEUES; i++)
		queue_reset(&g->queues[i]);
	dev->data->dev_link.link_status = RTE_ETH_LINK_UP;
	return 0;
}

static int dev_stop(struct rte_eth_dev *dev)
{
	struct pgen *g = dev->data->dev_private;

	uint64_t flows = 0;

	for (int i = 0; i < QUEUES; i++)
		flows += g->queues[i].flows_in - g->queues[i].flows_out;
	if (g->settings.check == CHECK_ANY && flows != 0)
		g->queues[0].wrong++; /* lost, or sent twice */
	for (int i = 0; i < QUEUES; i++)
		queue_report(&g->queues[i], i);
	dev->data->dev_link.link_status = RTE_ETH_LINK_DOWN;
	dev->data->dev_started = 0;
	return 0;
}

static int dev_close(struct rte_eth_dev *dev)
{
	struct pgen *g = dev->data->dev_private;

	for (int i = 0; i < QUEUES; i++)
		rte_free(g->queues[i].sequence);
	dev->data->mac_addrs = NULL; /* it is inside of dev_private */
	return 0;
}

static int dev_infos_get(struct rte_eth_dev *dev, struct rte_eth_dev_info *info)
{
	const struct pgen *g = dev->data->dev_private;

	info->max_mac_addrs = 1;
	info->max_rx_pktlen = 9216;
	info->max_mtu = 9000;
	info->min_mtu = 68;
	info->max_rx_queues = g->settings.queues;
	info->max_tx_queues = g->settings.queues;
	/* What l3fwd asks for. */
	info->rx_offload_capa = RTE_ETH_RX_OFFLOAD_CHECKSUM;
	info->tx_offload_capa = RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
	info->flow_type_rss_offloads = RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP;
	if (g->settings.can_steer) {
		info->flow_type_rss_offloads |= RTE_ETH_RSS_LEVEL_INNERMOST;
		info->reta_size = RETA;
		info->hash_key_size = RSS_KEY;
	}
	return 0;
}

/* What the program asks for is computed where the hash is over the header with the node's address:
 * IPv6, the innermost one of tunnel packets. Else it gets every flow on every queue. */
static int dev_configure(struct rte_eth_dev *dev)
{
	struct pgen *g = dev->data->dev_private;
	struct settings *s = &g->settings;
	const struct rte_eth_rss_conf *rss = &dev->data->dev_conf.rx_adv_conf.rss_conf;
	bool innermost = (rss->rss_hf & RTE_ETH_RSS_LEVEL_INNERMOST) == RTE_ETH_RSS_LEVEL_INNERMOST;

	s->steers = s->can_steer && dev->data->dev_conf.rxmode.mq_mode == RTE_ETH_MQ_RX_RSS &&
		    rss->rss_hf & RTE_ETH_RSS_NONFRAG_IPV6_UDP && !s->scene.inner_ipv4 &&
		    innermost == s->scene.uplink && rss->rss_key != NULL && rss->rss_key_len == RSS_KEY;
	if (s->steers)
		memcpy(s->key, rss->rss_key, RSS_KEY);
	return 0;
}

static int reta_update(struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *groups, uint16_t size)
{
	struct pgen *g = dev->data->dev_private;
	int ret = 0;

	for (uint16_t i = 0; i < RTE_MIN(size, (uint16_t)RETA); i++)
		if (groups[i / RTE_ETH_RETA_GROUP_SIZE].mask >> i % RTE_ETH_RETA_GROUP_SIZE & 1)
			g->settings.reta[i] = groups[i / RTE_ETH_RETA_GROUP_SIZE]
						      .reta[i % RTE_ETH_RETA_GROUP_SIZE];
	for (uint16_t i = 0; i < g->settings.queues && ret == 0; i++)
		ret = sequence_make(&g->queues[i], i);
	return ret;
}

static int rx_queue_setup(struct rte_eth_dev *dev, uint16_t queue, uint16_t descriptors,
			  unsigned int socket, const struct rte_eth_rxconf *conf,
			  struct rte_mempool *pool)
{
	struct pgen *g = dev->data->dev_private;

	g->settings.port = dev->data->port_id;
	g->queues[queue].pool = pool;
	dev->data->rx_queues[queue] = &g->queues[queue];
	return 0;
}

static int tx_queue_setup(struct rte_eth_dev *dev, uint16_t queue, uint16_t descriptors,
			  unsigned int socket, const struct rte_eth_txconf *conf)
{
	struct pgen *g = dev->data->dev_private;

	dev->data->tx_queues[queue] = &g->queues[queue];
	return 0;
}

static int stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats)
{
	const struct pgen *g = dev->data->dev_private;

	for (int i = 0; i < QUEUES; i++) {
		stats->ipackets += g->queues[i].received;
		stats->opackets += g->queues[i].sent;
		stats->obytes += g->queues[i].bytes;
	}
	return 0;
}

static const uint32_t *ptypes_get(struct rte_eth_dev *dev)
{
	static const uint32_t none[] = { RTE_PTYPE_UNKNOWN };

	return none;
}

static int nothing(struct rte_eth_dev *dev)
{
	return 0;
}

static int link_update(struct rte_eth_dev *dev, int wait)
{
	return 0;
}

static int mac_addr_set(struct rte_eth_dev *dev, struct rte_ether_addr *mac)
{
	return 0;
}

static int mtu_set(struct rte_eth_dev *dev, uint16_t mtu)
{
	return 0;
}

static const struct eth_dev_ops ops = {
	.dev_start = dev_start,
	.dev_stop = dev_stop,
	.dev_close = dev_close,
	.dev_configure = dev_configure,
	.dev_infos_get = dev_infos_get,
	.rx_queue_setup = rx_queue_setup,
	.tx_queue_setup = tx_queue_setup,
	.link_update = link_update,
	.stats_get = stats_get,
	.stats_reset = nothing,
	.mac_addr_set = mac_addr_set,
	.mtu_set = mtu_set,
	.promiscuous_enable = nothing,
	.promiscuous_disable = nothing,
	.allmulticast_enable = nothing,
	.allmulticast_disable = nothing,
	.reta_update = reta_update,
	.dev_supported_ptypes_get = ptypes_get,
};

struct arguments {
	char kind[16], order[16], check[16];
	uint64_t flows, mags, size, window, seed, queues, gre, packets, steer, turns, interrupt;
};

static int text(const char *key, const char *value, void *at)
{
	snprintf(at, sizeof(((struct arguments *)0)->kind), "%s", value);
	return 0;
}

static int number(const char *key, const char *value, void *at)
{
	*(uint64_t *)at = strtoull(value, NULL, 0);
	return 0;
}

static int parse(struct arguments *a, const char *given)
{
	static const char *const valid[] = { "kind",   "order", "check",   "flows", "mags",
					     "size",   "window", "seed",   "queues", "gre",
					     "packets", "steer", "turns", "interrupt", NULL };
	struct rte_kvargs *kv = rte_kvargs_parse(given, valid);

	if (kv == NULL)
		return -EINVAL;
	rte_kvargs_process(kv, "kind", text, a->kind);
	rte_kvargs_process(kv, "order", text, a->order);
	rte_kvargs_process(kv, "check", text, a->check);
	rte_kvargs_process(kv, "flows", number, &a->flows);
	rte_kvargs_process(kv, "mags", number, &a->mags);
	rte_kvargs_process(kv, "size", number, &a->size);
	rte_kvargs_process(kv, "window", number, &a->window);
	rte_kvargs_process(kv, "seed", number, &a->seed);
	rte_kvargs_process(kv, "queues", number, &a->queues);
	rte_kvargs_process(kv, "gre", number, &a->gre);
	rte_kvargs_process(kv, "packets", number, &a->packets);
	rte_kvargs_process(kv, "steer", number, &a->steer);
	rte_kvargs_process(kv, "turns", number, &a->turns);
	rte_kvargs_process(kv, "interrupt", number, &a->interrupt);
	rte_kvargs_free(kv);
	return 0;
}

static int check_named(const char *name)
{
	static const char *const names[] = {
		[CHECK_NONE] = "none", [CHECK_ORDER] = "order", [CHECK_ANY] = "any", [CHECK_SAME] = "same"
	};

	for (unsigned int i = 0; i < RTE_DIM(names); i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	return -EINVAL;
}

/* `down64`: to the node, IPv6 in a tunnel over IPv4. */
static int understand(struct settings *s, const struct arguments *a)
{
	size_t len = strlen(a->kind);
	int check = check_named(a->check);

	if (len < 3 || (strncmp(a->kind, "up", 2) != 0 && strncmp(a->kind, "down", 4) != 0) || check < 0 ||
	    a->size < 78 || a->size > FRAME_MAX - 64 || a->flows == 0 || a->mags == 0 || a->queues == 0 ||
	    a->queues > QUEUES)
		return -EINVAL;
	s->scene = (struct scene){
		.uplink = a->kind[0] == 'u',
		.inner_ipv4 = a->kind[len - 2] == '4',
		.outer_ipv4 = a->kind[len - 1] == '4',
		.gre = a->gre,
		.size = a->size,
		.mags = a->mags,
	};
	s->check = check;
	s->flows = a->flows;
	s->seed = a->seed;
	s->random = a->order[0] == 'r';
	s->packets = a->packets;
	s->window = a->window;
	s->turns = a->turns;
	s->interrupt = a->interrupt;
	s->queues = a->queues;
	s->can_steer = a->steer;
	frame_input(&s->input, &s->scene);
	if (check == CHECK_SAME)
		frame_same(&s->output, &s->scene);
	else
		frame_output(&s->output, &s->scene);
	return 0;
}

static int probe(struct rte_vdev_device *vdev)
{
	struct arguments a = { .kind = "down66", .order = "random", .check = "order",
			       .flows = 1,	 .mags = 1000,	    .size = 78,
			       .window = 1 << 16, .seed = 42,	    .queues = 1 };
	struct rte_eth_dev *dev;
	int ret = parse(&a, rte_vdev_device_args(vdev));

	if (ret != 0)
		return ret;
	dev = rte_eth_vdev_allocate(vdev, sizeof(struct pgen));
	if (dev == NULL)
		return -ENOMEM;
	struct pgen *g = dev->data->dev_private;
	g->mac = (struct rte_ether_addr){ { 2, 0, 0, 0, 0, 1 } };
	ret = understand(&g->settings, &a);
	for (uint32_t i = 0; i < a.queues && ret == 0; i++) {
		g->queues[i].settings = &g->settings;
		ret = sequence_make(&g->queues[i], i);
	}
	if (ret != 0) {
		rte_eth_dev_release_port(dev);
		return ret;
	}
	dev->data->dev_link = (struct rte_eth_link){ .link_speed = RTE_ETH_SPEED_NUM_100G,
						     .link_duplex = RTE_ETH_LINK_FULL_DUPLEX,
						     .link_status = RTE_ETH_LINK_UP };
	dev->data->mac_addrs = &g->mac;
	dev->data->promiscuous = 1;
	dev->dev_ops = &ops;
	dev->rx_pkt_burst = queue_receive;
	dev->tx_pkt_burst = queue_send;
	rte_eth_dev_probing_finish(dev);
	return 0;
}

static int remove_device(struct rte_vdev_device *vdev)
{
	struct rte_eth_dev *dev = rte_eth_dev_allocated(rte_vdev_device_name(vdev));

	if (dev == NULL)
		return 0;
	dev_close(dev);
	return rte_eth_dev_release_port(dev);
}

static struct rte_vdev_driver driver = { .probe = probe, .remove = remove_device };
RTE_PMD_REGISTER_VDEV(net_pgen, driver);
RTE_PMD_REGISTER_PARAM_STRING(net_pgen, "kind=(down|up)(6|4)(6|4) order=random|turn check=order|any|same|none"
					" flows=<n> mags=<n> size=<bytes> window=<packets> seed=<n>"
					" queues=<n> gre=0|1 packets=<n> steer=0|1 turns=0|1"
					" interrupt=<windows>");
