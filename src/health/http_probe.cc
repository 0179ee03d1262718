#include "sluice/health/http_probe.h"

namespace sluice::health {
namespace {

using backend::Outcome;
using backend::ProbeFailure;

// RFC 9112 section 3.2. Nothing is said of codings that would be taken, so that the body comes as it is.
std::vector<std::byte> request(const std::string& path, const SocketAddress& peer) {
    constexpr std::uint16_t kHttpPort = 80;
    std::string host = peer.to_string();  // an IPv6 address in brackets, as HTTP wants it
    if (peer.port == kHttpPort) host.resize(host.rfind(':'));
    const std::string text = "GET " + path + " HTTP/1.1\r\nHost: " + host +
                             "\r\nUser-Agent: sluice\r\nAccept: */*\r\nConnection: close\r\n\r\n";
    const ByteView bytes = as_bytes(text);
    return {bytes.begin(), bytes.end()};
}

}  // namespace

HttpProbe::HttpProbe(const Options& options, const config::Health& health, const SocketAddress& peer)
    : StreamProbe(options, request(health.path, peer)),
      expect_from_(health.expect_from),
      expect_to_(health.expect_to),
      expect_body_(health.expect_body) {}

StreamProbe::Step HttpProbe::on_bytes(ByteView bytes) {
    answer_.take(bytes);
    return {.taken = bytes.size(), .reply = {}, .verdict = judge()};
}

Outcome HttpProbe::on_end() {
    answer_.end();
    return judge().value_or(ProbeFailure::Closed);
}

// Not while the answer is on its way.
bool HttpProbe::closes_first() const {
    switch (answer_.state()) {
        case HttpAnswer::State::Head:
        case HttpAnswer::State::Body: return false;
        case HttpAnswer::State::Complete:
        case HttpAnswer::State::Malformed:
        case HttpAnswer::State::Truncated: return true;
    }
    return true;  // unreachable: the enumerators are all above
}

std::optional<Outcome> HttpProbe::judge() {
    const HttpAnswer::State state = answer_.state();
    const std::uint16_t status = answer_.status();
    if (status == 0) {
        return state == HttpAnswer::State::Malformed ? std::optional<Outcome>(ProbeFailure::Protocol)
                                                     : std::nullopt;
    }
    if (status < expect_from_ || status > expect_to_) return Outcome(ProbeFailure::BadStatus, status);
    if (expect_body_.empty()) return ProbeFailure::None;
    const std::string& body = answer_.body();
    if (body.find(expect_body_, searched_) != std::string::npos) return ProbeFailure::None;
    if (body.size() >= expect_body_.size()) searched_ = body.size() - expect_body_.size() + 1;
    switch (state) {
        case HttpAnswer::State::Malformed: return ProbeFailure::Protocol;
        case HttpAnswer::State::Truncated: return ProbeFailure::Closed;
        case HttpAnswer::State::Complete: return ProbeFailure::BadBody;
        case HttpAnswer::State::Head:
        case HttpAnswer::State::Body: break;
    }
    return body.size() == HttpAnswer::kMostBody ? std::optional<Outcome>(ProbeFailure::BadBody)
                                                : std::nullopt;
}

}  // namespace sluice::health
