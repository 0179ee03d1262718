#include "sluice/port/packet_ring.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <string_view>

namespace sluice::port {
namespace {

constexpr std::uint32_t kEthernetHeader = 14;
constexpr std::uint32_t kVlanTag = 4;  // the driver puts a stripped tag back

// What TPACKET_V2 puts in front of a received frame in its slot: the aligned header and address, then padding
// so that what follows the Ethernet header is aligned. Measured: 1982 bytes are left of 2048.
constexpr std::uint32_t kSlotOverhead = 66;

// Five thousand clients that come at the same moment send twice as many frames before a busy machine gives
// the worker its turn.
constexpr std::uint32_t kRingBytes = 16U * 1024 * 1024;
constexpr std::uint32_t kFullQueues = 2;  // that may have as much each
constexpr std::uint32_t kLeastFrames = 1024;

// Of af_packet, where a device string does not say it.
constexpr PacketRing kDriversOwn{.frame_size = 2048, .block_size = 4096, .frames = 512};

std::string_view value_of(std::string_view device, std::string_view key) {
    const std::string pattern = "," + std::string(key) + "=";
    const auto at = device.find(pattern);
    if (at == std::string_view::npos) return {};
    const std::string_view rest = device.substr(at + pattern.size());
    return rest.substr(0, rest.find(','));
}

bool says(const std::string& device, std::string_view key) { return !value_of(device, key).empty(); }

std::uint32_t slots_for(std::uint32_t frame_size, std::uint32_t queues) {
    const std::uint32_t share = kRingBytes / std::bit_ceil(std::max(1U, queues / kFullQueues));
    return std::max(kLeastFrames, share / frame_size);
}

}  // namespace

std::uint32_t longest_frame(std::uint32_t slot_size) { return slot_size - kSlotOverhead; }

PacketRing packet_ring(std::uint16_t mtu, std::uint32_t queues) {
    PacketRing ring;
    const std::uint32_t wanted = mtu + kEthernetHeader + kVlanTag + kSlotOverhead;
    ring.frame_size = std::max(ring.frame_size, std::bit_ceil(wanted));
    ring.block_size = std::max(ring.block_size, ring.frame_size);
    ring.frames = slots_for(ring.frame_size, queues);
    return ring;
}

std::string driver_of(const std::string& device) {
    const std::string name = device.substr(0, device.find(','));
    if (!name.starts_with("net_")) return name;
    return name.substr(0, name.find_last_not_of("0123456789") + 1);
}

std::uint32_t device_argument(const std::string& device, const std::string& key, std::uint32_t fallback) {
    const std::string_view text = value_of(device, key);
    std::from_chars(text.data(), text.data() + text.size(), fallback);
    return fallback;
}

PacketRing ring_of(const std::string& device) {
    return {.frame_size = device_argument(device, "framesz", kDriversOwn.frame_size),
            .block_size = device_argument(device, "blocksz", kDriversOwn.block_size),
            .frames = device_argument(device, "framecnt", kDriversOwn.frames)};
}

// The kernel wants whole blocks of whole slots. A number of slots that is given is met exactly, by smaller
// blocks where it must; a size that is given and no power of two is left to the driver to judge.
std::string with_rings(const std::string& device, std::uint16_t mtu) {
    // One without an interface is the name of a device that the operator's EAL arguments have made.
    if (driver_of(device) != kPacketDriver || !says(device, "iface")) return device;
    const std::uint32_t queues = std::max(1U, device_argument(device, "qpairs", 1));
    PacketRing ring = packet_ring(mtu, queues);
    ring.frame_size = std::max(1U, device_argument(device, "framesz", ring.frame_size));
    ring.frames = device_argument(device, "framecnt", slots_for(ring.frame_size, queues));
    ring.block_size = device_argument(device, "blocksz", std::max(ring.block_size, ring.frame_size));
    if (!says(device, "blocksz")) {
        const auto whole = [&] { return ring.frames % (ring.block_size / ring.frame_size) == 0; };
        while (ring.block_size / 2 >= ring.frame_size && ring.block_size > kDriversOwn.block_size && !whole())
            ring.block_size /= 2;
    }
    if (!says(device, "framecnt")) {
        const std::uint32_t in_block = std::max(1U, ring.block_size / ring.frame_size);
        ring.frames = std::max(1U, ring.frames / in_block) * in_block;
    }
    std::string out = device;
    const auto add = [&](const char* key, std::uint32_t value) {
        if (!says(device, key)) out += "," + std::string(key) + "=" + std::to_string(value);
    };
    add("framesz", ring.frame_size);
    add("blocksz", ring.block_size);
    add("framecnt", ring.frames);
    return out;
}

}  // namespace sluice::port
