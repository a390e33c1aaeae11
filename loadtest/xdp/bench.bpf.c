// SPDX-License-Identifier: Apache-2.0
//
// What the relay in the kernel is measured with: a generator of RTP streams, a bare look-up and redirect, and
// sinks that count. Built by crates/worker/bpf/build.sh; layouts are repeated in src/xdp/programs.rs.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define LEGS_MAX 1
#define PAYLOAD 160

struct rtp {
    __u8 flags;
    __u8 type;
    __be16 sequence;
    __be32 timestamp;
    __be32 ssrc;
};

struct packet {
    struct ethhdr eth;
    struct iphdr ip;
    struct udphdr udp;
    struct rtp rtp;
} __attribute__((packed, aligned(2)));

// One side's telephones: they speak in turn, and all of them once in a frame of 20 ms.
struct side {
    struct ethhdr eth;
    __u16 zero;
    struct iphdr ip;
    __u32 sum;              // of the datagram's pseudo header, length and payload
    __u32 next;             // leg that speaks next
    __u32 first;            // leg that speaks first
    __u32 legs;
    __u32 sequence;
    __u32 timestamp;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct side);
} side SEC(".maps");

// Leg → ports in network order: from, to.
struct ports {
    __be16 from;
    __be16 to;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, LEGS_MAX);
    __type(key, __u32);
    __type(value, struct ports);
} ports SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} wire SEC(".maps");

static __always_inline __u16 fold(__u64 sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

// The next packet of a side's telephones, whole checksum and all, onto the wire.
SEC("xdp")
int generate(struct xdp_md *ctx)
{
    struct packet *p = (void *)(long)ctx->data;
    __u32 zero = 0;
    if ((void *)(p + 1) > (void *)(long)ctx->data_end)
        return XDP_ABORTED;
    struct side *s = bpf_map_lookup_elem(&side, &zero);
    if (!s)
        return XDP_ABORTED;
    __u32 leg = s->next;
    struct ports *port = bpf_map_lookup_elem(&ports, &leg);
    if (!port)
        return XDP_ABORTED;
    __u16 length = sizeof(p->udp) + sizeof(p->rtp) + PAYLOAD;
    p->eth = s->eth;
    p->ip = s->ip;
    p->udp.source = port->from;
    p->udp.dest = port->to;
    p->udp.len = bpf_htons(length);
    p->rtp.flags = 0x80;
    p->rtp.type = 8;
    p->rtp.sequence = bpf_htons(s->sequence);
    p->rtp.timestamp = bpf_htonl(s->timestamp);
    p->rtp.ssrc = bpf_htonl(0x10000 + leg);
    __u64 sum = (__u64)s->sum + p->udp.source + p->udp.dest + bpf_htons(0x8008) + p->rtp.sequence +
                p->rtp.timestamp + p->rtp.ssrc;
    __u16 check = ~fold(sum);
    p->udp.check = check ? check : 0xffff;
    s->next = leg + 2;
    if (s->next >= s->legs) {
        s->next = s->first;
        s->sequence++;
        s->timestamp += PAYLOAD;
    }
    return bpf_redirect_map(&wire, 0, XDP_ABORTED);
}

struct bare_key {
    __be32 address;
    __be16 port;
    __u16 zero;
};

struct bare_way {
    __u32 ifindex;
    __u8 to[ETH_ALEN];
    __u8 from[ETH_ALEN];
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, LEGS_MAX);
    __type(key, struct bare_key);
    __type(value, struct bare_way);
} ways SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
    __uint(max_entries, 2);
    __type(key, __u32);
    __type(value, __u32);
} interfaces SEC(".maps");

// What any relay in the kernel must do at least: find where the packet goes, and send it there.
SEC("xdp")
int bare(struct xdp_md *ctx)
{
    struct packet *p = (void *)(long)ctx->data;
    if ((void *)(p + 1) > (void *)(long)ctx->data_end)
        return XDP_PASS;
    if (p->eth.h_proto != bpf_htons(ETH_P_IP) || *(__u8 *)&p->ip != 0x45 || p->ip.protocol != IPPROTO_UDP)
        return XDP_PASS;
    struct bare_key key = { .address = p->ip.daddr, .port = p->udp.dest };
    struct bare_way *way = bpf_map_lookup_elem(&ways, &key);
    if (!way)
        return XDP_PASS;
    __builtin_memcpy(p->eth.h_dest, way->to, ETH_ALEN);
    __builtin_memcpy(p->eth.h_source, way->from, ETH_ALEN);
    return bpf_redirect_map(&interfaces, way->ifindex, XDP_ABORTED);
}

// What a leg's telephone heard.
struct ear {
    __u32 packets;
    __u32 next;             // sequence number that must come next; above 65,535 before the first
    __u32 missing;
    __u32 doubled;          // or out of order
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, LEGS_MAX);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct ear);
} ears SEC(".maps");

// First port of the telephones.
const volatile __u32 PORTS_FROM = 0;

static __always_inline int hear(void *data, void *end)
{
    struct packet *p = data;
    if ((void *)(p + 1) > end || p->eth.h_proto != bpf_htons(ETH_P_IP) || p->ip.protocol != IPPROTO_UDP)
        return 0;
    __u32 leg = ((__u32)bpf_ntohs(p->udp.dest) - PORTS_FROM) / 2;
    struct ear *ear = bpf_map_lookup_elem(&ears, &leg);
    if (ear && p->rtp.flags == 0x80 && (p->rtp.type & 0x7f) == 8) {
        __u16 sequence = bpf_ntohs(p->rtp.sequence);
        __u16 ahead = sequence - (__u16)ear->next;
        ear->packets++;
        if (ear->next > 0xffff || ahead < 0x8000) {
            if (ear->next <= 0xffff)
                ear->missing += ahead;
            ear->next = (__u16)(sequence + 1);
        } else {
            ear->doubled++;
        }
    }
    return 1;
}

// A sink for frames that never were the stack's: an ideal network card's transmit side.
SEC("xdp")
int sink_xdp(struct xdp_md *ctx)
{
    return hear((void *)(long)ctx->data, (void *)(long)ctx->data_end) ? XDP_DROP : XDP_PASS;
}

// A sink for what sockets sent: before the stack of the receiving side costs anything.
SEC("classifier")
int sink_tc(struct __sk_buff *skb)
{
    return hear((void *)(long)skb->data, (void *)(long)skb->data_end) ? 2 : -1;
}

char LICENSE[] SEC("license") = "Apache-2.0";
