/* The frames of the generator: what goes in and what must come out, for every flow. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { FRAME_MAX = 1600 };

/* Which way packets go, and through what. */
struct scene {
	bool uplink;
	bool inner_ipv4;
	bool outer_ipv4;
	bool gre; /* with the flow's number, plus GRE_KEY, as its key */
	uint16_t size; /* bytes of a frame without tunnel, Ethernet header included */
	uint32_t mags; /* flow i is at gateway i modulo this */
};

/* A frame with holes: what differs between flows. Offsets are zero where there is no such hole. */
struct frame {
	uint8_t bytes[FRAME_MAX] __attribute__((aligned(64)));
	uint8_t mask[FRAME_MAX]; /* bits that a checked frame must have right */
	uint16_t len;
	uint16_t node_at; /* the node's prefix (8 bytes), or its IPv4 address */
	uint16_t mag_at; /* the last four bytes of the gateway's address */
	uint16_t key_at;
	uint16_t inner_sum_at; /* checksums of IPv4 headers */
	uint16_t outer_sum_at;
	uint32_t inner_sum; /* of the header without its hole, not folded */
	uint32_t outer_sum;
	bool node_ipv4;
};

enum { GRE_KEY = 0x1000 };

/* Prefix and address of flow 0's node. */
#define NODE6 UINT64_C(0x20010db800000000)
#define NODE4 UINT32_C(0x0a000000)

/* What a program receives. */
void frame_input(struct frame *f, const struct scene *s);
/* What it must send. */
void frame_output(struct frame *f, const struct scene *s);
/* What it must send if it makes no tunnel: the same, to and from whatever Ethernet address. */
void frame_same(struct frame *f, const struct scene *s);

static inline uint16_t frame_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return __builtin_bswap16((uint16_t)~sum);
}

static inline uint32_t frame_halves(uint32_t word)
{
	return (word >> 16) + (word & 0xffff);
}

/* Fills the holes of `d`, a copy of the frame's bytes, for flow `i`. */
static inline void frame_fill(const struct frame *f, uint8_t *d, uint32_t i, uint32_t mag)
{
	if (f->node_ipv4) {
		uint32_t node = NODE4 + i;
		*(uint32_t *)(d + f->node_at) = __builtin_bswap32(node);
		*(uint16_t *)(d + f->inner_sum_at) = frame_fold(f->inner_sum + frame_halves(node));
	} else {
		*(uint64_t *)(d + f->node_at) = __builtin_bswap64(NODE6 + i);
	}
	if (f->mag_at == 0)
		return;
	uint32_t low = f->outer_sum_at ? 0xac100000 + mag : mag;
	*(uint32_t *)(d + f->mag_at) = __builtin_bswap32(low);
	if (f->outer_sum_at)
		*(uint16_t *)(d + f->outer_sum_at) = frame_fold(f->outer_sum + frame_halves(low));
	if (f->key_at)
		*(uint32_t *)(d + f->key_at) = __builtin_bswap32(GRE_KEY + i);
}

/* Whose frame it is, if it is right: what was filled in. */
static inline uint32_t frame_flow(const struct frame *f, const uint8_t *d)
{
	if (f->node_ipv4)
		return __builtin_bswap32(*(const uint32_t *)(d + f->node_at)) - NODE4;
	return (uint32_t)(__builtin_bswap64(*(const uint64_t *)(d + f->node_at)) - NODE6);
}

/* For sums that tell one set of flows from another. */
static inline uint64_t frame_mix(uint32_t flow)
{
	uint64_t mixed = (flow + 1) * 0x9e3779b97f4a7c15;

	return mixed ^ mixed >> 32;
}
