// SPDX-License-Identifier: Apache-2.0
//
// The relay in the kernel: RTP of an established bridge is rewritten and sent on before a socket is touched.
//
// Takes exactly what the user-space relay would pass on unchanged: a plain RTP packet (no CSRC, extension,
// padding) of the agreed voice payload type and the locked SSRC, from the locked address, in order within
// the window, on its timestamp's course. Everything else goes up to the leg's socket (XDP_PASS), where
// control is: keys, RTCP, strangers, fragments, options, expiring TTLs, jumps, and what comes before the
// way to the listener is known.
//
// The way to a peer (interface, VLAN tag, MAC addresses) is that of his own newest frame, turned round. So
// nothing here depends on `ip_forward`, as bpf_fib_lookup would, and a failed-over gateway is followed with
// its first frame.
//
// Built with: make bpf (the flags are in build.sh beside this file). Layouts are repeated in
// src/offload/layout.rs.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

// Sizes are set by the loader.
#define FLOWS_MAX 1
#define INTERFACES_MAX 64

// The same numbers as media::relay::incoming: RFC 3550 A.1's MAX_DROPOUT, the window of reordering, two
// seconds in timestamp units, the silence that counts as a gap.
#define DROPOUT_MAX 3000
#define WINDOW 64
#define JUMP 16000
#define GAP_NS 200000000ULL
// Nanoseconds of a timestamp unit at 8 kHz.
#define UNIT_NS 125000
// So many flows at most have the same port, each at another address. User space adds no more.
#define CHAIN_MAX 16

#define RTP_PLAIN 0x80
#define FRAGMENT_BITS 0x3fff
// The longest datagram whose checksum is summed anew; an Ethernet frame holds no longer one.
#define DATAGRAM_MAX 2048
#define CHUNK 64

// Where to look for the flow of a packet: the place of the newest flow whose leg has that port (host order); 0:
// there is none.
struct ports {
    __u32 first[1 << 16];
};

// One direction of a bridge. Written by user space only, and not while the program may come upon it. Flows of one
// port and several addresses are a chain.
struct flow {
    __u32 next;             // place of the next flow with the same port; 0: there is none
    __u8 version;           // of IP: 4 or 6; the other's addresses are zero
    __u8 payload_type_in;
    __u8 payload_type_out;
    __u8 traffic_class;
    __be32 at;              // our address, that the packets arrive at
    __be32 peer;            // whose packets these are
    __be32 from;            // our address towards the listener
    __be32 to;              // the listener
    __be32 ssrc_in;
    __be32 ssrc_out;
    __u32 timestamp_shift;
    __be16 peer_port;
    __be16 from_port;
    __be16 to_port;
    __u16 sequence_shift;
    __u16 sum_change;       // what all that is the same in every packet changes of the UDP checksum
    __u16 pseudo_in;        // sum of the pseudo header without the length, before and after
    __u16 pseudo_out;
    __u16 zero[7];
    // So far one cache line, with all that IPv4 needs.
    __be32 at_6[4];
    __be32 peer_6[4];
    __be32 from_6[4];
    __be32 to_6[4];
};

// How frames get to a peer: as his newest one came, turned round.
struct way {
    __u32 ifindex;          // 0: no frame was seen yet
    __be16 tag_type;        // 0: untagged
    __be16 tag;
    __u8 peer_mac[ETH_ALEN];
    __u8 our_mac[ETH_ALEN];
};

// Where a stream is, and where its frames come from. One packet of a stream is handled at a time as long
// as the network card keeps a stream on one processor, as they do; where not, a packet is miscounted.
struct stream {
    __u64 last_ns;          // when the newest packet came, in the relay's time
    __u64 seen;             // bit n = packet `highest - n` came
    __u32 timestamp;        // of the packet `highest`
    __u32 transit;
    __u32 jitter_16;        // 16 times the jitter, as in RFC 3550 A.8
    __u32 jitter_16_max;
    __u16 highest;
    __u16 length;           // payload bytes of the packet `highest`
    struct way way;
    __u64 zero;             // one cache line
};

