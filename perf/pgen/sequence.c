/* Which flows a queue gets, in which order: random, or one after the other.
 *
 * A device that steers gives a queue the flows that a NIC with receive side scaling would: those
 * whose Toeplitz hash, over addresses and ports of the IPv6 header that the program asked for, has
 * the queue in its slot of the redirection table. Any other gives every queue all flows.
 */
#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

#include "pgen.h"

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Both addresses of an IPv6 header and the ports behind it. */
enum { INPUT = 36 };

/* What each byte of the input contributes to the hash: the 32 bits of the key behind each of its
 * set bits. */
static void toeplitz_table(uint32_t table[INPUT][256], const uint8_t *key)
{
	for (int at = 0; at < INPUT; at++)
		for (int byte = 0; byte < 256; byte++) {
			table[at][byte] = 0;
			for (int bit = 0; bit < 8; bit++) {
				uint64_t window = 0;
				for (int i = 0; i < 5 && at + i < RSS_KEY; i++)
					window |= (uint64_t)key[at + i] << (32 - 8 * i);
				if (byte & 0x80 >> bit)
					table[at][byte] ^= (uint32_t)(window >> (8 - bit));
			}
		}
}

/* The queue that the hash gives a flow to: over the header that has the node's address. */
static uint16_t queue_of(const struct settings *s, uint32_t table[INPUT][256], uint32_t flow)
{
	const struct frame *f = &s->input;
	uint8_t frame[FRAME_MAX];
	uint32_t hash = 0;

	memcpy(frame, f->bytes, f->len);
	frame_fill(f, frame, flow, flow % s->scene.mags);
	const uint8_t *input = frame + f->node_at - (s->scene.uplink ? 0 : 16);
	for (int at = 0; at < INPUT; at++)
		hash ^= table[at][input[at]];
	return s->reta[hash % RETA];
}

int sequence_make(struct queue *q, uint32_t number)
{
	const struct settings *s = q->settings;
	static uint32_t table[INPUT][256];
	uint64_t seed = s->seed + number, tries = 0;

	toeplitz_table(table, s->key);
	if (q->sequence == NULL)
		q->sequence = rte_malloc(NULL, SEQUENCE * sizeof(uint32_t), RTE_CACHE_LINE_SIZE);
	if (q->sequence == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < SEQUENCE;) {
		uint32_t flow = (s->random ? splitmix(&seed) : tries) % s->flows;
		/* A queue may have none: then it gets what it would not. */
		bool own = !s->steers || queue_of(s, table, flow) == number || tries > 64ull * SEQUENCE;
		tries++;
		if (own)
			q->sequence[i++] = flow;
	}
	return 0;
}
