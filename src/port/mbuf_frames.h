// A Frame is an mbuf seen without DPDK: no byte is copied either way.
#pragma once

#include <rte_mbuf.h>

#include "sluice/port/frame.h"

namespace sluice::port {

static_assert(kHeadroom == RTE_PKTMBUF_HEADROOM);

inline std::byte* buffer_start(const rte_mbuf* mbuf) { return static_cast<std::byte*>(mbuf->buf_addr); }

inline Frame to_frame(rte_mbuf* mbuf, std::uint16_t port) {
    return Frame{.data = buffer_start(mbuf) + mbuf->data_off,
                 .length = mbuf->data_len,
                 .capacity = static_cast<std::uint32_t>(mbuf->buf_len - mbuf->data_off),
                 .handle = mbuf,
                 .port = port,
                 .multi_segment = mbuf->nb_segs > 1};
}

inline rte_mbuf* mbuf_of(const Frame& frame) { return static_cast<rte_mbuf*>(frame.handle); }

// Puts the frame's bounds into its mbuf, for sending. Flags of the reception mean nothing to a transmitter.
inline rte_mbuf* to_mbuf(const Frame& frame) {
    rte_mbuf* mbuf = mbuf_of(frame);
    mbuf->data_off = static_cast<std::uint16_t>(frame.data - buffer_start(mbuf));
    mbuf->data_len = static_cast<std::uint16_t>(frame.length);
    mbuf->pkt_len = frame.length;
    mbuf->ol_flags = 0;
    return mbuf;
}

}  // namespace sluice::port
