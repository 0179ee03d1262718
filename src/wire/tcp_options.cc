// TCP options (RFC 9293 section 3.1). Reading takes them in any order; writing uses one order in which every
// group is a multiple of four bytes, the same that common stacks expect on their fast path.
#include "sluice/wire/tcp_options.h"

#include <algorithm>

namespace sluice::wire {
namespace {

constexpr std::size_t kMaxOptionBytes = 40;

// One option that lies inside the header: kind, and its data without kind and length.
void read_option(std::uint8_t kind, ByteView data, TcpOptions& options) {
    const std::byte* const p = data.data();
    switch (kind) {
        case kTcpOptionMss:
            if (data.size() == 2) options.mss = load16(p);
            return;
        case kTcpOptionWindowScale:
            if (data.size() == 1) options.window_scale = load8(p);
            return;
        case kTcpOptionSackPermitted:
            if (data.empty()) options.sack_permitted = true;
            return;
        case kTcpOptionTimestamps:
            if (data.size() == 8) options.timestamps = TcpTimestamps{load32(p), load32(p + 4)};
            return;
        case kTcpOptionSack: {
            const std::size_t count = data.size() / kSackBlockSize;
            if (count == 0 || count > kMaxSackBlocks || data.size() % kSackBlockSize != 0) return;
            options.sack = {};
            for (std::size_t i = 0; i < count; ++i) {
                options.sack[i] = {load32(p + i * kSackBlockSize), load32(p + i * kSackBlockSize + 4)};
            }
            options.sack_count = static_cast<std::uint8_t>(count);
            return;
        }
        default: return;  // RFC 9293 MUST-6: unknown options are ignored
    }
}

// Bytes of everything but SACK blocks.
std::size_t fixed_size(const TcpOptions& options) {
    std::size_t size = 0;
    if (options.mss) size += 4;
    if (options.timestamps) {
        size += 12;  // SACK permitted stands where the two NOPs would
    } else if (options.sack_permitted) {
        size += 4;
    }
    if (options.window_scale) size += 4;
    return size;
}

std::size_t sack_blocks_that_fit(const TcpOptions& options) {
    const std::size_t room = kMaxOptionBytes - fixed_size(options) - 4;
    return std::min({std::size_t{options.sack_count}, kMaxSackBlocks, room / kSackBlockSize});
}

class Writer {
  public:
    explicit Writer(std::byte* out) : begin_(out), p_(out) {}
    void byte(std::uint8_t v) { store8(p_++, v); }
    void option(std::uint8_t kind, std::size_t data_size) {
        byte(kind);
        byte(static_cast<std::uint8_t>(data_size + 2));
    }
    void word(std::uint32_t v) {
        store32(p_, v);
        p_ += 4;
    }
    void half(std::uint16_t v) {
        store16(p_, v);
        p_ += 2;
    }
    std::size_t written() const { return static_cast<std::size_t>(p_ - begin_); }

  private:
    std::byte* begin_;
    std::byte* p_;
};

void write_nops(Writer& w) {
    w.byte(kTcpOptionNop);
    w.byte(kTcpOptionNop);
}

}  // namespace

std::optional<TcpOptions> parse_tcp_options(ByteView option_bytes) {
    TcpOptions options;
    return read_tcp_options(option_bytes, options) ? std::optional(options) : std::nullopt;
}

bool read_tcp_options(ByteView option_bytes, TcpOptions& options) {
    if (option_bytes.size() == 12 && load32(option_bytes.data()) == kAlignedTimestamps) {
        options.timestamps = TcpTimestamps{load32(option_bytes.data() + 4), load32(option_bytes.data() + 8)};
        return true;
    }
    while (!option_bytes.empty()) {
        const std::uint8_t kind = load8(option_bytes.data());
        if (kind == kTcpOptionEnd) break;
        if (kind == kTcpOptionNop) {
            option_bytes = option_bytes.subspan(1);
            continue;
        }
        // RFC 9293 MUST-7: an illegal length must not lead anywhere.
        if (option_bytes.size() < 2) return false;
        const std::size_t length = load8(option_bytes.data() + 1);
        if (length < 2 || length > option_bytes.size()) return false;
        read_option(kind, option_bytes.subspan(2, length - 2), options);
        option_bytes = option_bytes.subspan(length);
    }
    return true;
}

std::size_t tcp_options_size(const TcpOptions& options) {
    const std::size_t blocks = sack_blocks_that_fit(options);
    return fixed_size(options) + (blocks == 0 ? 0 : 4 + blocks * kSackBlockSize);
}

std::size_t write_tcp_options(const TcpOptions& options, ByteSpan out) {
    Writer w(out.data());
    if (options.mss) {
        w.option(kTcpOptionMss, 2);
        w.half(*options.mss);
    }
    if (options.sack_permitted) {
        if (!options.timestamps) write_nops(w);
        w.option(kTcpOptionSackPermitted, 0);
    } else if (options.timestamps) {
        write_nops(w);
    }
    if (options.timestamps) {
        w.option(kTcpOptionTimestamps, 8);
        w.word(options.timestamps->value);
        w.word(options.timestamps->echo);
    }
    if (options.window_scale) {
        w.byte(kTcpOptionNop);
        w.option(kTcpOptionWindowScale, 1);
        w.byte(*options.window_scale);
    }
    if (const std::size_t blocks = sack_blocks_that_fit(options); blocks > 0) {
        write_nops(w);
        w.option(kTcpOptionSack, blocks * kSackBlockSize);
        for (std::size_t i = 0; i < blocks; ++i) {
            w.word(options.sack[i].left);
            w.word(options.sack[i].right);
        }
    }
    return w.written();
}

}  // namespace sluice::wire
