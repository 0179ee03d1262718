// Any option bytes: what was read can be written in whole words, and reads back the same once it is in the
// writer's form.
#include <array>
#include <cstddef>
#include <cstdint>

#include "check.h"
#include "sluice/wire/tcp_options.h"

using namespace sluice;

namespace {

wire::TcpOptions write_and_read(const wire::TcpOptions& options) {
    std::array<std::byte, 40> out;
    const std::size_t size = wire::tcp_options_size(options);
    check(size <= out.size() && size % 4 == 0);
    check(wire::write_tcp_options(options, ByteSpan(out).first(size)) == size);
    const auto back = wire::parse_tcp_options(ByteView(out).first(size));
    check(back.has_value());
    return *back;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto options = wire::parse_tcp_options(std::as_bytes(std::span(data, size)));
    if (!options) return 0;
    const wire::TcpOptions once = write_and_read(*options);
    check(once.mss == options->mss && once.window_scale == options->window_scale &&
          once.sack_permitted == options->sack_permitted && once.timestamps == options->timestamps &&
          once.sack_count <= options->sack_count);  // blocks that do not fit are left out
    for (std::size_t i = 0; i < once.sack_count; ++i) check(once.sack[i] == options->sack[i]);
    check(write_and_read(once) == once);
    return 0;
}