// A leg that user space carries: its peer's frames show the way for what is sent past the sockets (AF_XDP).
// Written by user space, but for the way.
struct leg {
    __u32 state;            // WATCHED: all the rest is there
    struct way way;
    __u8 version;           // of IP; an IPv4 address is in the first word
    __u8 zero[3];
    __be32 local[4];
    __be32 peer[4];
    __be16 peer_port;
    __u16 zero_too;         // one cache line
};

#define WATCHED 2

// What one processor did for a flow.
struct counts {
    __u64 packets;
    __u64 octets;           // payload
    __u64 missing;          // numbers skipped, less those that came late; wraps
    __u64 late;
    __u64 duplicates;
    __u64 gaps;
    __u64 passed;           // sent up to user space
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct ports);
} by_port SEC(".maps");

// A flow, its stream and its counts have the same place, and the way back (the listener's flow) is at the place
// that differs in the lowest bit: so nothing must be read to know where to read on. Place 0 and 1 are nobody's.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, FLOWS_MAX);
    __type(key, __u32);
    __type(value, struct flow);
} flows SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, FLOWS_MAX);
    __type(key, __u32);
    __type(value, struct stream);
} streams SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, FLOWS_MAX);
    __type(key, __u32);
    __type(value, struct counts);
} counts SEC(".maps");

// By the leg's port. Of two legs with the same port at different addresses one is here.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1 << 16);
    __type(key, __u32);
    __type(value, struct leg);
} legs SEC(".maps");

// Interfaces that packets may leave by, under their own numbers.
struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
    __uint(max_entries, INTERFACES_MAX);
    __type(key, __u32);
    __type(value, __u32);
} interfaces SEC(".maps");

// The relay's instant zero on the monotonic clock. Set by the loader.
const volatile __u64 EPOCH_NS = 0;

struct tag {
    __be16 tag;
    __be16 type;
};

struct rtp {
    __u8 flags;
    __u8 type;
    __be16 sequence;
    __be32 timestamp;
    __be32 ssrc;
};

// A frame's parts.
struct frame {
    struct ethhdr *eth;
    struct tag *tag;
    union {
        struct iphdr *v4;
        struct ipv6hdr *v6;
    };
    struct udphdr *udp;
    struct rtp *rtp;
    __u16 length;           // of the UDP datagram
    __u8 version;           // of IP: which of the two headers is there
};

static __always_inline __u16 fold(__u64 sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static __always_inline int same(const __be32 a[4], const __be32 b[4])
{
    return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3])) == 0;
}

// Finds the parts of a frame that may be RTP of a bridge; 0 if it is none.
static __always_inline int parse(struct xdp_md *ctx, struct frame *f)
{
    void *end = (void *)(long)ctx->data_end;
    f->eth = (void *)(long)ctx->data;
    void *next = f->eth + 1;
    if (next > end)
        return 0;
    __be16 protocol = f->eth->h_proto;
    f->tag = NULL;
    if (protocol == bpf_htons(ETH_P_8021Q) || protocol == bpf_htons(ETH_P_8021AD)) {
        f->tag = next;
        next = f->tag + 1;
        if (next > end)
            return 0;
        protocol = f->tag->type;
    }
    __u32 length;
    if (protocol == bpf_htons(ETH_P_IP)) {
        struct iphdr *ip = next;
        next = ip + 1;
        if (next > end || *(__u8 *)ip != 0x45 || ip->protocol != IPPROTO_UDP || ip->ttl <= 1 ||
            (ip->frag_off & bpf_htons(FRAGMENT_BITS)))
            return 0;
        length = (__u32)bpf_ntohs(ip->tot_len) - sizeof(*ip);
        f->v4 = ip;
        f->version = 4;
    } else if (protocol == bpf_htons(ETH_P_IPV6)) {
        struct ipv6hdr *ip = next;
        next = ip + 1;
        if (next > end || ip->nexthdr != IPPROTO_UDP || ip->hop_limit <= 1)
            return 0;
        length = bpf_ntohs(ip->payload_len);
        f->v6 = ip;
        f->version = 6;
    } else {
        return 0;
    }
    f->udp = next;
    f->rtp = next + sizeof(struct udphdr);
    if ((void *)(f->rtp + 1) > end)
        return 0;
    f->length = bpf_ntohs(f->udp->len);
    // The three lengths must agree: a datagram that ends elsewhere than its packet is nothing for here.
    if (f->length != length || length < sizeof(struct udphdr) + sizeof(struct rtp) ||
        length > (__u32)(end - (void *)f->udp))
        return 0;
    return 1;
}

