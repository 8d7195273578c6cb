/* What a queue does: it gives frames, takes frames and compares them, and knows what that costs. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_mbuf.h>

#include "pgen.h"

enum { PAD = 64 };

static void end_window(struct queue *q, uint64_t now)
{
	uint64_t packets = q->received - q->window.packets;
	uint64_t rx = q->rx_cycles - q->window.rx, tx = q->tx_cycles - q->window.tx;

	if (q->windows < WINDOWS) {
		q->app[q->windows] = (double)(now - q->window.start - rx - tx) / packets;
		q->rx[q->windows] = (double)rx / packets;
		q->tx[q->windows] = (double)tx / packets;
		q->windows++;
		if (q->windows == q->settings->interrupt)
			kill(getpid(), SIGINT);
	}
	q->window = (struct window){ rte_rdtsc(), q->received, q->rx_cycles, q->tx_cycles };
}

/* Eight bins for each power of two. */
static uint32_t bin_of(uint64_t cycles)
{
	uint32_t octave = cycles < 8 ? 3 : 63 - __builtin_clzll(cycles);

	return RTE_MIN((octave - 3) * 8 + (uint32_t)(cycles >> (octave - 3)), TURN_BINS - 1u);
}

static uint64_t bin_least(uint32_t bin)
{
	return bin < 16 ? bin : (uint64_t)(8 + bin % 8) << (bin / 8 - 1);
}

/* The program has had a burst for some time and asks for the next one. The first window warms up. */
static void end_turn(struct queue *q, uint64_t now)
{
	uint64_t cycles = now - q->turn_start - (q->tx_cycles - q->turn_tx);

	if (q->turn_start == 0 || q->windows == 0)
		return;
	q->turns[bin_of(cycles)]++;
	q->turn_greatest = RTE_MAX(q->turn_greatest, cycles);
}

uint16_t queue_receive(void *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct queue *q = queue;
	const struct settings *s = q->settings;
	const struct frame *f = &s->input;
	uint64_t start = rte_rdtsc();

	if (unlikely(q->received == 0))
		q->window.start = start;
	end_turn(q, start);
	if (s->packets != 0)
		n = RTE_MIN(n, s->packets - q->received);
	if (unlikely(n == 0) || unlikely(rte_pktmbuf_alloc_bulk(q->pool, mbufs, n) != 0))
		n = 0;
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = mbufs[i];
		uint8_t *d = rte_pktmbuf_mtod(m, uint8_t *);
		uint32_t flow = q->sequence[(q->received + i) & (SEQUENCE - 1)];

		m->data_len = f->len;
		m->pkt_len = f->len;
		m->port = s->port;
		memcpy(d, f->bytes, f->len);
		frame_fill(f, d, flow, flow % s->scene.mags);
		q->flows_in += frame_mix(flow);
	}
	q->received += n;
	uint64_t now = rte_rdtsc();
	q->rx_cycles += now - start;
	if (unlikely(q->received - q->window.packets >= s->window))
		end_window(q, now);
	q->turn_start = n > 0 ? rte_rdtsc() : 0;
	q->turn_tx = q->tx_cycles;
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

static bool is_right(const struct settings *s, const struct rte_mbuf *m, uint32_t flow)
{
	const uint8_t *d = rte_pktmbuf_mtod(m, const uint8_t *);
	const struct frame *f = &s->output;
	uint8_t want[FRAME_MAX + PAD];
	uint8_t difference = 0;

	if (m->pkt_len != f->len || m->nb_segs != 1 || flow >= s->flows)
		return false;
	memcpy(want, f->bytes, f->len);
	frame_fill(f, want, flow, flow % s->scene.mags);
	for (uint16_t i = 0; i < f->len; i++)
		difference |= (d[i] ^ want[i]) & f->mask[i];
	return difference == 0 && (f->outer_sum_at == 0 || ipv4_sum_holds(d + 14));
}

uint16_t queue_send(void *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct queue *q = queue;
	const struct settings *s = q->settings;
	uint64_t start = rte_rdtsc();

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = mbufs[i];
		uint32_t flow = q->sequence[(q->sent + i) & (SEQUENCE - 1)];

		if (s->check == CHECK_ANY)
			flow = frame_flow(&s->output, rte_pktmbuf_mtod(m, const uint8_t *));
		q->bytes += m->pkt_len;
		q->flows_out += frame_mix(flow);
		if (s->check != CHECK_NONE && !is_right(s, m, flow))
			q->wrong++;
	}
	rte_pktmbuf_free_bulk(mbufs, n);
	q->sent += n;
	q->tx_cycles += rte_rdtsc() - start;
	return n;
}

void queue_reset(struct queue *q)
{
	struct queue empty = { .settings = q->settings, .pool = q->pool, .sequence = q->sequence };

	*q = empty;
}

static int by_size(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void report_turns(const struct queue *q, int number)
{
	printf("pgen-turns: queue=%d greatest=%" PRIu64, number, q->turn_greatest);
	for (uint32_t bin = 0; bin < TURN_BINS; bin++)
		if (q->turns[bin] > 0)
			printf(" %" PRIu64 "=%" PRIu64, bin_least(bin), q->turns[bin]);
	printf("\n");
}

void queue_report(struct queue *q, int number)
{
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
	if (q->settings->turns)
		report_turns(q, number);
	fflush(stdout);
}
