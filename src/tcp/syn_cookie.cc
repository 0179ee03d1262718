// See syn_cookie.h.
#include "sluice/tcp/syn_cookie.h"

#include <algorithm>

#include "endpoint_impl.h"
#include "sluice/base/bytes.h"

namespace sluice::tcp {
namespace {

// Never more than the client said: what is above its MSS would not reach it.
constexpr std::array<std::uint16_t, 4> kMssV4{kSmallestMss, 536, 1300, 1460};
constexpr std::array<std::uint16_t, 4> kMssV6{kSmallestMss, 536, 1220, 1440};

constexpr std::uint32_t kNoteMask = 0x1f;
constexpr std::uint8_t kNoScale = 0xf;
constexpr std::uint8_t kSack = 0x10;
constexpr std::uint8_t kNoTimestamps = 0xff;  // in place of a note

const std::array<std::uint16_t, 4>& sizes(const FourTuple& tuple) {
    return tuple.remote.address.is_v4() ? kMssV4 : kMssV6;
}

std::uint32_t period(Instant now) {
    return static_cast<std::uint32_t>(now.time_since_epoch() / kCookiePeriod);
}

// As long as no other input that the key is used with (isn.cc).
std::uint32_t hash(const SipKey& key, const FourTuple& tuple, Seq client, std::uint32_t period,
                   const Announcement& announced, std::uint8_t note) {
    std::array<std::byte, 51> input;
    std::byte* at = input.data();
    for (const SocketAddress* end : {&tuple.local, &tuple.remote}) {
        at = std::ranges::copy(std::as_bytes(end->address.bytes()), at).out;
        store16(at, end->port);
        at += 2;
    }
    store32(at, client.value());
    store32(at + 4, period);
    store16(at + 8, announced.mss);
    store16(at + 10, announced.window);
    store8(at + 12, announced.window_scale.value_or(kNoScale));
    store8(at + 13, static_cast<std::uint8_t>((announced.sack ? 1 : 0) | (announced.timestamps ? 2 : 0)));
    store8(at + 14, note);
    return static_cast<std::uint32_t>(siphash24(key, input));
}

bool agrees_on_timestamps(const EndpointOptions& options, const Segment& syn) {
    return options.timestamps && syn.options.timestamps.has_value();
}

Segment syn_of(const Segment& ack, std::uint16_t mss, std::uint8_t note) {
    Segment syn;
    syn.seq = ack.seq.retreat(1);
    syn.flags.syn = true;
    syn.options.mss = mss;
    if (note == kNoTimestamps) return syn;
    if ((note & kNoScale) != kNoScale) syn.options.window_scale = note & kNoScale;
    syn.options.sack_permitted = (note & kSack) != 0;
    syn.options.timestamps = wire::TcpTimestamps{.value = ack.options.timestamps->value, .echo = 0};
    return syn;
}

}  // namespace

Announcement announcement_of(const EndpointOptions& options) {
    return {.mss = options.receive_mss,
            .window = first_window(options),
            .window_scale = options.window_scale,
            .sack = options.sack,
            .timestamps = options.timestamps};
}

void keep_announced(const Announcement& announced, EndpointOptions& options) {
    options.receive_mss = announced.mss;
    options.receive_window = announced.window;
    options.receive_buffer = std::max<std::uint32_t>(options.receive_buffer, announced.window);
    options.window_scale = announced.window_scale;
    options.sack = announced.sack;
    options.timestamps = announced.timestamps;
}

bool cookie_holds(const EndpointOptions& options, const Segment& syn) {
    const bool scales = options.window_scale && syn.options.window_scale;
    const bool sack = options.sack && syn.options.sack_permitted;
    return agrees_on_timestamps(options, syn) || (!scales && !sack);
}

void restrict_to_cookie(EndpointOptions& options, const Segment& syn) {
    if (cookie_holds(options, syn)) return;
    options.window_scale.reset();
    options.sack = false;
}

std::uint8_t cookie_note(const EndpointOptions& options, const Segment& syn) {
    std::uint8_t note = kNoScale;
    if (options.window_scale && syn.options.window_scale) {
        note = std::min(*syn.options.window_scale, wire::kMaxWindowScale);
    }
    return options.sack && syn.options.sack_permitted ? note | kSack : note;
}

// The next value below that says it: a clock that was ahead would go back with the next segment.
Segment with_cookie_note(Segment syn_ack, std::uint8_t note) {
    if (!syn_ack.options.timestamps) return syn_ack;
    std::uint32_t& value = syn_ack.options.timestamps->value;
    const std::uint32_t noted = (value & ~kNoteMask) | note;
    value = noted > value ? noted - (kNoteMask + 1) : noted;
    return syn_ack;
}

Seq SynCookies::sequence_for(Instant now, const FourTuple& tuple, const Segment& syn,
                             const EndpointOptions& options) {
    const Announcement announced = announcement_of(options);
    const auto same = std::ranges::find(sent_, announced, &Sent::announced);
    if (same == sent_.end()) sent_.back().announced = announced;
    std::rotate(sent_.begin(), std::min(same, sent_.end() - 1), std::min(same, sent_.end() - 1) + 1);
    sent_.front().last = now;

    const std::uint16_t said = syn.options.mss.value_or(0);
    const std::uint16_t mss = std::max(said != 0 ? said : options.default_send_mss, kSmallestMss);
    const auto index = std::ranges::upper_bound(sizes(tuple), mss) - sizes(tuple).begin() - 1;
    const std::uint8_t note = agrees_on_timestamps(options, syn) ? cookie_note(options, syn) : kNoTimestamps;
    return Seq(hash(key_, tuple, syn.seq, period(now), announced, note))
        .advance(static_cast<std::uint32_t>(index));
}

std::optional<SynCookies::Opening> SynCookies::open(Instant now, const FourTuple& tuple,
                                                    const Segment& ack) const {
    if (!may_carry_cookie(ack)) return std::nullopt;
    const Seq initial = ack.ack.retreat(1);
    for (const Sent& sent : sent_) {
        if (!sent.may_return(now)) continue;
        // Timestamps are sent by all that have agreed on them, and by no others.
        const bool timestamps = ack.options.timestamps && sent.announced.timestamps;
        const auto note =
            timestamps ? static_cast<std::uint8_t>(ack.options.timestamps->echo & kNoteMask) : kNoTimestamps;
        for (const std::uint32_t age : {0U, 1U}) {
            const Seq first(hash(key_, tuple, ack.seq.retreat(1), period(now) - age, sent.announced, note));
            const std::uint32_t index = initial.since(first);
            if (index >= sizes(tuple).size()) continue;
            return Opening{.initial_sequence = initial,
                           .announced = sent.announced,
                           .syn = syn_of(ack, sizes(tuple)[index], note)};
        }
    }
    return std::nullopt;
}

bool SynCookies::sent_lately(Instant now) const {
    return std::ranges::any_of(sent_, [&](const Sent& sent) { return sent.may_return(now); });
}

}  // namespace sluice::tcp