static __always_inline int arrives_at(const struct frame *f, const struct flow *flow)
{
    if (f->version != flow->version)
        return 0;
    return f->version == 4 ? f->v4->daddr == flow->at : same(f->v6->daddr.in6_u.u6_addr32, flow->at_6);
}

// The flow of the port and address that the packet is for. User space may take out the very flow that is looked at:
// it stays as it is, and leads on to those after it, until long after this packet is gone.
static __always_inline const struct flow *find(const struct frame *f, __u32 *place)
{
    __u32 only = 0;
    struct ports *ports = bpf_map_lookup_elem(&by_port, &only);
    if (!ports)
        return NULL;
    __u32 at = ports->first[bpf_ntohs(f->udp->dest)];
#pragma clang loop unroll(disable)
    for (int n = 0; n < CHAIN_MAX && at; n++) {
        struct flow *flow = bpf_map_lookup_elem(&flows, &at);
        if (!flow)
            return NULL;
        if (arrives_at(f, flow)) {
            *place = at;
            return flow;
        }
        at = flow->next;
    }
    return NULL;
}

static __always_inline int comes_from(const struct frame *f, const struct flow *flow)
{
    return f->version == 4 ? f->v4->saddr == flow->peer : same(f->v6->saddr.in6_u.u6_addr32, flow->peer_6);
}

// Whether the packet is what the bridge agreed on, from whom it agreed with.
static __always_inline int is_ours(const struct frame *f, const struct flow *flow)
{
    return comes_from(f, flow) && f->udp->source == flow->peer_port && f->rtp->ssrc == flow->ssrc_in &&
           f->rtp->flags == RTP_PLAIN && (f->rtp->type & 0x7f) == flow->payload_type_in &&
           // A datagram without a checksum is legal in IPv4 only (RFC 768, RFC 8200 section 8.1).
           (f->version == 4 || f->udp->check);
}

// Notes where the peer's frames come from. Frames for a group of hosts show no way.
static __always_inline int learn(struct xdp_md *ctx, const struct frame *f, struct way *way)
{
    if ((f->eth->h_source[0] | f->eth->h_dest[0]) & 1)
        return 0;
    __builtin_memcpy(way->peer_mac, f->eth->h_source, ETH_ALEN);
    __builtin_memcpy(way->our_mac, f->eth->h_dest, ETH_ALEN);
    way->tag_type = f->tag ? f->eth->h_proto : 0;
    way->tag = f->tag ? f->tag->tag : 0;
    way->ifindex = ctx->ingress_ifindex;
    return 1;
}

// Notes the way to the peer of a leg that user space carries.
static __always_inline void watch(struct xdp_md *ctx, const struct frame *f)
{
    __u32 port = bpf_ntohs(f->udp->dest);
    struct leg *leg = bpf_map_lookup_elem(&legs, &port);
    if (!leg || leg->state != WATCHED || leg->version != f->version || f->udp->source != leg->peer_port)
        return;
    if (f->version == 4 ? f->v4->saddr == leg->peer[0] && f->v4->daddr == leg->local[0]
                        : same(f->v6->saddr.in6_u.u6_addr32, leg->peer) &&
                              same(f->v6->daddr.in6_u.u6_addr32, leg->local))
        learn(ctx, f, &leg->way);
}

