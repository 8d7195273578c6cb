/* floor: the least work that an anchor's forwarding can be, for programs to be compared with.
 *
 *   down: hash the destination's prefix, look up, count, prepend 54 prepared bytes
 *   up:   the same for the inner source, compare the outer source with the binding's, count, strip
 *
 * It looks at nothing else: no EtherType, no length, no option, no route, no other length of prefix,
 * no error, no statistics. Prefixes are keyed by 32 bits in buckets of a cache line, the best table
 * that was found for consecutive prefixes of one pool; counters (-c) are an array by binding.
 *
 *   floor EAL arguments -- [-u] [-c] [-n bindings] [-m gateways] [-t milliseconds]
 */
#include <getopt.h>
#include <immintrin.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

enum { BURST = 64, ETHER = 14, IPV6 = 40 };

#define PREFIX 0x20010db800000000 /* of flow 0, see frame.c */

/* Ethernet and outer header of a gateway. */
struct gateway {
	uint8_t head[64];
} __rte_aligned(64);

/* Up to eight prefixes; the top bit of the last value: look into the next one, too. */
struct bucket {
	uint32_t keys[8], values[8];
} __rte_aligned(64);

#define MORE 0x80000000u

struct counter {
	uint64_t packets, bytes;
};

static struct gateway *gateways;
static struct bucket *buckets;
static struct counter *counters;
static uint32_t mask;
static uint64_t bindings = 1000, mags = 1000, milliseconds = 1000;

