// Reader of an HTTP/1.x answer to a GET, as far as a probe needs it: its status, where it ends, and the first
// bytes of its body. Strict and bounded (RFC 9112): what is ambiguous is malformed, and nothing is kept but
// one line and that much of the body. Bytes may come in pieces of any size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/bytes.h"

namespace sluice::health {

class HttpAnswer {
  public:
    static constexpr std::size_t kMostBody = 16 * 1024;  // bytes of the body that are kept
    static constexpr std::size_t kMostLine = 8 * 1024;
    static constexpr std::size_t kMostHead = 32 * 1024;  // all lines of all heads and of the trailers

    enum class State : std::uint8_t {
        Head,       // the status line and fields are not all there
        Body,       // the body is not all there
        Complete,   // whatever follows is ignored
        Malformed,  // likewise
        Truncated,  // the server closed before the end
    };

    void take(ByteView bytes);
    // The server has closed its side, which may be what ends the body.
    void end();

    State state() const;
    // Of the final answer, interim ones (1xx) aside; 100 to 599. 0 until its head is complete.
    std::uint16_t status() const { return status_; }
    // The beginning of the body, without transfer coding.
    const std::string& body() const { return body_; }

  private:
    enum class Phase : std::uint8_t {
        StatusLine,
        Field,
        Counted,     // body of Content-Length
        UntilClose,  // body that the end of the connection ends
        ChunkSize,
        Chunk,
        ChunkEnd,
        Trailer,
        Complete,
        Malformed,
        Truncated,
    };
    std::size_t take_body(ByteView bytes);
    void take_byte(char byte);
    void on_line(std::string_view line);
    Phase on_status_line(std::string_view line);
    Phase on_field(std::string_view line);
    Phase on_end_of_head();
    Phase on_chunk_size(std::string_view line);

    Phase phase_ = Phase::StatusLine;
    std::string line_;
    std::size_t head_ = 0;    // bytes of lines so far, those of chunks aside
    std::uint64_t left_ = 0;  // of the body, or of the chunk
    std::uint16_t code_ = 0;  // of the head being read
    std::uint16_t status_ = 0;
    bool http_1_0_ = false;
    bool chunked_ = false;
    std::optional<std::uint64_t> length_;
    std::string body_;
};

}  // namespace sluice::health