enum verdict { GOES_ON, CAME_BEFORE, IS_ELSEWHERE };

// The packet's place in its stream: order, loss and jitter (RFC 3550 A.1, A.3, A.8).
static __always_inline enum verdict hear(const struct frame *f, struct stream *stream, struct counts *count)
{
    __u16 sequence = bpf_ntohs(f->rtp->sequence);
    __u32 timestamp = bpf_ntohl(f->rtp->timestamp);
    __u64 now = bpf_ktime_get_ns() - EPOCH_NS;
    __u32 transit = (__u32)(now / UNIT_NS) - timestamp;
    __s32 moved = transit - stream->transit;
    __u32 distance = moved < 0 ? -moved : moved;
    __u16 ahead = sequence - stream->highest;
    __u16 behind = stream->highest - sequence;
    __u16 length = f->length - sizeof(struct udphdr) - sizeof(struct rtp);

    if (distance >= JUMP)
        return IS_ELSEWHERE;
    if (behind < WINDOW) {
        __u64 bit = 1ULL << behind;
        if (stream->seen & bit) {
            count->duplicates++;
            return CAME_BEFORE;
        }
        stream->seen |= bit;
        count->late++;
        count->missing--;
    } else if (ahead < DROPOUT_MAX) {
        stream->seen = ahead < WINDOW ? stream->seen << ahead | 1 : 1;
        stream->highest = sequence;
        stream->timestamp = timestamp;
        stream->length = length;
        count->missing += ahead - 1;
    } else {
        return IS_ELSEWHERE;
    }
    if (now - stream->last_ns > GAP_NS)
        count->gaps++;
    stream->last_ns = now;
    stream->transit = transit;
    __u32 jitter = stream->jitter_16 + distance;
    __u32 decay = (stream->jitter_16 + 8) >> 4;
    jitter = jitter > decay ? jitter - decay : 0;
    stream->jitter_16 = jitter;
    if (jitter > stream->jitter_16_max)
        stream->jitter_16_max = jitter;
    count->packets++;
    count->octets += length;
    return GOES_ON;
}

// The datagram's checksum from its bytes, as they are now.
static __always_inline __u16 sum_anew(const struct frame *f, __u32 pseudo, void *end)
{
    __u64 sum = pseudo + bpf_htons(f->length);
    void *at = f->udp;
    __u32 left = f->length;
#pragma clang loop unroll(disable)
    for (int n = 0; n < DATAGRAM_MAX / CHUNK; n++) {
        if (left < CHUNK || at + CHUNK > end)
            break;
        sum += (__u32)bpf_csum_diff(NULL, 0, at, CHUNK, 0);
        at += CHUNK;
        left -= CHUNK;
    }
#pragma clang loop unroll(disable)
    for (int n = 0; n < CHUNK / 2; n++) {
        if (left < 2 || at + 2 > end)
            break;
        sum += *(__u16 *)at;
        at += 2;
        left -= 2;
    }
    if (left && at + 1 <= end)
        sum += bpf_htons(*(__u8 *)at << 8);
    return ~fold(sum);
}

