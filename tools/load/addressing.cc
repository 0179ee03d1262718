#include "addressing.h"

#include <utility>

namespace sluice::load {

Addressing::Addressing(std::vector<IpAddress> sources, std::vector<SocketAddress> targets,
                       std::uint16_t first_port, std::uint16_t last_port)
    : sources_(std::move(sources)),
      targets_(std::move(targets)),
      first_port_(first_port),
      last_port_(last_port) {
    for (const IpAddress& source : sources_)
        source_index_.emplace(source, static_cast<std::uint32_t>(source_index_.size()));
    for (const SocketAddress& target : targets_)
        target_index_.emplace(target, static_cast<std::uint32_t>(target_index_.size()));
}

std::uint64_t Addressing::capacity() const {
    return std::uint64_t{sources_.size()} * targets_.size() * (last_port_ - first_port_ + 1U);
}

FourTuple Addressing::tuple(std::uint32_t client) const {
    const std::size_t round = client / (sources_.size() * targets_.size());
    return {.local = {.address = source(client), .port = static_cast<std::uint16_t>(first_port_ + round)},
            .remote = target(client)};
}

std::optional<std::uint32_t> Addressing::client(const FourTuple& tuple) const {
    const auto source = source_index_.find(tuple.local.address);
    const auto target = target_index_.find(tuple.remote);
    if (source == source_index_.end() || target == target_index_.end()) return std::nullopt;
    if (tuple.local.port < first_port_ || tuple.local.port > last_port_) return std::nullopt;
    const std::uint64_t round = tuple.local.port - first_port_;
    const std::uint64_t client =
        (round * targets_.size() + target->second) * sources_.size() + source->second;
    if (client > 0xffffffff) return std::nullopt;
    return static_cast<std::uint32_t>(client);
}

}  // namespace sluice::load