static inline uint32_t hash(uint64_t key)
{
	unsigned __int128 product =
		(unsigned __int128)(key ^ 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9;

	return (uint32_t)(((uint64_t)product ^ (uint64_t)(product >> 64)) >> 16);
}

static void insert(uint64_t prefix, uint32_t value)
{
	uint32_t key = (uint32_t)prefix + 1;

	for (uint32_t at = hash(prefix) & mask;; at = (at + 1) & mask) {
		struct bucket *b = &buckets[at];
		for (int i = 0; i < 8; i++)
			if (b->keys[i] == 0) {
				b->keys[i] = key;
				b->values[i] |= value;
				return;
			}
		b->values[7] |= MORE;
	}
}

static inline int64_t lookup(uint64_t prefix, uint32_t at)
{
	__m256i key = _mm256_set1_epi32((uint32_t)prefix + 1);

	if (prefix >> 32 != PREFIX >> 32)
		return -1;
	for (;; at++) {
		const struct bucket *b = &buckets[at & mask];
		__m256i equal = _mm256_cmpeq_epi32(_mm256_load_si256((const __m256i *)b->keys), key);
		unsigned int found = _mm256_movemask_ps(_mm256_castsi256_ps(equal));
		if (likely(found))
			return b->values[__builtin_ctz(found)] & ~MORE;
		if (!(b->values[7] & MORE))
			return -1;
	}
}

static inline bool encapsulate(struct rte_mbuf *m, const uint8_t *head)
{
	uint8_t *d = rte_pktmbuf_mtod(m, uint8_t *), *out = d - IPV6;

	if (unlikely(d[ETHER + 7] <= 1))
		return false;
	d[ETHER + 7]--;
	uint16_t payload = m->pkt_len - ETHER;
	uint32_t traffic_class = *(uint32_t *)(d + ETHER) & 0x0000f00f;
	m->data_off -= IPV6;
	m->data_len += IPV6;
	m->pkt_len += IPV6;
	__m256i first = _mm256_load_si256((const __m256i *)head);
	__m256i last = _mm256_loadu_si256((const __m256i *)(head + 22));
	_mm256_storeu_si256((__m256i *)out, first);
	_mm256_storeu_si256((__m256i *)(out + 22), last);
	*(uint16_t *)(out + ETHER + 4) = __builtin_bswap16(payload);
	*(uint32_t *)(out + ETHER) = traffic_class | 0x60;
	return true;
}

static inline bool decapsulate(struct rte_mbuf *m, const uint8_t *head)
{
	uint8_t *d = rte_pktmbuf_mtod(m, uint8_t *), *out = d + IPV6;
	__m128i source = _mm_loadu_si128((const __m128i *)(d + ETHER + 8));
	__m128i other = _mm_xor_si128(source, _mm_loadu_si128((const __m128i *)(head + ETHER + 24)));

	if (unlikely(!_mm_testz_si128(other, other)) || unlikely(d[ETHER + IPV6 + 7] <= 1))
		return false;
	d[ETHER + IPV6 + 7]--;
	m->data_off += IPV6;
	m->data_len -= IPV6;
	m->pkt_len -= IPV6;
	memcpy(out, head, ETHER);
	return true;
}

static inline __attribute__((always_inline)) void run(const bool up, const bool count)
{
	const int key_at = ETHER + (up ? IPV6 + 8 : 24);
	uint64_t end = rte_rdtsc() + milliseconds * rte_get_tsc_hz() / 1000;
	struct rte_mbuf *mbufs[BURST];
	uint64_t key[BURST];
	uint32_t at[BURST];
	int64_t found[BURST];

	while (rte_rdtsc() < end) {
		uint16_t n = rte_eth_rx_burst(0, 0, mbufs, BURST), out = 0;
		for (uint16_t i = 0; i < n; i++)
			rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
		for (uint16_t i = 0; i < n; i++) {
			key[i] = __builtin_bswap64(
				*rte_pktmbuf_mtod_offset(mbufs[i], uint64_t *, key_at));
			at[i] = hash(key[i]) & mask;
			rte_prefetch0(&buckets[at[i]]);
		}
		for (uint16_t i = 0; i < n; i++)
			found[i] = lookup(key[i], at[i]);
		for (uint16_t i = 0; i < n; i++)
			rte_prefetch0(&gateways[found[i] < 0 ? 0 : found[i]]);
		for (uint16_t i = 0; count && i < n; i++)
			rte_prefetch0(&counters[found[i] < 0 ? 0 : key[i] - PREFIX]);
		for (uint16_t i = 0; i < n; i++) {
			struct rte_mbuf *m = mbufs[i];
			const uint8_t *head = gateways[found[i] < 0 ? 0 : found[i]].head;
			if (unlikely(found[i] < 0) ||
			    unlikely(!(up ? decapsulate(m, head) : encapsulate(m, head)))) {
				rte_pktmbuf_free(m);
				continue;
			}
			if (count) {
				counters[key[i] - PREFIX].packets++;
				counters[key[i] - PREFIX].bytes += m->pkt_len;
			}
			mbufs[out++] = m;
		}
		uint16_t sent = rte_eth_tx_burst(0, 0, mbufs, out);
		while (unlikely(sent < out))
			rte_pktmbuf_free(mbufs[sent++]);
	}
}

static int make_tables(void)
{
	static const uint8_t head[] = { 2, 0, 0, 0, 0, 0xa, 2, 0, 0, 0, 0, 1, 0x86, 0xdd,
					0x60, 0, 0, 0, 0, 0, 41, 64, 0xfd, 1, [37] = 1, [38] = 0xfd,
					[39] = 1, [45] = 0xa, [53] = 0 };
	uint32_t n = 16;

	while (n * 6ull < bindings)
		n *= 2;
	mask = n - 1;
	gateways = rte_zmalloc(NULL, mags * sizeof(*gateways), 64);
	buckets = rte_zmalloc(NULL, n * sizeof(*buckets), 64);
	counters = rte_zmalloc(NULL, bindings * sizeof(*counters), 64);
	if (gateways == NULL || buckets == NULL || counters == NULL)
		return -1;
	for (uint64_t i = 0; i < mags; i++) {
		memcpy(gateways[i].head, head, sizeof(head));
		*(uint32_t *)(gateways[i].head + ETHER + 36) = __builtin_bswap32(i);
	}
	for (uint64_t i = 0; i < bindings; i++)
		insert(PREFIX + i, i % mags);
	return 0;
}

int main(int argc, char **argv)
{
	bool up = false, count = false;
	int option, parsed = rte_eal_init(argc, argv);

	if (parsed < 0)
		return 1;
	argc -= parsed;
	argv += parsed;
	while ((option = getopt(argc, argv, "ucn:m:t:")) != -1)
		switch (option) {
		case 'u': up = true; break;
		case 'c': count = true; break;
		case 'n': bindings = strtoull(optarg, NULL, 10); break;
		case 'm': mags = strtoull(optarg, NULL, 10); break;
		case 't': milliseconds = strtoull(optarg, NULL, 10); break;
		default: return 1;
		}
	struct rte_mempool *pool = rte_pktmbuf_pool_create("pool", 16383, 256, 0, 2176, -1);
	struct rte_eth_conf conf = { 0 };
	if (pool == NULL || make_tables() != 0) {
		fprintf(stderr, "floor: not enough memory\n");
		return 1;
	}
	if (rte_eth_dev_configure(0, 1, 1, &conf) != 0 ||
	    rte_eth_rx_queue_setup(0, 0, 1024, 0, NULL, pool) != 0 ||
	    rte_eth_tx_queue_setup(0, 0, 1024, 0, NULL) != 0 || rte_eth_dev_start(0) != 0) {
		fprintf(stderr, "floor: no port\n");
		return 1;
	}
	if (up && count)
		run(true, true);
	else if (up)
		run(true, false);
	else if (count)
		run(false, true);
	else
		run(false, false);
	rte_eth_dev_stop(0);
	rte_eth_dev_close(0);
	return 0;
}
