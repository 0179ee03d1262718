#include "written.h"

#include <array>
#include <charconv>

#include "text.h"

namespace sluice::config {
namespace {

// Elements [begin, end) of which each follows its neighbor.
struct Run {
    std::size_t begin;
    std::size_t end;
};

template <typename T, typename Next>
std::vector<Run> runs(const std::vector<T>& values, const Next& next) {
    std::vector<Run> out;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (!out.empty() && values[i] == next(values[i - 1]) && values[i - 1] < values[i]) {
            ++out.back().end;
        } else {
            out.push_back({i, i + 1});
        }
    }
    return out;
}

template <typename T, typename ToText>
std::string array(const std::vector<T>& values, const ToText& to_text) {
    std::string out = "[";
    for (const T& value : values) {
        if (out.size() > 1) out += ", ";
        out += write(to_text(value));
    }
    return out + "]";
}

}  // namespace

std::string write(std::string_view text) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += {'\\', c};
        } else if (byte < 0x20 || byte == 0x7f) {
            out += std::string("\\u00") + kHex[byte >> 4U] + kHex[byte & 15U];
        } else {
            out += c;
        }
    }
    return out + '"';
}

std::string write_or_nothing(std::string_view text) { return text.empty() ? "" : write(text); }

std::string write(double number) {
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
    return {text.data(), end};
}

std::string write(Duration duration) { return write(duration_to_string(duration)); }

std::string write_size(std::uint64_t bytes) { return write(size_to_string(bytes)); }

std::string write(const SocketAddress& address) { return write(address.to_string()); }

std::string write(const PortRange& range) {
    return write(std::to_string(range.first) + "-" + std::to_string(range.last));
}

std::string write(const std::vector<std::string>& texts) {
    return array(texts, [](const std::string& text) { return text; });
}

std::string write(const std::vector<IpPrefix>& networks) {
    return array(networks, [](const IpPrefix& network) { return network.to_string(); });
}

std::string write(const std::vector<IpAddress>& addresses) {
    return array(addresses, [](const IpAddress& address) { return address.to_string(); });
}

std::string write_or_nothing(const std::vector<IpPrefix>& networks) {
    return networks.empty() ? "" : write(networks);
}

std::string write_ranges(const std::vector<IpAddress>& addresses) {
    const auto ranges = runs(addresses, [](const IpAddress& address) { return address.next(); });
    return array(ranges, [&](const Run& run) {
        const std::string first = addresses[run.begin].to_string();
        return run.end - run.begin == 1 ? first : first + "-" + addresses[run.end - 1].to_string();
    });
}

std::string write_cpus(const std::vector<unsigned>& cpus) {
    std::string out;
    for (const Run& run : runs(cpus, [](unsigned cpu) { return cpu + 1; })) {
        if (!out.empty()) out += ',';
        out += std::to_string(cpus[run.begin]);
        if (run.end - run.begin > 1) out += "-" + std::to_string(cpus[run.end - 1]);
    }
    return write(out);
}

}  // namespace sluice::config
