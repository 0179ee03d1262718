#include "sluice/session/codec.h"

#include <algorithm>
#include <utility>

namespace sluice::session {
namespace {

bool takes_more(const Codec& codec) { return codec.takes_text() && !codec.failed(); }

}  // namespace

CodecChain::CodecChain(std::vector<std::unique_ptr<Codec>> codecs) {
    for (std::unique_ptr<Codec>& codec : codecs) stages_.emplace_back().codec = std::move(codec);
}

void CodecChain::start(Instant now) {
    for (Stage& stage : stages_) stage.codec->start(now, stage.stream);
    send_down(now);
}

std::size_t CodecChain::decode(Instant now, ByteView arrived) {
    Stage& first = stages_.front();
    const std::size_t taken = first.codec->decode(now, arrived, first.text, first.stream);
    for (std::size_t i = 1; i < stages_.size(); ++i) {
        ByteQueue& below = stages_[i - 1].text;
        Stage& stage = stages_[i];
        while (below.size() != 0) {
            const std::size_t n = stage.codec->decode(now, below.bytes(), stage.text, stage.stream);
            if (n == 0) break;
            below.drop(n);
        }
        if (stages_[i - 1].codec->text_ended()) end(now, stage);
    }
    send_down(now);
    return taken;
}

void CodecChain::end_of_stream(Instant now) {
    for (Stage& stage : stages_) end(now, stage);
}

void CodecChain::end(Instant now, Stage& stage) {
    if (!std::exchange(stage.at_end, true)) stage.codec->end_of_stream(now);
}

// Where a lower codec's text has ended within a unit of an upper one, text is missing.
bool CodecChain::text_ended() const {
    for (auto stage = stages_.rbegin(); stage != stages_.rend(); ++stage) {
        if (stage->codec->text_ended()) return true;
        if (stage->codec->failed()) return false;
    }
    return false;
}

bool CodecChain::takes_text() const {
    return std::ranges::all_of(stages_, [](const Stage& stage) { return takes_more(*stage.codec); });
}

void CodecChain::encode(Instant now, ByteView text) {
    stages_.back().codec->encode(now, text, stages_.back().stream);
    send_down(now);
}

void CodecChain::finish(Instant now) {
    for (std::size_t i = stages_.size(); i-- > 0;) {
        Stage& stage = stages_[i];
        stage.finished = true;
        if (takes_more(*stage.codec)) stage.codec->finish(now, stage.stream);
        send_down(now);
    }
}

bool CodecChain::failed() const {
    return std::ranges::any_of(stages_, [](const Stage& stage) { return stage.codec->failed(); });
}

bool CodecChain::transparent() const {
    return std::ranges::all_of(stages_, [](const Stage& stage) { return stage.codec->transparent(); });
}

bool CodecChain::quiet() const {
    return std::ranges::all_of(stages_, [](const Stage& stage) {
        return stage.codec->quiet() && stage.text.size() == 0 && stage.stream.size() == 0;
    });
}

std::optional<SocketAddress> CodecChain::identity() const {
    for (const Stage& stage : stages_) {
        if (const auto named = stage.codec->identity()) return named;
    }
    return std::nullopt;
}

Instant CodecChain::next_deadline() const {
    Instant earliest = kNever;
    if (failed()) return earliest;
    for (const Stage& stage : stages_) earliest = std::min(earliest, stage.codec->next_deadline());
    return earliest;
}

void CodecChain::on_timer(Instant now) {
    for (Stage& stage : stages_) {
        if (stage.codec->next_deadline() <= now) stage.codec->on_timer(now, stage.stream);
    }
    send_down(now);
}

std::size_t CodecChain::unsent() const {
    std::size_t sum = 0;
    for (const Stage& stage : stages_) sum += stage.stream.size();
    return sum;
}

void CodecChain::drop_unsent() {
    for (Stage& stage : stages_) stage.stream.drop(stage.stream.size());
}

void CodecChain::shrink() {
    for (Stage& stage : stages_) {
        if (stage.text.size() == 0) stage.text = {};
        if (stage.stream.size() == 0) stage.stream = {};
    }
}

std::size_t CodecChain::memory_bytes() const {
    std::size_t sum = sizeof *this + buffer_bytes();
    for (const Stage& stage : stages_) sum += sizeof stage + stage.codec->memory_bytes();
    return sum;
}

std::size_t CodecChain::buffer_bytes() const {
    std::size_t sum = 0;
    for (const Stage& stage : stages_) sum += stage.text.buffer_bytes() + stage.stream.buffer_bytes();
    return sum;
}

// What a codec has to send is text to the one below; behind that one's end it is for nobody.
void CodecChain::send_down(Instant now) {
    for (std::size_t i = stages_.size() - 1; i > 0; --i) {
        Stage& below = stages_[i - 1];
        ByteQueue& queue = stages_[i].stream;
        if (queue.size() == 0) continue;
        const bool over = below.finished || below.codec->failed();
        if (!over && !below.codec->takes_text()) continue;
        if (!over) below.codec->encode(now, queue.bytes(), below.stream);
        queue.drop(queue.size());
    }
}

}  // namespace sluice::session
