#include "worker/splice/story.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace sluice::test {
namespace {

constexpr std::uint16_t kUsualWindow = 500;

std::string trace(const std::source_location& here) {
    return std::string(here.file_name()) + ":" + std::to_string(here.line());
}

std::int32_t distance(std::uint32_t from, std::uint32_t to) { return static_cast<std::int32_t>(to - from); }
std::uint32_t beyond(std::uint32_t zero, std::int32_t by) { return zero + static_cast<std::uint32_t>(by); }

wire::TcpFlags flags_from(const std::string& letters) {
    const auto has = [&](char c) { return letters.find(c) != std::string::npos; };
    return {.fin = has('F'),
            .syn = has('S'),
            .rst = has('R'),
            .psh = has('P'),
            .ack = has('.'),
            .ece = has('E'),
            .cwr = has('W')};
}

std::string letters(wire::TcpFlags f) {
    std::string s;
    for (const auto& [set, letter] :
         {std::pair{f.syn, 'S'}, std::pair{f.fin, 'F'}, std::pair{f.rst, 'R'}, std::pair{f.psh, 'P'},
          std::pair{f.ece, 'E'}, std::pair{f.cwr, 'W'}, std::pair{f.ack, '.'}}) {
        if (set) s += letter;
    }
    return s.empty() ? "-" : s;
}

std::pair<std::int32_t, std::int32_t> pair_from(const std::string& word, char separator) {
    const std::size_t at = word.find(separator);
    if (at == std::string::npos) throw std::invalid_argument("not a pair: " + word);
    return {std::stoi(word.substr(0, at)), std::stoi(word.substr(at + 1))};
}

wire::TcpOptions options_of(const Actor& actor) {
    wire::TcpOptions options{.mss = actor.mss, .window_scale = actor.scale, .sack_permitted = actor.sack};
    if (actor.timestamps) options.timestamps = wire::TcpTimestamps{.value = actor.clock, .echo = 0};
    return options;
}

}  // namespace

Plot over(bool ipv6, Plot plot) {
    plot.setup.ipv6 = ipv6;
    return plot;
}

Story::Story(const Plot& plot_) : plot(plot_), lab(plot_.setup), tap(lab) {
    lab.now += plot.later;
    if (plot.prepare) plot.prepare(lab);
    lab.clients.deaf_tcp = true;
    for (const auto& b : lab.brokers) b->host.deaf_tcp = true;
    open();
    tap.tcp.clear();
    tap.frames.clear();
    noted_ = 0;
    counts.restart();
}

