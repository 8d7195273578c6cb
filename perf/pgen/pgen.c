/* net_pgen: a device that makes packets and takes them, and knows what that costs.
 *
 *   rx: frames of a seeded sequence of flows, in the program's own buffers
 *   tx: every frame compared with what must come out, counted, freed
 *
 *   cycles of the program per packet = (elapsed - rx - tx) / packets
 *
 * in windows of some packets; the middle window is the figure. Any DPDK program can be measured that
 * sends in the order in which it received:
 *
 *   -d librte_net_pgen.so --vdev net_pgen0,kind=down66,flows=1000000
 *
 * The result is one line on standard output when the port is stopped, one for each queue:
 *
 *   pgen: queue=0 app=41.3 least=40.8 greatest=57.0 rx=33.1 tx=40.2 windows=152 received=9961472
 *         sent=9961472 bytes=1175453696 wrong=0
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_kvargs.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include <bus_vdev_driver.h>
#include <ethdev_driver.h>
#include <ethdev_vdev.h>

#include "frame.h"

enum { SEQUENCE = 1 << 22, WINDOWS = 4096, QUEUES = 4, PAD = 64 };

struct window {
	uint64_t start, packets, rx, tx;
};

/* A receive and a transmit queue, used by one thread. */
struct queue {
	struct pgen *pgen;
	struct rte_mempool *pool;
	uint32_t *sequence; /* of flows */
	uint64_t received, sent, bytes, wrong;
	uint64_t rx_cycles, tx_cycles;
	struct window window;
	uint32_t windows;
	float app[WINDOWS], rx[WINDOWS], tx[WINDOWS];
} __rte_cache_aligned;

struct pgen {
	struct scene scene;
	struct frame input, output;
	bool check;
	uint16_t port;
	uint16_t used; /* queues */
	uint64_t window;
	struct rte_ether_addr mac;
	struct queue queues[QUEUES];
};

static void end_window(struct queue *q, uint64_t now)
{
	uint64_t packets = q->received - q->window.packets;
	uint64_t rx = q->rx_cycles - q->window.rx, tx = q->tx_cycles - q->window.tx;

	if (q->windows < WINDOWS) {
		q->app[q->windows] = (double)(now - q->window.start - rx - tx) / packets;
		q->rx[q->windows] = (double)rx / packets;
		q->tx[q->windows] = (double)tx / packets;
		q->windows++;
	}
	q->window = (struct window){ rte_rdtsc(), q->received, q->rx_cycles, q->tx_cycles };
}

static uint16_t rx_burst(void *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct queue *q = queue;
	const struct pgen *g = q->pgen;
	const struct frame *f = &g->input;
	uint64_t start = rte_rdtsc();

	if (unlikely(q->received == 0))
		q->window.start = start;
	if (unlikely(rte_pktmbuf_alloc_bulk(q->pool, mbufs, n) != 0))
		n = 0;
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = mbufs[i];
		uint8_t *d = rte_pktmbuf_mtod(m, uint8_t *);
		uint32_t flow = q->sequence[(q->received + i) & (SEQUENCE - 1)];

		m->data_len = f->len;
		m->pkt_len = f->len;
		m->port = g->port;
		memcpy(d, f->bytes, f->len);
		frame_fill(f, d, flow, flow % g->scene.mags);
	}
	q->received += n;
	uint64_t now = rte_rdtsc();
	q->rx_cycles += now - start;
	if (unlikely(q->received - q->window.packets >= g->window))
		end_window(q, now);
	return n;
}

/* The header's sum over itself is zero. */
static bool ipv4_sum_holds(const uint8_t *header)
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += header[i] << 8 | header[i + 1];
	return frame_fold(sum) == 0;
}

static bool is_right(const struct frame *f, const uint8_t *d, uint32_t flow, uint32_t mag)
{
	uint8_t want[FRAME_MAX + PAD];
	uint8_t difference = 0;

	memcpy(want, f->bytes, f->len);
	frame_fill(f, want, flow, mag);
	for (uint16_t i = 0; i < f->len; i++)
		difference |= (d[i] ^ want[i]) & f->mask[i];
	return difference == 0 && (f->outer_sum_at == 0 || ipv4_sum_holds(d + 14));
}

