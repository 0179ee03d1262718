// The client's CONNECT, read before any broker is involved, and what a client that cannot go on is told.
#include <algorithm>

#include "session/parts.h"
#include "sluice/backend/routing.h"
#include "sluice/mqtt/packet.h"
#include "sluice/session/session.h"

namespace sluice::session {
namespace {

struct Rejection {
    Counter counter;
    mqtt::Refusal refusal;
};

Rejection rejection_of(mqtt::ConnectError error) {
    using mqtt::ConnectError;
    using mqtt::Refusal;
    switch (error) {
        case ConnectError::NotConnect: return {Counter::ConnectNotConnect, Refusal::ProtocolError};
        case ConnectError::ReservedHeaderFlags:
            return {Counter::ConnectReservedHeaderFlags, Refusal::MalformedPacket};
        case ConnectError::BadRemainingLength:
            return {Counter::ConnectBadRemainingLength, Refusal::MalformedPacket};
        case ConnectError::TooLarge: return {Counter::ConnectTooLarge, Refusal::PacketTooLarge};
        case ConnectError::BadProtocolName: return {Counter::ConnectBadProtocolName, Refusal::ProtocolError};
        case ConnectError::UnsupportedVersion:
            return {Counter::ConnectUnsupportedVersion, Refusal::UnsupportedVersion};
        case ConnectError::ReservedConnectFlag:
            return {Counter::ConnectReservedConnectFlag, Refusal::MalformedPacket};
        case ConnectError::BadWillFlags: return {Counter::ConnectBadWillFlags, Refusal::MalformedPacket};
        case ConnectError::PasswordWithoutUsername:
            return {Counter::ConnectPasswordWithoutUsername, Refusal::MalformedPacket};
        case ConnectError::BadString: return {Counter::ConnectBadString, Refusal::MalformedPacket};
        case ConnectError::EmptyClientId: return {Counter::ConnectEmptyClientId, Refusal::ClientIdNotValid};
        case ConnectError::UnknownProperty: return {Counter::ConnectBadProperty, Refusal::MalformedPacket};
        case ConnectError::BadProperty: return {Counter::ConnectBadProperty, Refusal::ProtocolError};
        case ConnectError::DuplicateProperty:
            return {Counter::ConnectDuplicateProperty, Refusal::ProtocolError};
        case ConnectError::BadPropertyLength:
            return {Counter::ConnectBadPropertyLength, Refusal::MalformedPacket};
        case ConnectError::FieldPastEnd: return {Counter::ConnectFieldPastEnd, Refusal::MalformedPacket};
        case ConnectError::TrailingBytes: return {Counter::ConnectTrailingBytes, Refusal::MalformedPacket};
    }
    return {Counter::ConnectNotConnect, Refusal::ProtocolError};
}

Rejection rejection_of(config::RouteRefusal refusal) {
    switch (refusal) {
        case config::RouteRefusal::NotAuthorized:
            return {Counter::RefusedByRoute, mqtt::Refusal::NotAuthorized};
        case config::RouteRefusal::Unavailable:
            return {Counter::RefusedByRoute, mqtt::Refusal::ServerUnavailable};
    }
    return {Counter::RefusedByRoute, mqtt::Refusal::NotAuthorized};
}

// Before MQTT 5 a session that is not clean has no end.
std::uint32_t session_expiry_of(const mqtt::Connect& connect) {
    if (connect.version == mqtt::Version::V5) return connect.session_expiry;
    return connect.clean_start ? 0 : kNeverExpires;
}

}  // namespace

void Session::step_await_connect(Instant now) {
    make_room_for_codecs();
    if (c_.client_leg.closed()) {
        count_ending(Counter::ClientClosedEarly);
        end(now);
        return;
    }
    if (c_.client_leg.readable() != 0) {
        std::vector<std::byte> scratch;
        const ByteView bytes = c_.client_leg.contiguous(scratch);
        const mqtt::ConnectResult result = mqtt::read_connect(bytes, listener().config.max_connect_size);
        if (const auto* connect = std::get_if<mqtt::Connect>(&result)) {
            accept_connect(now, *connect, bytes.first(connect->size));
            return;
        }
        if (const auto* malformed = std::get_if<mqtt::Malformed>(&result)) {
            const Rejection rejection = rejection_of(malformed->reason);
            refuse(now, malformed->version, rejection.refusal, rejection.counter);
            return;
        }
        make_room_for_connect(bytes);
    }
    if (c_.client_leg.peer_finished() || c_.client_leg.failed())
        refuse(now, std::nullopt, mqtt::Refusal::ProtocolError, Counter::ClientClosedEarly);
}

// The first window is for the text: what codecs take for themselves, or the beginning of a unit that is
// larger, does not use it up.
void Session::make_room_for_codecs() {
    if (c_.client_leg.transparent()) return;
    const std::size_t come = c_.client_leg.readable();
    const std::size_t room = c_.first_window - std::min<std::size_t>(c_.first_window, come);
    c_.client_leg.allow(s_.waiting.reach(static_cast<std::uint32_t>(room)));
}

// A CONNECT larger than the first window must come all the same. What may follow it is half of that window: a
// broker that has read so much has at least this free again, and less would make a sender with more to say
// wait for its timer (RFC 9293 section 3.8.6.2.1), be it with the CONNECT's last bytes. While memory is short
// the CONNECT comes in smaller steps.
void Session::make_room_for_connect(ByteView bytes) {
    const auto result = mqtt::read_packet_header(bytes);
    const auto* const header = std::get_if<mqtt::PacketHeader>(&result);
    if (header == nullptr) return;
    const std::size_t size = header->size + header->remaining;
    if (size <= c_.first_window / 2) return;
    const std::size_t missing = size - bytes.size() + c_.first_window / 2;
    c_.client_leg.allow(s_.waiting.reach(static_cast<std::uint32_t>(missing)));
}

void Session::accept_connect(Instant now, const mqtt::Connect& connect, ByteView packet) {
    count(Counter::ConnectAccepted);
    if (const auto named = c_.client_leg.identity()) c_.identity = *named;
    s_.stats.asked(connect.version, connect.clean_start, connect.keep_alive);
    c_.version = connect.version;
    c_.client_id.assign(connect.client_id);
    // The packet's own bytes are gone once the endpoint has let go of them.
    const auto username = connect.username ? std::optional<std::string>(*connect.username) : std::nullopt;
    c_.keep_alive = connect.keep_alive;
    c_.persistent = connect.persistent();
    c_.session_expiry = session_expiry_of(connect);
    c_.connect_packet.assign(packet.begin(), packet.end());
    // The copy is what brokers are given; the endpoint's room is for what the client pipelines behind it.
    c_.client_leg.consume(now, packet.size(), to_client_);
    c_.bytes_from_client += packet.size();

    const backend::ClientFacts facts{.listener = c_.listener,
                                     .version = connect.version,
                                     .client_id = c_.client_id,
                                     .username = username,
                                     .address = c_.identity.address};
    const backend::Routed routed = backend::route(*s_.snapshot, facts);
    if (routed.refuse) {
        const Rejection rejection = rejection_of(*routed.refuse);
        refuse(now, c_.version, rejection.refusal, rejection.counter);
        return;
    }
    c_.pool = routed.pool;
    c_.key = backend::balancing_key(pool(), facts);
    recall(now);
    try_next(now);
}

// version: the dialect to refuse in; nullopt where it was not read, then 3.1.1 can say at least "unacceptable
// protocol version", and everything else is a plain close.
void Session::refuse(Instant now, std::optional<mqtt::Version> version, mqtt::Refusal refusal,
                     Counter reason) {
    count_ending(reason);
    const bool speaks = version || refusal == mqtt::Refusal::UnsupportedVersion;
    if (speaks) {
        const auto connack = mqtt::write_refusal(version.value_or(mqtt::Version::V311), refusal);
        if (!connack.empty()) {
            c_.client_leg.write(now, connack, to_client_);
            count(Counter::ConnackRefusalsSent);
        }
    }
    c_.client_leg.shutdown(now, to_client_);
    c_.phase = Phase::Refusing;
    c_.attempt_deadline = now + kRefusalLinger;
}

void Session::step_refusing(Instant now) {
    // What a refused client still sends is not for anybody.
    c_.client_leg.consume(now, c_.client_leg.readable(), to_client_);
    c_.client_leg.allow(s_.waiting.reach(c_.first_window));
    if (c_.client_leg.over()) c_.phase = Phase::Closing;
}

}  // namespace sluice::session
