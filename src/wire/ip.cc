#include "sluice/wire/ip.h"

namespace sluice::wire {

std::string_view to_string(IpError error) {
    switch (error) {
        case IpError::NotIp: return "not IP";
        case IpError::Ipv4Malformed: return "malformed IPv4 header";
        case IpError::Ipv4Checksum: return "wrong IPv4 header checksum";
        case IpError::Ipv4Fragment: return "IPv4 fragment";
        case IpError::Ipv6Malformed: return "malformed IPv6 header";
        case IpError::Ipv6Extension: return "IPv6 extension header";
        case IpError::Truncated: return "truncated IP packet";
    }
    __builtin_unreachable();
}

}  // namespace sluice::wire