static uint16_t tx_burst(void *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct queue *q = queue;
	const struct pgen *g = q->pgen;
	const struct frame *f = &g->output;
	uint64_t start = rte_rdtsc();

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = mbufs[i];
		uint32_t flow = q->sequence[(q->sent + i) & (SEQUENCE - 1)];

		q->bytes += m->pkt_len;
		if (g->check && (m->pkt_len != f->len || m->nb_segs != 1 ||
				 !is_right(f, rte_pktmbuf_mtod(m, uint8_t *), flow, flow % g->scene.mags)))
			q->wrong++;
	}
	rte_pktmbuf_free_bulk(mbufs, n);
	q->sent += n;
	q->tx_cycles += rte_rdtsc() - start;
	return n;
}

static int by_size(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void report(struct pgen *g, int number)
{
	struct queue *q = &g->queues[number];
	/* The first window warms up. */
	uint32_t n = q->windows > 1 ? q->windows - 1 : 0;

	if (q->received == 0)
		return;
	qsort(q->app + 1, n, sizeof(float), by_size);
	qsort(q->rx + 1, n, sizeof(float), by_size);
	qsort(q->tx + 1, n, sizeof(float), by_size);
	printf("pgen: queue=%d app=%.2f least=%.2f greatest=%.2f rx=%.2f tx=%.2f windows=%u"
	       " received=%" PRIu64 " sent=%" PRIu64 " bytes=%" PRIu64 " wrong=%" PRIu64 "\n",
	       number, n ? q->app[1 + n / 2] : 0, n ? q->app[1] : 0, n ? q->app[n] : 0,
	       n ? q->rx[1 + n / 2] : 0, n ? q->tx[1 + n / 2] : 0, n, q->received, q->sent, q->bytes,
	       q->wrong);
	fflush(stdout);
}

static int dev_start(struct rte_eth_dev *dev)
{
	struct pgen *g = dev->data->dev_private;

	for (int i = 0; i < QUEUES; i++) {
		struct queue *q = &g->queues[i];
		q->received = q->sent = q->bytes = q->wrong = 0;
		q->rx_cycles = q->tx_cycles = q->windows = 0;
		q->window = (struct window){ 0 };
	}
	dev->data->dev_link.link_status = RTE_ETH_LINK_UP;
	return 0;
}

static int dev_stop(struct rte_eth_dev *dev)
{
	struct pgen *g = dev->data->dev_private;

	for (int i = 0; i < QUEUES; i++)
		report(g, i);
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
	info->max_rx_queues = g->used;
	info->max_tx_queues = g->used;
	/* What l3fwd asks for. */
	info->rx_offload_capa = RTE_ETH_RX_OFFLOAD_CHECKSUM;
	info->tx_offload_capa = RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
	info->flow_type_rss_offloads = RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP;
	return 0;
}

static int rx_queue_setup(struct rte_eth_dev *dev, uint16_t queue, uint16_t descriptors,
			  unsigned int socket, const struct rte_eth_rxconf *conf,
			  struct rte_mempool *pool)
{
	struct pgen *g = dev->data->dev_private;

	g->port = dev->data->port_id;
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
	.dev_configure = nothing,
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
	.dev_supported_ptypes_get = ptypes_get,
};

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Flow after flow, or each with the same chance. Queue i of n gets the flows i, i + n, ... */
static int make_sequence(struct queue *q, uint32_t number, uint32_t queues, uint32_t flows, bool random,
			 uint64_t seed)
{
	uint32_t own = RTE_MAX(flows / queues, 1u);

	q->sequence = rte_malloc(NULL, SEQUENCE * sizeof(uint32_t), RTE_CACHE_LINE_SIZE);
	if (q->sequence == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < SEQUENCE; i++)
		q->sequence[i] = (random ? splitmix(&seed) % own : i % own) * queues + number;
	return 0;
}

struct arguments {
	char kind[16], order[16];
	uint64_t flows, mags, size, window, seed, queues, gre, check;
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
	static const char *const valid[] = { "kind",   "order", "flows",  "mags", "size",
					     "window", "seed",	"queues", "gre",  "check", NULL };
	struct rte_kvargs *kv = rte_kvargs_parse(given, valid);

	if (kv == NULL)
		return -EINVAL;
	rte_kvargs_process(kv, "kind", text, a->kind);
	rte_kvargs_process(kv, "order", text, a->order);
	rte_kvargs_process(kv, "flows", number, &a->flows);
	rte_kvargs_process(kv, "mags", number, &a->mags);
	rte_kvargs_process(kv, "size", number, &a->size);
	rte_kvargs_process(kv, "window", number, &a->window);
	rte_kvargs_process(kv, "seed", number, &a->seed);
	rte_kvargs_process(kv, "queues", number, &a->queues);
	rte_kvargs_process(kv, "gre", number, &a->gre);
	rte_kvargs_process(kv, "check", number, &a->check);
	rte_kvargs_free(kv);
	return 0;
}

/* `down64`: to the node, IPv6 in a tunnel over IPv4. */
static int understand(struct scene *s, const struct arguments *a)
{
	size_t len = strlen(a->kind);

	if (len < 3 || (strncmp(a->kind, "up", 2) != 0 && strncmp(a->kind, "down", 4) != 0))
		return -EINVAL;
	*s = (struct scene){
		.uplink = a->kind[0] == 'u',
		.inner_ipv4 = a->kind[len - 2] == '4',
		.outer_ipv4 = a->kind[len - 1] == '4',
		.gre = a->gre,
		.size = a->size,
		.mags = a->mags,
	};
	return a->size < 78 || a->size > FRAME_MAX - 64 || a->flows == 0 || a->mags == 0 ||
			       a->queues == 0 || a->queues > QUEUES ?
		       -EINVAL :
		       0;
}

static int probe(struct rte_vdev_device *vdev)
{
	struct arguments a = { "down66", "random", 1, 1000, 78, 1 << 16, 42, 1, 0, 1 };
	struct scene scene;
	int ret = parse(&a, rte_vdev_device_args(vdev));

	if (ret == 0)
		ret = understand(&scene, &a);
	if (ret != 0)
		return ret;
	struct rte_eth_dev *dev = rte_eth_vdev_allocate(vdev, sizeof(struct pgen));
	if (dev == NULL)
		return -ENOMEM;
	struct pgen *g = dev->data->dev_private;
	g->scene = scene;
	g->check = a.check;
	g->window = a.window;
	g->used = a.queues;
	g->mac = (struct rte_ether_addr){ { 2, 0, 0, 0, 0, 1 } };
	frame_input(&g->input, &scene);
	frame_output(&g->output, &scene);
	for (uint32_t i = 0; i < a.queues; i++) {
		g->queues[i].pgen = g;
		if (make_sequence(&g->queues[i], i, a.queues, a.flows, a.order[0] == 'r', a.seed + i) != 0)
			return -ENOMEM;
	}
	dev->data->dev_link = (struct rte_eth_link){ .link_speed = RTE_ETH_SPEED_NUM_100G,
						     .link_duplex = RTE_ETH_LINK_FULL_DUPLEX,
						     .link_status = RTE_ETH_LINK_UP };
	dev->data->mac_addrs = &g->mac;
	dev->data->promiscuous = 1;
	dev->dev_ops = &ops;
	dev->rx_pkt_burst = rx_burst;
	dev->tx_pkt_burst = tx_burst;
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
RTE_PMD_REGISTER_PARAM_STRING(net_pgen, "kind=(down|up)(6|4)(6|4) order=random|turn flows=<n> mags=<n>"
					" size=<bytes> window=<packets> seed=<n> queues=<n> gre=0|1"
					" check=0|1");
