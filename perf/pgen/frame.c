/* See frame.h. Every header is written by hand, from the RFCs' layouts: nothing is shared with the
 * programs that are measured.
 *
 *   node 2001:db8:x:y::1  -- gateway fd01:0:0:a::m ==tunnel== anchor fd01::1   -- host 2600::1
 *   node 10.x.y.z         -- gateway 172.16.x.y    ==tunnel== anchor 192.0.2.1 -- host 203.0.113.9
 *
 * The one port of the program has both sides behind one router.
 */
#include <string.h>

#include "frame.h"

enum { ETHER = 14, IPV6 = 40, IPV4 = 20, UDP = 8 };

static const uint8_t port_mac[6] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t router_mac[6] = { 2, 0, 0, 0, 0, 0xa };
static const uint8_t anchor6[16] = { 0xfd, 1, [15] = 1 };
static const uint8_t mag6[16] = { 0xfd, 1, [7] = 0xa };
static const uint8_t node6[16] = { 0x20, 1, 0x0d, 0xb8, [15] = 1 };
static const uint8_t host6[16] = { 0x26, 0, [15] = 1 };
static const uint8_t anchor4[4] = { 192, 0, 2, 1 };
static const uint8_t mag4[4] = { 172, 16, 0, 0 };
static const uint8_t node4[4] = { 10, 0, 0, 0 };
static const uint8_t host4[4] = { 203, 0, 113, 9 };

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value & 0xff;
}

static void ipv6(uint8_t *at, uint16_t payload, uint8_t next, uint8_t hops, const uint8_t *src,
		 const uint8_t *dst)
{
	at[0] = 0x60;
	put16(at + 4, payload);
	at[6] = next;
	at[7] = hops;
	memcpy(at + 8, src, 16);
	memcpy(at + 24, dst, 16);
}

/* Returns the header's sum without the four bytes at `hole`. */
static uint32_t ipv4(uint8_t *at, uint16_t len, uint8_t protocol, uint8_t ttl, const uint8_t *src,
		     const uint8_t *dst, int hole)
{
	uint32_t sum = 0;

	at[0] = 0x45;
	put16(at + 2, len);
	at[8] = ttl;
	at[9] = protocol;
	memcpy(at + 12, src, 4);
	memcpy(at + 16, dst, 4);
	for (int i = 0; i < IPV4; i += 2)
		if (i < hole || i >= hole + 4)
			sum += at[i] << 8 | at[i + 1];
	return sum;
}

/* The packet between node and host, `hops` to go. */
static void inner(struct frame *f, const struct scene *s, uint16_t at, uint8_t hops)
{
	uint16_t len = s->size - ETHER, header = s->inner_ipv4 ? IPV4 : IPV6;
	uint8_t *d = f->bytes + at;

	f->node_ipv4 = s->inner_ipv4;
	if (s->inner_ipv4) {
		int hole = s->uplink ? 12 : 16;
		f->node_at = at + hole;
		f->inner_sum_at = at + 10;
		f->inner_sum = s->uplink ? ipv4(d, len, 17, hops, node4, host4, hole) :
					   ipv4(d, len, 17, hops, host4, node4, hole);
	} else if (s->uplink) {
		f->node_at = at + 8;
		ipv6(d, len - IPV6, 17, hops, node6, host6);
	} else {
		f->node_at = at + 24;
		ipv6(d, len - IPV6, 17, hops, host6, node6);
	}
	d += header;
	put16(d, 1234);
	put16(d + 2, 4321);
	put16(d + 4, len - header);
	put16(d + 6, 0xbeef);
	memset(d + UDP, 0xa5, len - header - UDP);
	f->len = at + len;
}

static void ether(struct frame *f, bool in, bool ipv4)
{
	memcpy(f->bytes, in ? port_mac : router_mac, 6);
	memcpy(f->bytes + 6, in ? router_mac : port_mac, 6);
	put16(f->bytes + 12, ipv4 ? 0x0800 : 0x86dd);
}

/* Ethernet and tunnel headers; returns where the inner packet begins. */
static uint16_t tunnel(struct frame *f, const struct scene *s, bool in)
{
	uint16_t gre = s->gre ? 8 : 0, len = s->size - ETHER + gre, at = ETHER;
	uint8_t protocol = s->gre ? 47 : s->inner_ipv4 ? 4 : 41;
	uint8_t *d = f->bytes + ETHER;

	ether(f, in, s->outer_ipv4);
	if (s->outer_ipv4) {
		int hole = in ? 12 : 16;
		f->mag_at = at + hole;
		f->outer_sum_at = at + 10;
		f->outer_sum = in ? ipv4(d, len + IPV4, protocol, 64, mag4, anchor4, hole) :
				    ipv4(d, len + IPV4, protocol, 64, anchor4, mag4, hole);
		at += IPV4;
	} else {
		f->mag_at = at + (in ? 20 : 36);
		if (in)
			ipv6(d, len, protocol, 64, mag6, anchor6);
		else
			ipv6(d, len, protocol, 64, anchor6, mag6);
		at += IPV6;
	}
	if (s->gre) {
		put16(f->bytes + at, 0x2000);
		put16(f->bytes + at + 2, s->inner_ipv4 ? 0x0800 : 0x86dd);
		f->key_at = at + 4;
		at += gre;
	}
	return at;
}

void frame_input(struct frame *f, const struct scene *s)
{
	memset(f, 0, sizeof(*f));
	if (s->uplink) {
		inner(f, s, tunnel(f, s, true), 64);
	} else {
		ether(f, true, s->inner_ipv4);
		inner(f, s, ETHER, 64);
	}
}

/* The hop limit of the packet is one less. Of the tunnel header the flow label of IPv6 is free, and
 * of IPv4 the identification, with the checksum that covers it (pgen.c checks that by itself). */
void frame_output(struct frame *f, const struct scene *s)
{
	memset(f, 0, sizeof(*f));
	memset(f->mask, 0xff, sizeof(f->mask));
	if (s->uplink) {
		ether(f, false, s->inner_ipv4);
		inner(f, s, ETHER, 63);
		return;
	}
	inner(f, s, tunnel(f, s, false), 63);
	if (s->outer_ipv4) {
		memset(f->mask + ETHER + 4, 0, 2);
		memset(f->mask + ETHER + 10, 0, 2);
	} else {
		f->mask[ETHER + 1] = 0xf0;
		memset(f->mask + ETHER + 2, 0, 2);
	}
}

void frame_same(struct frame *f, const struct scene *s)
{
	frame_input(f, s);
	memset(f->mask, 0xff, sizeof(f->mask));
	memset(f->mask, 0, 12);
	f->mask[ETHER + (f->bytes[ETHER] >> 4 == 4 ? 8 : 7)] = 0;
}
