#include "sluice/neighbor/frames.h"

#include "sluice/wire/frame.h"

namespace sluice::neighbor {

std::size_t write_question(const MacAddress& own, const IpAddress& source, const IpAddress& target,
                           const std::optional<MacAddress>& to, ByteSpan out) {
    if (target.is_v4()) {
        return wire::write_arp_frame(to.value_or(kBroadcastMac),
                                     {.operation = wire::ArpOperation::Request,
                                      .sender_mac = own,
                                      .sender_ip = source,
                                      .target_mac = to.value_or(MacAddress{}),
                                      .target_ip = target},
                                     out);
    }
    const IpAddress group = wire::solicited_node_multicast(target);
    return wire::write_neighbor_solicitation_frame(
        {.source_mac = own,
         .destination_mac = to.value_or(wire::multicast_mac(group)),
         .source = source,
         .destination = to ? target : group},
        {.target = target, .source_mac = own}, out);
}

std::size_t write_answer(const MacAddress& own, const IpAddress& target, const MacAddress& asker_mac,
                         const IpAddress& asker, ByteSpan out) {
    if (target.is_v4()) {
        return wire::write_arp_frame(asker_mac,
                                     {.operation = wire::ArpOperation::Reply,
                                      .sender_mac = own,
                                      .sender_ip = target,
                                      .target_mac = asker_mac,
                                      .target_ip = asker},
                                     out);
    }
    const bool duplicate_probe = asker.is_unspecified();
    const IpAddress to = duplicate_probe ? wire::all_nodes_multicast() : asker;
    return wire::write_neighbor_advertisement_frame(
        {.source_mac = own,
         .destination_mac = duplicate_probe ? wire::multicast_mac(to) : asker_mac,
         .source = target,
         .destination = to},
        {.target = target, .solicited = !duplicate_probe, .override_entry = true, .target_mac = own}, out);
}

std::size_t write_announcement(const MacAddress& own, const IpAddress& address, ByteSpan out) {
    if (address.is_v4()) {
        return wire::write_arp_frame(kBroadcastMac,
                                     {.operation = wire::ArpOperation::Request,
                                      .sender_mac = own,
                                      .sender_ip = address,
                                      .target_mac = MacAddress{},
                                      .target_ip = address},
                                     out);
    }
    const IpAddress everybody = wire::all_nodes_multicast();
    return wire::write_neighbor_advertisement_frame(
        {.source_mac = own,
         .destination_mac = wire::multicast_mac(everybody),
         .source = address,
         .destination = everybody},
        {.target = address, .override_entry = true, .target_mac = own}, out);
}

}  // namespace sluice::neighbor