// Both handshakes, CONNECT and CONNACK, in one moment of time.
void Story::open() {
    Leg& c = leg(Side::Client);
    Leg& b = leg(Side::Broker);
    c.preface = connect_packet(plot.id, plot.version, plot.keep_alive);
    b.preface = plot.version == mqtt::Version::V5 ? std::string("\x20\x03\x00\x00\x00", 5) : kConnackAccepted;
    timestamps_ = plot.client.timestamps;

    const auto seen = [&](Side side, const char* what) {
        const auto of_side = [&](const SeenSegment& s) { return s.port == static_cast<std::uint16_t>(side); };
        const auto last = std::find_if(tap.tcp.rbegin(), tap.tcp.rend(), of_side);
        if (last == tap.tcp.rend()) throw std::runtime_error(std::string("Sluice sent no ") + what);
        return *last;
    };
    c.remote = plot.from.value_or(lab.next_client_address());
    c.local = lab.listener();
    c.remote_zero = plot.client.first + 1 + static_cast<std::uint32_t>(c.preface.size());
    c.remote_clock = plot.client.clock;
    c.mac = RawSegment{}.source_mac;
    c.own_mac = Lab::kFrontMac;
    RawSegment syn{.from = c.remote,
                   .to = c.local,
                   .sequence = plot.client.first,
                   .flags = {.syn = true},
                   .options = options_of(plot.client)};
    lab.inject(0, make_segment(syn));
    lab.settle();
    const SeenSegment syn_ack = seen(Side::Client, "SYN-ACK");
    if (plot.round_trip != Duration::zero()) lab.run(plot.round_trip);
    c.local_zero = syn_ack.tcp.sequence + 1 + static_cast<std::uint32_t>(b.preface.size());
    if (syn_ack.tcp.options.timestamps) c.local_clock = syn_ack.tcp.options.timestamps->value;
    const std::string before_connack = " ack -" + std::to_string(b.preface.size());
    client("P. -" + std::to_string(c.preface.size()) + ":0" + before_connack +
           (plot.client.forgets_them ? " nots" : ""));

    const SeenSegment upstream = seen(Side::Broker, "SYN to the broker");
    b.remote = upstream.to;
    b.local = upstream.from;
    b.remote_zero = plot.broker.first + 1 + static_cast<std::uint32_t>(b.preface.size());
    b.local_zero = upstream.tcp.sequence + 1 + static_cast<std::uint32_t>(c.preface.size());
    b.remote_clock = plot.broker.clock;
    const auto broker_host = std::ranges::find_if(
        lab.brokers, [&](const auto& x) { return x->host.addresses[0] == b.remote.address; });
    b.mac = (*broker_host)->host.mac;
    b.own_mac = Lab::kBackMac;
    RawSegment answer{.from = b.remote,
                      .to = b.local,
                      .sequence = plot.broker.first,
                      .acknowledgement = upstream.tcp.sequence + 1,
                      .flags = {.syn = true, .ack = true},
                      .options = options_of(plot.broker),
                      .source_mac = b.mac,
                      .destination_mac = b.own_mac};
    // A SYN-ACK agrees to what it was asked for.
    const wire::TcpOptions& asked = upstream.tcp.options;
    if (!asked.window_scale) answer.options.window_scale.reset();
    answer.options.sack_permitted = answer.options.sack_permitted && asked.sack_permitted;
    if (!asked.timestamps) answer.options.timestamps.reset();
    if (answer.options.timestamps) answer.options.timestamps->echo = asked.timestamps->value;
    lab.inject(1, make_segment(answer));
    lab.settle();
    note();
    const bool stamped = answer.options.timestamps && !plot.broker.forgets_them;
    const std::string to_broker = stamped ? "" : " nots";
    broker("P. -" + std::to_string(b.preface.size()) + ":0" + to_broker);
    if (seen(Side::Client, "CONNACK").payload != b.preface) throw std::runtime_error("no CONNACK arrived");
}

bool Story::about_us(const SeenSegment& s) const {
    const Leg& l = legs_[s.port];
    return s.from == l.local && s.to == l.remote;
}

// Until the splice, clock 0 is the last that Sluice's own endpoints said.
void Story::note() {
    for (; noted_ < tap.tcp.size(); ++noted_) {
        const SeenSegment& s = tap.tcp[noted_];
        if (!frozen_ && about_us(s) && s.tcp.options.timestamps) {
            legs_[s.port].local_clock = s.tcp.options.timestamps->value;
        }
    }
}

void Story::says(Side side, std::string_view line) { arrives(side, frame(side, line)); }

void Story::arrives(Side side, const Frame& frame) {
    lab.inject(static_cast<std::uint16_t>(side), frame);
    lab.settle();
    note();
}

Frame Story::frame(Side side, std::string_view words) const {
    const Leg& l = leg(side);
    const Line line = parse(words);
    RawSegment raw{
        .from = l.remote,
        .to = l.local,
        .sequence = beyond(l.remote_zero, line.begin),
        .acknowledgement = line.flags.ack ? beyond(l.local_zero, line.acknowledges) : 0,
        .flags = line.flags,
        .window = line.window,
        .options = {.mss = line.mss, .window_scale = line.scale, .sack_permitted = line.sack_permitted},
        .payload = bytes(side, line.begin, line.end),
        .source_mac = l.mac,
        .destination_mac = l.own_mac};
    if (line.garbled) raw.payload.assign(raw.payload.size(), '#');
    if (line.clocks) {
        const std::uint32_t echo = line.flags.ack ? beyond(l.local_clock, line.clocks->second) : 0;
        raw.options.timestamps = {.value = beyond(l.remote_clock, line.clocks->first), .echo = echo};
    }
    for (const auto& [left, right] : line.sack) {
        raw.options.sack[raw.options.sack_count++] = {beyond(l.local_zero, left),
                                                      beyond(l.local_zero, right)};
    }
    Frame frame = make_segment(raw);
    const std::size_t tcp = wire::kEthernetHeaderSize + (l.remote.address.is_v4() ? 20U : 40U);
    if (line.wrong_checksum) frame[tcp + 16] ^= std::byte{0x10};
    return frame;
}

