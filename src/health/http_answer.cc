#include "sluice/health/http_answer.h"

#include <algorithm>
#include <limits>

namespace sluice::health {
namespace {

constexpr std::string_view kProtocol = "HTTP/1.";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// RFC 9110 section 5.6.2.
bool is_token(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
}

// What a field's value or a reason may be made of (RFC 9110 section 5.5).
bool is_text(std::string_view text) {
    return std::ranges::all_of(
        text, [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7f'); });
}

std::string_view trimmed(std::string_view text) {
    const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

bool same_word(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
    return std::ranges::equal(a, b, {}, lower, lower);
}

int digit_value(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return 16;
}

// All of `text`, which must be nothing but digits and fit.
std::optional<std::uint64_t> number(std::string_view text, unsigned base) {
    if (text.empty()) return std::nullopt;
    std::uint64_t value = 0;
    for (const char c : text) {
        const auto digit = static_cast<unsigned>(digit_value(c));
        if (digit >= base || value > (std::numeric_limits<std::uint64_t>::max() - digit) / base) {
            return std::nullopt;
        }
        value = value * base + digit;
    }
    return value;
}

struct Field {
    std::string_view name;
    std::string_view value;
};

// RFC 9112 section 5. A line that goes on from the one before has no name, and is gone from HTTP/1.1.
std::optional<Field> read_field(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const Field field{.name = line.substr(0, colon), .value = trimmed(line.substr(colon + 1))};
    return is_token(field.name) && is_text(field.value) ? std::optional(field) : std::nullopt;
}

}  // namespace

HttpAnswer::State HttpAnswer::state() const {
    switch (phase_) {
        case Phase::StatusLine:
        case Phase::Field: return State::Head;
        case Phase::Counted:
        case Phase::UntilClose:
        case Phase::ChunkSize:
        case Phase::Chunk:
        case Phase::ChunkEnd:
        case Phase::Trailer: return State::Body;
        case Phase::Complete: return State::Complete;
        case Phase::Malformed: return State::Malformed;
        case Phase::Truncated: return State::Truncated;
    }
    return State::Malformed;  // unreachable: the enumerators are all above
}

void HttpAnswer::end() {
    switch (phase_) {
        case Phase::UntilClose: phase_ = Phase::Complete; return;
        case Phase::Complete:
        case Phase::Malformed: return;
        case Phase::StatusLine:
        case Phase::Field:
        case Phase::Counted:
        case Phase::ChunkSize:
        case Phase::Chunk:
        case Phase::ChunkEnd:
        case Phase::Trailer:
        case Phase::Truncated: phase_ = Phase::Truncated; return;
    }
}

void HttpAnswer::take(ByteView bytes) {
    while (!bytes.empty()) {
        switch (phase_) {
            case Phase::Complete:
            case Phase::Malformed:
            case Phase::Truncated: return;
            case Phase::Counted:
            case Phase::UntilClose:
            case Phase::Chunk: bytes = bytes.subspan(take_body(bytes)); break;
            case Phase::StatusLine:
            case Phase::Field:
            case Phase::ChunkSize:
            case Phase::ChunkEnd:
            case Phase::Trailer:
                take_byte(static_cast<char>(bytes.front()));
                bytes = bytes.subspan(1);
                break;
        }
    }
}

std::size_t HttpAnswer::take_body(ByteView bytes) {
    const bool bounded = phase_ != Phase::UntilClose;
    if (bounded) bytes = bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), left_)));
    body_ += as_text(bytes.first(std::min(bytes.size(), kMostBody - body_.size())));
    if (bounded) {
        left_ -= bytes.size();
        if (left_ == 0) phase_ = phase_ == Phase::Chunk ? Phase::ChunkEnd : Phase::Complete;
    }
    return bytes.size();
}

