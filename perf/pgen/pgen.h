/* What the parts of the generator share: a device's settings, and a queue's counts. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mempool.h>

#include "frame.h"

enum {
	QUEUES = 4,
	SEQUENCE = 1 << 22, /* flows, over and over */
	WINDOWS = 4096,
	TURN_BINS = 320,
	RETA = 128,
	RSS_KEY = 40,
};

/* What is asked of a frame that the program sends. */
enum check {
	CHECK_NONE,
	CHECK_ORDER, /* what must come of the frames received on this queue, in their order */
	CHECK_ANY, /* what must come of any frame, each once: the program may change queues */
	CHECK_SAME, /* the frames as received, but for Ethernet addresses and the hop limit */
};

struct window {
	uint64_t start, packets, rx, tx;
};

/* A receive and a transmit queue, used by one thread. */
struct queue {
	const struct settings *settings;
	struct rte_mempool *pool;
	uint32_t *sequence; /* of flows */
	uint64_t received, sent, bytes, wrong;
	uint64_t flows_in, flows_out; /* sums over the flows of frames, mixed */
	uint64_t rx_cycles, tx_cycles;
	uint64_t turn_start, turn_tx; /* of the program, since it was given a burst */
	uint64_t turn_greatest;
	struct window window;
	uint32_t windows;
	float app[WINDOWS], rx[WINDOWS], tx[WINDOWS];
	uint64_t turns[TURN_BINS];
} __rte_cache_aligned;

struct settings {
	struct scene scene;
	struct frame input, output;
	enum check check;
	uint64_t flows;
	uint64_t seed;
	bool random; /* or flow after flow */
	uint64_t packets; /* a queue, then no more; zero: no end */
	uint64_t window;
	bool turns; /* are reported */
	uint32_t interrupt; /* the program by SIGINT after so many windows; zero: never */
	uint16_t port;
	uint16_t queues;
	/* Whether it steers: what a receive queue gets is given by the hash that the program asked for. */
	bool can_steer, steers;
	uint8_t key[RSS_KEY];
	uint16_t reta[RETA];
};

/* queue.c: the program's calls, and what is told in the end. */
uint16_t queue_receive(void *queue, struct rte_mbuf **mbufs, uint16_t n);
uint16_t queue_send(void *queue, struct rte_mbuf **mbufs, uint16_t n);
void queue_reset(struct queue *q);
void queue_report(struct queue *q, int number);

/* sequence.c: which flows a queue gets. */
int sequence_make(struct queue *q, uint32_t number);
