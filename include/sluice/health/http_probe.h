// An HTTP probe: GET, and the status of the answer, perhaps a text in its body. The server is asked to close,
// and it does so first, because many take an early end of the client for a broken one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "sluice/health/http_answer.h"
#include "sluice/health/stream_probe.h"

namespace sluice::health {

class HttpProbe final : public StreamProbe {
  public:
    // health: path, expect_from, expect_to and expect_body are used. peer: named as Host.
    HttpProbe(const Options& options, const config::Health& health, const SocketAddress& peer);

  private:
    Step on_bytes(ByteView bytes) override;
    backend::Outcome on_end() override;
    bool closes_first() const override;
    std::optional<backend::Outcome> judge();

    HttpAnswer answer_;
    std::uint16_t expect_from_;
    std::uint16_t expect_to_;
    std::string expect_body_;
    std::size_t searched_ = 0;  // bytes of the body in which the text does not begin
};

}  // namespace sluice::health
