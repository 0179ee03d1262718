#include "sluice/wire/reassembly.h"

#include <algorithm>
#include <cstring>

#include "sluice/wire/checksum.h"
#include "sluice/wire/ipv4.h"
#include "sluice/wire/ipv6.h"

namespace sluice::wire {
namespace {

// What a packet costs beside its bytes: its place in the lists and maps.
constexpr std::size_t kOverhead = 512;

// The values of RFC 3168 section 5, as bits.
constexpr unsigned kNotCapable = 1U << 0U;
constexpr unsigned kCongested = 1U << 3U;

}  // namespace

Reassembly::Result Reassembly::add(Instant now, const Fragment& fragment, std::size_t largest,
                                   std::uint64_t origin) {
    Result result;
    const PacketIterator place = find_or_open(now, fragment, origin);
    Packet& packet = *place;
    const std::pair part(fragment.offset, fragment.end());
    const std::size_t header = fragment.family == IpFamily::V4 ? fragment.header.size() : kIpv6HeaderSize;
    if (packet.spoiled || header + fragment.end() > largest) {
        result.fate = packet.spoiled ? Status::Spoiled : Status::TooLarge;
        result.spoiled = 1 + spoil(packet);
    } else if (!std::ranges::binary_search(packet.parts, part)) {
        if (!accept(packet, fragment)) {
            result.fate = Status::Spoiled;
            result.spoiled = 1 + spoil(packet);
        } else if (packet.end == packet.held) {
            const std::size_t parts = packet.parts.size();
            const bool good = finish(packet, fragment.family, result.packet);
            result.fate = good ? Status::Whole : Status::Spoiled;
            result.spoiled = good ? 0 : parts;
            remove(place);
            return result;
        }
    }
    charge(packet);
    result.evicted = make_room(place);
    return result;
}

Reassembly::PacketIterator Reassembly::find_or_open(Instant now, const Fragment& fragment,
                                                    std::uint64_t origin) {
    const Key key{.source = fragment.source,
                  .destination = fragment.destination,
                  .identification = fragment.identification,
                  .protocol = fragment.family == IpFamily::V4 ? fragment.protocol : std::uint8_t{0}};
    const auto [entry, fresh] = index_.try_emplace(key);
    if (fresh) {
        Source& source = sources_[key.source];
        entry->second = packets_.insert(
            packets_.end(), Packet{.key = key, .deadline = now + limits_.timeout, .origin = origin});
        entry->second->of_source = source.packets.insert(source.packets.end(), entry->second);
    }
    return entry->second;
}

// False when the part contradicts others.
bool Reassembly::accept(Packet& packet, const Fragment& fragment) {
    const std::pair part(fragment.offset, fragment.end());
    const auto behind = std::ranges::lower_bound(packet.parts, part);
    const bool overlaps = (behind != packet.parts.end() && behind->first < part.second) ||
                          (behind != packet.parts.begin() && std::prev(behind)->second > part.first);
    const std::size_t furthest = packet.parts.empty() ? 0 : packet.parts.back().second;
    if (overlaps || packet.parts.size() == kMostParts) return false;
    if (packet.end && part.second > *packet.end) return false;
    if (!fragment.more) {
        if (packet.end || furthest > part.second) return false;
        packet.end = part.second;
    }
    packet.parts.insert(behind, part);
    packet.held += fragment.data.size();
    packet.congestion |= static_cast<std::uint8_t>(1U << (fragment.traffic_class & 3U));
    if (part.first == 0) {
        packet.header.assign(fragment.header.begin(), fragment.header.end());
        packet.protocol = fragment.protocol;
    }
    if (packet.data.size() < part.second) packet.data.resize(part.second);
    std::memcpy(packet.data.data() + part.first, fragment.data.data(), fragment.data.size());
    return true;
}

// Keeps only the name, by which later parts are known. Returns how many were held.
std::size_t Reassembly::spoil(Packet& packet) {
    const std::size_t held = packet.parts.size();
    packet.spoiled = true;
    packet.header = {};
    packet.data = {};
    packet.parts = {};
    return held;
}

void Reassembly::charge(Packet& packet) {
    const std::size_t cost = kOverhead + packet.header.size() + packet.data.size();
    sources_[packet.key.source].bytes += cost - packet.charged;
    bytes_ += cost - packet.charged;
    packet.charged = cost;
}

// Ends with the table within its limits, as long as one packet fits them. Returns how many fragments were
// lost.
std::size_t Reassembly::make_room(PacketIterator keep) {
    std::size_t lost = 0;
    const Source& source = sources_[keep->key.source];
    while (source.packets.size() > 1 &&
           (source.packets.size() > limits_.source_packets || source.bytes > limits_.source_bytes)) {
        const PacketIterator oldest = source.packets.front();
        lost += remove(oldest != keep ? oldest : *std::next(source.packets.begin()));
    }
    while (packets_.size() > 1 && (packets_.size() > limits_.packets || bytes_ > limits_.bytes)) {
        const PacketIterator oldest = packets_.begin();
        lost += remove(oldest != keep ? oldest : std::next(oldest));
    }
    return lost;
}

// Returns how many fragments it held.
std::size_t Reassembly::remove(PacketIterator packet) {
    const std::size_t held = packet->parts.size();
    const auto source = sources_.find(packet->key.source);
    source->second.bytes -= packet->charged;
    source->second.packets.erase(packet->of_source);
    if (source->second.packets.empty()) sources_.erase(source);
    bytes_ -= packet->charged;
    index_.erase(packet->key);
    packets_.erase(packet);
    return held;
}

// False when the parts disagree about congestion in a way that no sender and router bring about (RFC 3168
// section 5.3): some cannot say it, others do.
bool Reassembly::finish(Packet& packet, IpFamily family, std::vector<std::byte>& out) {
    const bool congested = (packet.congestion & kCongested) != 0;
    if (congested && (packet.congestion & kNotCapable) != 0) return false;
    const std::size_t size = family == IpFamily::V4 ? packet.header.size() : kIpv6HeaderSize;
    out.resize(size + packet.data.size());
    std::memcpy(out.data(), packet.header.data(), size);
    std::memcpy(out.data() + size, packet.data.data(), packet.data.size());
    std::byte* const ip = out.data();
    if (family == IpFamily::V4) {
        if (congested) {
            store8(ip + kIpv4TrafficClassAt, static_cast<std::uint8_t>(load8(ip + kIpv4TrafficClassAt) | 3U));
        }
        store16(ip + kIpv4LengthAt, static_cast<std::uint16_t>(out.size()));
        // Of the fragment's fields only this one stays.
        store16(ip + kIpv4FragmentAt, load16(ip + kIpv4FragmentAt) & kIpv4DontFragment);
        store16(ip + kIpv4ChecksumAt, 0);
        store16(ip + kIpv4ChecksumAt, checksum_finish(checksum_sum({ip, size})));
    } else {
        if (congested) store8(ip + 1, static_cast<std::uint8_t>(load8(ip + 1) | 0x30U));
        store16(ip + kIpv6LengthAt, static_cast<std::uint16_t>(packet.data.size()));
        store8(ip + kIpv6NextHeaderAt, packet.protocol);
    }
    return true;
}

void Reassembly::expire(Instant now, const std::function<void(const Remains&)>& told) {
    while (!packets_.empty() && packets_.front().deadline <= now) {
        Packet& packet = packets_.front();
        Remains remains{.fragments = packet.parts.size(),
                        .origin = packet.origin,
                        .source = packet.key.source,
                        .destination = packet.key.destination,
                        .first = std::move(packet.header)};
        if (!remains.first.empty()) {
            const auto end = packet.data.begin() + static_cast<std::ptrdiff_t>(packet.parts.front().second);
            remains.first.insert(remains.first.end(), packet.data.begin(), end);
        }
        remove(packets_.begin());
        told(remains);
    }
}

}  // namespace sluice::wire
