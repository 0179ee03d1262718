#include "worker/model/script.h"

#include <array>
#include <random>
#include <sstream>

#include "worker/lab.h"

namespace sluice::test {
namespace {

class Chance {
  public:
    explicit Chance(std::uint64_t seed) : random_(seed) {}
    std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }
    bool one_in(std::uint32_t n) { return below(n) == 0; }
    Duration within(Duration most) {
        return Duration(static_cast<Duration::rep>(random_() % static_cast<std::uint64_t>(most.count())));
    }
    template <typename T, std::size_t kSize>
    T of(const std::array<T, kSize>& all) {
        return all[below(kSize)];
    }

  private:
    std::mt19937_64 random_;
};

tcp::EndpointOptions options_of(Chance& chance) {
    tcp::EndpointOptions o;
    o.fin_wait_2 = 1h;
    if (chance.one_in(3)) return o;  // as most are
    o.sack = !chance.one_in(3);
    o.timestamps = !chance.one_in(3);
    if (chance.one_in(3)) o.window_scale.reset();
    if (chance.one_in(3)) o.receive_mss = static_cast<std::uint16_t>(88 + chance.below(1300));
    if (chance.one_in(3)) o.receive_buffer = 500 + chance.below(8000);
    if (chance.one_in(4)) o.send_buffer = 500 + chance.below(8000);
    return o;
}

// Bytes in which a wrong place is a wrong byte.
std::string stream(Chance& chance, std::size_t size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(chance.below(256));
    return bytes;
}

std::size_t amount_of_text(Chance& chance) {
    switch (chance.below(8)) {
        case 0: return 0;
        case 1: return 2000 + chance.below(60'000);
        default: return 1 + chance.below(1500);
    }
}

// From `written` to the end of `says`, in a few pieces.
void spread(Chance& chance, Part& part, std::size_t written, Duration over) {
    Duration at{0};
    while (written < part.says.size()) {
        const std::size_t rest = part.says.size() - written;
        written += chance.one_in(3) ? rest : 1 + chance.below(static_cast<std::uint32_t>(rest));
        at += chance.one_in(3) ? 0ns : chance.within(over);
        part.writes.push_back({at, written});
    }
}

void read_somehow(Chance& chance, Part& part) {
    if (!chance.one_in(4)) return;
    part.read_every = 1ms + chance.within(300ms);
    part.read_most = chance.one_in(8) ? 0 : 200 + chance.below(4000);
}

WireOptions wire_of(Chance& chance, bool clean) {
    WireOptions w;
    w.delay = chance.one_in(4) ? 50ms + chance.within(300ms) : 100us + chance.within(5ms);
    if (clean) return w;
    w.loss = chance.one_in(3) ? 100 : 1 + chance.below(50);
    w.duplicate = chance.below(30);
    if (chance.one_in(2)) w.jitter = chance.within(20ms) + 1us;
    return w;
}

void write_client(Chance& chance, Script& s) {
    Part& c = s.client;
    const std::string connect = connect_packet(s.client_id, mqtt::Version::V311, s.keep_alive);
    s.connect_size = connect.size();
    c.says = connect + stream(chance, amount_of_text(chance));
    s.waits_for_connack = chance.one_in(2);
    if (chance.one_in(8)) {
        const std::size_t piece = 1 + chance.below(static_cast<std::uint32_t>(connect.size()) - 1);
        c.writes.push_back({0s, piece});
        c.writes.push_back({chance.within(2s), connect.size()});
    } else {
        c.writes.push_back({0s, s.waits_for_connack ? connect.size() : c.says.size()});
    }
    if (chance.one_in(40)) {  // never whole
        c.says.resize(connect.size() - 1);
        c.writes = {{0s, c.says.size()}};
        s.connect_size = connect.size();
    } else {
        spread(chance, c, c.writes.back().until, chance.one_in(8) ? 5s : 300ms);
    }
}

}  // namespace

const char* to_string(Exit exit) {
    constexpr std::array kNames{"await peer", "shutdown", "close", "abort", "vanish", "forget"};
    return kNames[static_cast<std::size_t>(exit)];
}

const char* to_string(Answer answer) {
    constexpr std::array kNames{"accept", "refuse", "silence", "close", "abort"};
    return kNames[static_cast<std::size_t>(answer)];
}

Script make_script(std::uint64_t seed) {
    Chance chance(seed * 2654435761U + 17);
    Script s;
    s.seed = seed;
    s.client_id = "m" + std::to_string(seed);
    if (chance.one_in(8)) s.keep_alive = static_cast<std::uint16_t>(2 + chance.below(20));
    write_client(chance, s);
    s.client.options = options_of(chance);
    s.broker.options = chance.one_in(2) ? s.client.options : options_of(chance);
    s.client.drops_timestamps = chance.one_in(20);
    s.broker.drops_timestamps = chance.one_in(20);
    read_somehow(chance, s.client);
    read_somehow(chance, s.broker);
    constexpr std::array kExits{Exit::AwaitPeer, Exit::Shutdown, Exit::Shutdown, Exit::Close,
                                Exit::Close,     Exit::Abort,    Exit::Vanish};
    s.client.exit = chance.of(kExits);
    s.client.exit_at = chance.one_in(4) ? chance.within(300ms) : chance.within(20s);
    s.broker.exit = chance.one_in(2) ? Exit::AwaitPeer : chance.one_in(6) ? Exit::Forget : chance.of(kExits);
    s.broker.exit_at = chance.within(20s);
    if (s.client.exit == Exit::Vanish && chance.one_in(2)) s.reboots_after = chance.within(10s);
    if (chance.one_in(10)) s.client.exit_at = 0s;  // as soon as all is written: fire and forget
    constexpr std::array kAnswers{Answer::Refuse, Answer::Silence, Answer::Close, Answer::Abort};
    if (chance.one_in(10)) s.answer = chance.of(kAnswers);
    if (chance.one_in(4)) s.answer_after = chance.within(1500ms);
    s.broker.says = s.answer == Answer::Refuse ? std::string("\x20\x02\x00\x05", 4) : kConnackAccepted;
    if (s.answer == Answer::Accept) s.broker.says += stream(chance, amount_of_text(chance));
    s.broker.writes.push_back({0s, chance.one_in(4) ? s.broker.says.size() : 4});
    spread(chance, s.broker, s.broker.writes.back().until, chance.one_in(8) ? 5s : 300ms);
    const bool clean = chance.one_in(2);
    s.clients_wire = wire_of(chance, clean);
    s.brokers_wire = wire_of(chance, clean);
    if (chance.one_in(12)) s.clients_wire.delay = 500ms + chance.within(2s);  // over radio
    s.fragments = chance.one_in(10);
    return s;
}

Script after_reboot(const Script& script) {
    Script s = make_script(script.seed + 1'000'000'007);
    s.client_id = script.client_id + "b";
    Part& c = s.client;
    c.says = connect_packet(s.client_id) + "again";
    s.connect_size = c.says.size() - 5;
    c.writes = {{0s, c.says.size()}};
    c.options = script.client.options;
    c.drops_timestamps = script.client.drops_timestamps;
    s.waits_for_connack = false;
    c.exit = Exit::Shutdown;
    c.exit_at = 15s;
    c.read_every = 0s;
    c.read_most = 65536;
    s.broker = script.broker;  // the same host
    s.answer = script.answer;
    s.answer_after = script.answer_after;
    return s;
}

std::string Script::text() const {
    std::ostringstream t;
    const auto part = [&](const char* name, const Part& p) {
        const auto ms = [](Duration d) { return d.count() / 1'000'000; };
        t << name << ": " << p.says.size() << " bytes in";
        for (const Part::Write& w : p.writes) t << ' ' << w.until << '@' << ms(w.at);
        t << "; reads " << p.read_most << " every " << ms(p.read_every) << "; " << to_string(p.exit) << " at "
          << ms(p.exit_at) << "; buffers " << p.options.receive_buffer << '/' << p.options.send_buffer
          << " mss " << p.options.receive_mss << (p.options.sack ? " sack" : "")
          << (p.options.timestamps ? " ts" : "") << (p.options.window_scale ? " scale" : "")
          << (p.drops_timestamps ? " drops ts" : "") << '\n';
    };
    const auto wire = [&](const char* name, const WireOptions& w) {
        t << name << ": " << w.delay.count() / 1000 << " us + " << w.jitter.count() / 1000 << " loss "
          << w.loss << " dup " << w.duplicate << '\n';
    };
    part("client", client);
    part("broker", broker);
    t << "answer " << to_string(answer) << " after " << answer_after.count() / 1'000'000 << " ms; keep alive "
      << keep_alive << (waits_for_connack ? "; waits for CONNACK" : "") << (fragments ? "; fragments" : "");
    if (reboots_after) t << "; reboots after " << reboots_after->count() / 1'000'000 << " ms";
    t << '\n';
    wire("client's wire", clients_wire);
    wire("broker's wire", brokers_wire);
    return t.str();
}

}  // namespace sluice::test
