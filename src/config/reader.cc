#include "sluice/config/reader.h"

#include <string>
#include <utility>

#include "check.h"
#include "file.h"
#include "nesting.h"
#include "report.h"
#include "sections.h"
#include "text.h"
#include "toml.h"

namespace sluice::config {

LoadResult read(std::string_view text, std::string_view file_name) {
    Report report(file_name);
    if (const auto line = line_nested_too_deep(text)) {
        report.add({*line, 1, ""}, "a key of more than " + std::to_string(kMostDots) + " parts",
                   "see https://toml.io for the syntax");
        return {std::nullopt, report.take()};
    }
    const toml::parse_result parsed = toml::parse(text);
    if (!parsed) {
        const auto& begin = parsed.error().source().begin;
        report.add({begin.line, begin.column, ""}, std::string(parsed.error().description()),
                   "see https://toml.io for the syntax");
        return {std::nullopt, report.take()};
    }
    Draft draft = read_sections(parsed.table(), report);
    check(draft, report);
    if (report.count() != 0) return {std::nullopt, report.take()};
    return {std::move(draft.config), {}};
}

LoadResult load(const std::string& path) {
    std::string text;
    const std::string fault = read_file(path, kMaxFileSize, text);
    if (fault.empty()) return read(text, path);
    Report report(path);
    report.add({}, fault, "name a regular file of at most 16 MiB that Sluice may read");
    static_assert(kMaxFileSize == 16U << 20U, "the text above names it");
    return {std::nullopt, report.take()};
}

std::vector<Problem> check(const Config& config) {
    Report report("");
    Draft draft;
    draft.config = config;
    const auto key = [](const std::string& section, const char* name) {
        return FilePosition{.line = 0, .column = 0, .key = section + "." + name};
    };
    for (const Port& port : config.ports) {
        PortDraft& places = draft.ports.emplace_back();
        places.name = places.mtu = key("port", port.name.c_str());
        places.addresses.resize(port.addresses.size());
        places.gateways.resize(port.gateways.size());
    }
    for (std::size_t i = 0; i < config.listeners.size(); ++i) {
        ListenerDraft& places = draft.listeners.emplace_back();
        places.name = key("listener", "name");
        places.address = key("listener", "address");
        places.pool = key("listener", "pool");
    }
    for (const Route& route : config.routes) {
        RouteDraft& places = draft.routes.emplace_back();
        if (!route.listener.empty()) places.listener = key("route", "listener");
        if (!route.refuse) places.pool = key("route", "pool");
        places.good = true;
    }
    for (const Pool& pool : config.pools) {
        PoolDraft& places = draft.pools.emplace_back();
        places.name = key("pool", "name");
        places.sources.push_back({key("pool", "source_addresses"), 0, pool.source_addresses.size()});
        places.source_ports = key("pool", "source_ports");
        for (const Backend& backend : pool.backends) {
            places.backends.push_back({.section = key("pool", "backend"),
                                       .name = key("backend", "name"),
                                       .address = key("backend", "address")});
            if (is_word(backend.name)) continue;
            report.add(key("backend", "name"), quoted(backend.name) + " is not a valid name", kNameRemedy);
        }
    }
    check(draft, report);
    return report.take();
}

}  // namespace sluice::config
