#include "session/framing_codec.h"

#include <algorithm>
#include <array>
#include <random>
#include <utility>

namespace sluice::test {
namespace {

constexpr std::uint16_t kLengthBits = 0x3fff;

}  // namespace

void FramingCodec::start(Instant now, ByteQueue& stream) {
    if (started_) misuse("started twice");
    started_ = true;
    stream.append(as_bytes(kPreface));
    awaiting_ = now + options_.patience;
}

std::size_t FramingCodec::decode(Instant now, ByteView arrived, ByteQueue& text, ByteQueue& stream) {
    if (!started_) misuse("decodes before start");
    ByteView rest = arrived;
    if (greeted_ || take_preface(rest, stream)) {
        while (!failed_ && !rest.empty() && take_frame(rest, text, stream)) {
        }
    }
    const std::size_t taken = arrived.size() - rest.size();
    const bool waited = std::exchange(partial_, !rest.empty() && !failed_);
    if (!greeted_) return taken;
    if (!partial_) awaiting_ = kNever;
    if (partial_ && (!waited || taken != 0)) awaiting_ = now + options_.patience;
    return taken;
}

bool FramingCodec::take_preface(ByteView& arrived, ByteQueue& stream) {
    const std::string_view come = as_text(arrived).substr(0, kPreface.size());
    if (!kPreface.starts_with(come)) {
        fail(stream);
        return false;
    }
    if (come.size() < kPreface.size()) return false;
    greeted_ = true;
    arrived = arrived.subspan(kPreface.size());
    return true;
}

bool FramingCodec::take_frame(ByteView& arrived, ByteQueue& text, ByteQueue& stream) {
    if (options_.transparent) {
        text.append(arrived);
        arrived = {};
        return true;
    }
    if (arrived.size() < 2) return false;
    const std::uint16_t first = load16(arrived.data());
    const std::size_t length = first & kLengthBits;
    if (length > options_.limit) {
        fail(stream);
        return false;
    }
    if (arrived.size() < kHeader + length) return false;
    if (load32(arrived.data() + 2) != taken_ || ended_) {
        fail(stream);
        return false;
    }
    ++taken_;
    take(static_cast<Kind>(first >> 14U), arrived.subspan(kHeader, length), text, stream);
    arrived = arrived.subspan(kHeader + length);
    return true;
}

void FramingCodec::take(Kind kind, ByteView payload, ByteQueue& text, ByteQueue& stream) {
    switch (kind) {
        case Kind::Text:
            if (payload.empty()) ended_ = true;
            text.append(payload);
            return;
        case Kind::Question: append(Kind::Answer, {}, stream); return;
        case Kind::Answer: ++answers_; return;
        case Kind::Complaint: failed_ = complained_of_ = true; return;
    }
}

void FramingCodec::end_of_stream(Instant) {
    if (!started_) misuse("its stream ends before start");
    if (!greeted_ || partial_ || !(ended_ || options_.transparent)) failed_ = true;
}

void FramingCodec::encode(Instant, ByteView text, ByteQueue& stream) {
    if (!greeted_) misuse("encodes before it takes text");
    if (finished_) misuse("encodes behind the end");
    if (failed_) misuse("encodes after it has failed");
    if (options_.transparent) return stream.append(text);
    while (!text.empty()) {
        const ByteView frame = text.first(std::min(text.size(), options_.limit));
        append(Kind::Text, frame, stream);
        text = text.subspan(frame.size());
    }
}

void FramingCodec::finish(Instant, ByteQueue& stream) {
    if (finished_) misuse("finishes twice");
    if (!greeted_) misuse("finishes before it takes text");
    if (failed_) misuse("finishes after it has failed");
    finished_ = true;
    if (!options_.transparent) append(Kind::Text, {}, stream);
}

void FramingCodec::on_timer(Instant now, ByteQueue& stream) {
    if (now >= awaiting_) fail(stream);
}

void FramingCodec::append(Kind kind, ByteView payload, ByteQueue& stream) {
    std::array<std::byte, kHeader> header;
    store16(header.data(), static_cast<std::uint16_t>((static_cast<unsigned>(kind) << 14U) | payload.size()));
    store32(header.data() + 2, sent_++);
    stream.append(header);
    stream.append(payload);
}

void FramingCodec::fail(ByteQueue& stream) {
    if (std::exchange(failed_, true)) return;
    append(Kind::Complaint, {}, stream);
}

void FramingCodec::misuse(const char* how) const {
    if (options_.misuse) *options_.misuse += std::string(how) + "; ";
}

FramedEnd::FramedEnd(std::optional<FramingOptions> framing) {
    if (framing) codec_.emplace(std::move(*framing));
}

void FramedEnd::start(Instant now) {
    ByteQueue stream;
    if (codec_) codec_->start(now, stream);
    move(stream);
    say_waiting(now);
}

void FramedEnd::write(Instant now, std::string_view more) {
    waiting_ += more;
    say_waiting(now);
}

void FramedEnd::finish(Instant now) {
    wants_end_ = true;
    say_waiting(now);
}

void FramedEnd::ask() {
    ByteQueue stream;
    codec_->ask(stream);
    move(stream);
}

void FramedEnd::arrive(Instant now, std::string_view more) {
    if (!codec_) {
        text += more;
        return;
    }
    unread_ += more;
    ByteQueue decoded;
    ByteQueue stream;
    const std::size_t taken = codec_->decode(now, as_bytes(unread_), decoded, stream);
    unread_.erase(0, taken);
    text += as_text(decoded.bytes());
    move(stream);
    say_waiting(now);
}

void FramedEnd::end_of_stream(Instant now) {
    if (codec_) codec_->end_of_stream(now);
    ended_ = true;
}

void FramedEnd::say_waiting(Instant now) {
    if (codec_ && !codec_->takes_text()) return;
    if (!codec_) {
        to_send += std::exchange(waiting_, {});
        return;
    }
    if (codec_->failed()) return;
    ByteQueue stream;
    if (!waiting_.empty()) codec_->encode(now, as_bytes(waiting_), stream);
    waiting_.clear();
    if (wants_end_ && !std::exchange(finished_, true)) codec_->finish(now, stream);
    move(stream);
}

void FramedEnd::move(ByteQueue& stream) { to_send += as_text(stream.bytes()); }

std::string noise(std::size_t size, unsigned seed) {
    std::mt19937 random(seed);
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    return bytes;
}

}  // namespace sluice::test