std::string Story::bytes(Side side, std::int32_t begin, std::int32_t end) const {
    const std::string& preface = leg(side).preface;
    std::string s;
    for (std::int32_t at = begin; at < end; ++at) {
        const std::int32_t in_preface = at + static_cast<std::int32_t>(preface.size());
        if (at < 0 && in_preface >= 0) {
            s += preface[static_cast<std::size_t>(in_preface)];
        } else {
            s += static_cast<char>((side == Side::Client ? 'a' : 'A') + (at % 26 + 26) % 26);
        }
    }
    return s;
}

Line Story::parse(std::string_view text) const {
    std::istringstream words{std::string(text)};
    std::string word;
    Line line;
    words >> word;
    line.flags = flags_from(word);
    words >> word;
    std::tie(line.begin, line.end) = pair_from(word, ':');
    line.window = line.flags.rst ? 0 : kUsualWindow;
    if (timestamps_ && !line.flags.rst) line.clocks.emplace(0, 0);
    std::string key;
    while (words >> word) {
        if (word == "nots") {
            line.clocks.reset();
        } else if (word == "sackok") {
            line.sack_permitted = true;
        } else if (word == "garbled") {
            line.garbled = true;
        } else if (word == "badsum") {
            line.wrong_checksum = true;
        } else if (word.find(':') != std::string::npos && key == "sack") {
            line.sack.push_back(pair_from(word, ':'));
        } else if (key = word; key != "sack") {
            words >> word;
            if (key == "ack")
                line.acknowledges = std::stoi(word);
            else if (key == "win")
                line.window = static_cast<std::uint16_t>(std::stoi(word));
            else if (key == "ts")
                line.clocks = pair_from(word, '/');
            else if (key == "mss")
                line.mss = static_cast<std::uint16_t>(std::stoi(word));
            else if (key == "scale")
                line.scale = static_cast<std::uint8_t>(std::stoi(word));
            else
                throw std::invalid_argument("unknown word: " + key);
        }
    }
    return line;
}

std::string Story::text(const Line& l) {
    std::ostringstream t;
    t << letters(l.flags) << ' ' << l.begin << ':' << l.end;
    if (l.flags.ack) t << " ack " << l.acknowledges;
    t << " win " << l.window;
    if (l.clocks) t << " ts " << l.clocks->first << '/' << (l.flags.ack ? l.clocks->second : 0);
    if (!l.sack.empty()) t << " sack";
    for (const auto& [left, right] : l.sack) t << ' ' << left << ':' << right;
    if (l.mss) t << " mss " << *l.mss;
    if (l.scale) t << " scale " << unsigned{*l.scale};
    if (l.sack_permitted) t << " sackok";
    if (l.garbled) t << " garbled";
    if (l.wrong_checksum) t << " badsum";
    return t.str();
}