// Makes the packet one of the listener's stream.
static __always_inline void rewrite(const struct frame *f, const struct flow *flow, void *end)
{
    __u16 check = f->udp->check;
    // A packet from a socket of this machine (veth): only the pseudo header is summed, the network card that
    // never comes should have done the rest. Where a whole checksum looks the same, summing anew gives
    // what changing it would.
    int partial = check == fold((__u64)flow->pseudo_in + bpf_htons(f->length));
    __be16 sequence = bpf_htons(bpf_ntohs(f->rtp->sequence) + flow->sequence_shift);
    __be32 timestamp = bpf_htonl(bpf_ntohl(f->rtp->timestamp) + flow->timestamp_shift);
    // RFC 1624, equation 3; what is the same in every packet was summed once.
    __u64 sum = (__u64)(__u16)~check + flow->sum_change;
    sum += (__u64)(__u16)~f->rtp->sequence + sequence;
    sum += (__u64)(__u32)~f->rtp->timestamp + timestamp;

    f->rtp->type = (f->rtp->type & 0x80) | flow->payload_type_out;
    f->rtp->sequence = sequence;
    f->rtp->timestamp = timestamp;
    f->rtp->ssrc = flow->ssrc_out;
    f->udp->source = flow->from_port;
    f->udp->dest = flow->to_port;
    if (f->version == 4) {
        f->v4->tos = flow->traffic_class;
        f->v4->ttl--;
        f->v4->saddr = flow->from;
        f->v4->daddr = flow->to;
        f->v4->check = 0;
        const __u32 *word = (const __u32 *)f->v4;
        f->v4->check = ~fold((__u64)word[0] + word[1] + word[2] + word[3] + word[4]);
    } else {
        *(__be32 *)f->v6 = bpf_htonl(6u << 28 | (__u32)flow->traffic_class << 20);
        f->v6->hop_limit--;
        __builtin_memcpy(&f->v6->saddr, flow->from_6, 16);
        __builtin_memcpy(&f->v6->daddr, flow->to_6, 16);
    }
    if (!check)
        return;
    if (partial) {
        f->udp->check = 0;
        check = sum_anew(f, flow->pseudo_out, end);
    } else {
        check = ~fold(sum);
    }
    // 0 would say that there is no checksum.
    f->udp->check = check ? check : 0xffff;
}

// Puts the Ethernet header of the listener's network in front, and sends the frame.
static __always_inline int leave(struct xdp_md *ctx, int tagged, __be16 protocol, const struct way *way)
{
    int shift = (tagged ? (int)sizeof(struct tag) : 0) - (way->tag_type ? (int)sizeof(struct tag) : 0);
    if (shift && bpf_xdp_adjust_head(ctx, shift))
        return XDP_ABORTED;
    void *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = (void *)(long)ctx->data;
    struct tag *tag = (void *)(eth + 1);
    if ((void *)(tag + 1) > end)
        return XDP_ABORTED;
    __builtin_memcpy(eth->h_dest, way->peer_mac, ETH_ALEN);
    __builtin_memcpy(eth->h_source, way->our_mac, ETH_ALEN);
    if (way->tag_type) {
        eth->h_proto = way->tag_type;
        tag->tag = way->tag;
        tag->type = protocol;
    } else {
        eth->h_proto = protocol;
    }
    if (way->ifindex == ctx->ingress_ifindex)
        return XDP_TX;
    return bpf_redirect_map(&interfaces, way->ifindex, XDP_ABORTED);
}

SEC("xdp")
int relay(struct xdp_md *ctx)
{
    struct frame f;
    __u32 place;
    if (!parse(ctx, &f))
        return XDP_PASS;
    const struct flow *flow = find(&f, &place);
    if (!flow) {
        watch(ctx, &f);
        return XDP_PASS;
    }
    __u32 back_place = place ^ 1;
    struct counts *count = bpf_map_lookup_elem(&counts, &place);
    struct stream *stream = bpf_map_lookup_elem(&streams, &place);
    struct stream *back = bpf_map_lookup_elem(&streams, &back_place);
    if (!count || !stream || !back)
        return XDP_PASS;
    if (!is_ours(&f, flow) || !learn(ctx, &f, &stream->way) || !back->way.ifindex) {
        count->passed++;
        return XDP_PASS;
    }
    switch (hear(&f, stream, count)) {
    case GOES_ON:
        break;
    case CAME_BEFORE:
        return XDP_DROP;
    case IS_ELSEWHERE:
        count->passed++;
        return XDP_PASS;
    }
    int tagged = f.tag != NULL;
    __be16 protocol = f.version == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
    rewrite(&f, flow, (void *)(long)ctx->data_end);
    return leave(ctx, tagged, protocol, &back->way);
}

char LICENSE[] SEC("license") = "Apache-2.0";