void HttpAnswer::take_byte(char byte) {
    const bool of_head = phase_ != Phase::ChunkSize && phase_ != Phase::ChunkEnd;
    if (of_head) ++head_;
    if (line_.size() == kMostLine || head_ > kMostHead) {
        phase_ = Phase::Malformed;
        return;
    }
    line_.push_back(byte);
    // What does not even begin like HTTP may never end its line.
    if (phase_ == Phase::StatusLine && line_.size() <= kProtocol.size() &&
        byte != kProtocol[line_.size() - 1]) {
        phase_ = Phase::Malformed;
        return;
    }
    if (byte != '\n') return;
    if (!line_.ends_with("\r\n")) {
        phase_ = Phase::Malformed;
        return;
    }
    on_line(std::string_view(line_).substr(0, line_.size() - 2));
    line_.clear();
}

void HttpAnswer::on_line(std::string_view line) {
    switch (phase_) {
        case Phase::StatusLine: phase_ = on_status_line(line); return;
        case Phase::Field: phase_ = line.empty() ? on_end_of_head() : on_field(line); return;
        case Phase::ChunkSize: phase_ = on_chunk_size(line); return;
        case Phase::ChunkEnd: phase_ = line.empty() ? Phase::ChunkSize : Phase::Malformed; return;
        case Phase::Trailer:
            if (line.empty()) {
                phase_ = Phase::Complete;
            } else if (!read_field(line)) {
                phase_ = Phase::Malformed;
            }
            return;
        case Phase::Counted:
        case Phase::UntilClose:
        case Phase::Chunk:
        case Phase::Complete:
        case Phase::Malformed:
        case Phase::Truncated: return;
    }
}

// RFC 9112 section 4. The space in front of an empty reason is often left out.
HttpAnswer::Phase HttpAnswer::on_status_line(std::string_view line) {
    constexpr std::size_t kCode = kProtocol.size() + 2;
    if (line.size() < kCode + 3 || !is_digit(line[kProtocol.size()]) || line[kCode - 1] != ' ') {
        return Phase::Malformed;
    }
    const auto code = number(line.substr(kCode, 3), 10);
    const std::string_view reason = line.substr(kCode + 3);
    if (!code || *code < 100 || *code > 599) return Phase::Malformed;
    if (!reason.empty() && (reason.front() != ' ' || !is_text(reason))) return Phase::Malformed;
    code_ = static_cast<std::uint16_t>(*code);
    http_1_0_ = line[kProtocol.size()] == '0';
    return Phase::Field;
}

// RFC 9112 section 6. Nobody asked for a coding beside chunked.
HttpAnswer::Phase HttpAnswer::on_field(std::string_view line) {
    const auto field = read_field(line);
    if (!field) return Phase::Malformed;
    if (same_word(field->name, "content-length")) {
        const auto length = number(field->value, 10);
        if (!length || (length_ && *length_ != *length)) return Phase::Malformed;
        length_ = length;
    } else if (same_word(field->name, "transfer-encoding")) {
        if (chunked_ || !same_word(field->value, "chunked")) return Phase::Malformed;
        chunked_ = true;
    }
    return Phase::Field;
}

HttpAnswer::Phase HttpAnswer::on_end_of_head() {
    // Both at once is how one server is made to see another answer than the next.
    if (chunked_ && (length_ || http_1_0_)) return Phase::Malformed;
    constexpr std::uint16_t kSwitchingProtocols = 101;
    if (code_ < 200 && code_ != kSwitchingProtocols) {  // the answer proper is still to come
        if (chunked_ || length_) return Phase::Malformed;
        return Phase::StatusLine;
    }
    status_ = code_;
    if (code_ == kSwitchingProtocols || code_ == 204 || code_ == 304) return Phase::Complete;
    if (chunked_) return Phase::ChunkSize;
    if (!length_) return Phase::UntilClose;
    left_ = *length_;
    return left_ == 0 ? Phase::Complete : Phase::Counted;
}

// RFC 9112 section 7.1.
HttpAnswer::Phase HttpAnswer::on_chunk_size(std::string_view line) {
    const std::size_t digits = std::min(line.find_first_of(" \t;"), line.size());
    const auto size = number(line.substr(0, digits), 16);
    const std::string_view rest = trimmed(line.substr(digits));
    // Blanks are bad manners, but must be taken (section 7.1.1).
    if (!size || (!rest.empty() && rest.front() != ';') || !is_text(rest)) return Phase::Malformed;
    left_ = *size;
    return left_ == 0 ? Phase::Trailer : Phase::Chunk;
}

}  // namespace sluice::health