// In the numbers of the leg that it left by.
std::string Story::text(const SeenSegment& s) const {
    const Leg& l = legs_[s.port];
    const wire::TcpOptions& o = s.tcp.options;
    const Side origin = s.port == 0 ? Side::Broker : Side::Client;
    Line line{.flags = s.tcp.flags,
              .begin = distance(l.local_zero, s.tcp.sequence),
              .acknowledges = distance(l.remote_zero, s.tcp.acknowledgement),
              .window = s.tcp.window,
              .mss = o.mss,
              .scale = o.window_scale,
              .sack_permitted = o.sack_permitted};
    line.end = line.begin + static_cast<std::int32_t>(s.payload.size());
    line.wrong_checksum = !s.checksum_valid;
    line.garbled = s.payload != bytes(origin, line.begin, line.end);
    if (o.timestamps) {
        line.clocks.emplace(distance(l.local_clock, o.timestamps->value),
                            distance(l.remote_clock, o.timestamps->echo));
    }
    for (std::size_t i = 0; i < o.sack_count; ++i) {
        line.sack.emplace_back(distance(l.remote_zero, o.sack[i].left),
                               distance(l.remote_zero, o.sack[i].right));
    }
    std::string written = text(line);
    if (!about_us(s)) written = "stranger " + s.from.to_string() + " > " + s.to.to_string() + " " + written;
    if (s.ethernet.destination != l.mac || s.ethernet.source != l.own_mac) written += " by another way";
    return (s.port == 0 ? "client " : "broker ") + written;
}

void Story::expect(const std::vector<std::string>& lines, Here here) {
    SCOPED_TRACE(trace(here));
    note();
    std::vector<std::string> heard;
    for (const SeenSegment& s : tap.tcp) {
        if (s.port == 0) heard.push_back(text(s));
    }
    for (const SeenSegment& s : tap.tcp) {
        if (s.port == 1) heard.push_back(text(s));
    }
    tap.tcp.clear();
    tap.frames.clear();
    noted_ = 0;
    std::vector<std::string> expected;
    for (const std::string& line : lines) expected.push_back(line.substr(0, 7) + text(parse(line.substr(7))));
    EXPECT_EQ(heard, expected);
}

void Story::client_passes(std::string_view line, Here here) {
    client(line);
    expect({"broker " + std::string(line)}, here);
}

void Story::broker_passes(std::string_view line, Here here) {
    broker(line);
    expect({"client " + std::string(line)}, here);
}

std::optional<session::Phase> Story::phase() const {
    const auto rows = lab.rows();
    const auto ours = std::ranges::find_if(
        rows, [&](const worker::ListedConnection& r) { return r.client.remote == leg(Side::Client).remote; });
    return ours == rows.end() ? std::nullopt : std::optional(ours->phase);
}

void Story::expect_alive(Here here) {
    SCOPED_TRACE(trace(here));
    expect({}, here);
    EXPECT_EQ(phase(), session::Phase::Spliced);
    lab.command({.kind = worker::Command::Kind::Stop});
    lab.settle();
    for (const std::uint16_t port : {std::uint16_t{0}, std::uint16_t{1}}) {
        EXPECT_TRUE(std::ranges::any_of(
            tap.tcp, [&](const SeenSegment& s) { return s.port == port && s.tcp.flags.rst; }));
    }
    tap.tcp.clear();
    expect_gone(Counter::ClosedByOperator, here);
}

void Story::expect_gone(Counter reason, Here here) {
    SCOPED_TRACE(trace(here));
    expect({}, here);
    EXPECT_EQ(lab.rows().size(), 0U);
    EXPECT_EQ(lab.count(reason), 1U);
    expect_nothing_left(lab);
}

Spliced::Spliced(const Plot& plot_) : Story(plot_) {
    if (plot.round_trip != Duration::zero()) lab.run(plot.round_trip);
    client(". 0:0");
    EXPECT_EQ(phase(), session::Phase::Spliced);
    EXPECT_EQ(moved("spliced"), (Moved{{"spliced", 1}}));
    freeze();
    tap.tcp.clear();
    tap.frames.clear();
    expect({});
    counts.restart();
}

Socket& connect_spliced(Lab& lab, const std::string& client_id) {
    Socket& client = lab.connect(client_id);
    lab.run(std::chrono::milliseconds(50));  // a delayed ACK
    const auto rows = lab.rows();
    const auto ours =
        std::ranges::find_if(rows, [&](const auto& r) { return r.client.remote == client.tuple.local; });
    EXPECT_TRUE(ours != rows.end() && ours->phase == session::Phase::Spliced);
    return client;
}

}  // namespace sluice::test
