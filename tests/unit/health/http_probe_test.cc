// An HTTP probe asks, judges the status and the body, and lets the server close first.
#include "sluice/health/http_probe.h"

#include <gtest/gtest.h>

#include <string>

#include "exchange.h"

namespace sluice::health::http_probe_test {
namespace {

using backend::Outcome;
using backend::ProbeFailure;

config::Health health(const std::string& expect_body = {}) {
    config::Health h;
    h.type = config::HealthType::Http;
    h.path = "/health?full=1";
    h.expect_body = expect_body;
    return h;
}

std::unique_ptr<Probe> make(const config::Health& h, const char* peer = "10.0.0.1:8081") {
    return make_probe(h, {.initial_sequence = kIss, .mss = 1460, .timeout = h.timeout},
                      *SocketAddress::parse(peer), "");
}

// Answers a whole request with these pieces, and then closes, or waits for the client to do it.
std::function<void(Exchange&)> server(std::vector<std::string> pieces, bool closes = true) {
    return [=, answered = false](Exchange& e) mutable {
        if (!answered && e.heard.ends_with("\r\n\r\n")) {
            answered = true;
            for (const std::string& piece : pieces) e.say(piece);
            if (closes) e.hang_up();
        }
        if (e.server.peer_finished()) e.hang_up();
    };
}

Outcome outcome(Exchange& e) {
    e.finish();
    EXPECT_TRUE(e.probe->over());
    EXPECT_LE(e.decided, kStart + 1s);
    EXPECT_LE(e.over, e.decided + 1s);
    return e.probe->outcome();
}

const std::string kOk = "HTTP/1.1 200 OK\r\n";

TEST(HttpProbe, AsksInOneRequestAndLetsTheServerClose) {
    for (const auto& [peer, host] : {std::pair{"10.0.0.1:8081", "10.0.0.1:8081"},
                                     {"10.0.0.1:80", "10.0.0.1"},
                                     {"[fd00::1]:8081", "[fd00::1]:8081"},
                                     {"[fd00::1]:80", "[fd00::1]"}}) {
        Exchange e(make(health(), peer));
        bool fin_before_the_server = false;
        e.serve = [&, serve = server({kOk + "Content-Length: 2\r\n\r\n", "ok"})](Exchange& x) mutable {
            fin_before_the_server =
                fin_before_the_server || (x.server.peer_finished() && !x.server.shutdown_called());
            serve(x);
        };
        EXPECT_EQ(outcome(e), ProbeFailure::None);
        EXPECT_EQ(e.heard, "GET /health?full=1 HTTP/1.1\r\nHost: " + std::string(host) +
                               "\r\nUser-Agent: sluice\r\nAccept: */*\r\nConnection: close\r\n\r\n");
        EXPECT_FALSE(fin_before_the_server);
        EXPECT_FALSE(e.sent_reset());
        EXPECT_EQ(e.server.failure(), tcp::Failure::None);
        EXPECT_EQ(e.probe->offer().mss, 1400);
        EXPECT_EQ(e.probe->offer().window, 65535);
    }
}

TEST(HttpProbe, JudgesByStatusAndBody) {
    struct Case {
        const char* what;
        std::vector<std::string> answer;
        std::string expect_body;
        Outcome expected;
    };
    const std::string chunked = kOk + "Transfer-Encoding: chunked\r\n\r\n";
    const Case cases[] = {
        {"no content", {"HTTP/1.1 204 No Content\r\n\r\n"}, "", ProbeFailure::None},
        {"unavailable", {"HTTP/1.1 503 x\r\n\r\nwe are closed"}, "", {ProbeFailure::BadStatus, 503}},
        {"a redirection", {"HTTP/1.1 302 x\r\nLocation: /\r\n\r\n"}, "", {ProbeFailure::BadStatus, 302}},
        {"the text is there", {kOk + "\r\n{\"status\": \"running\"}"}, "running", ProbeFailure::None},
        {"the text is cut", {kOk + "\r\nstatus: ru", "nni", "ng"}, "running", ProbeFailure::None},
        {"the text is in two chunks",
         {chunked + "3\r\nrun\r\n4\r\nning\r\n0\r\n\r\n"},
         "running",
         ProbeFailure::None},
        {"the chunks are cut",
         {chunked, "3", "\r\nru", "n\r", "\n4\r\nni", "ng\r\n", "0\r\n\r\n"},
         "running",
         ProbeFailure::None},
        {"the text is in the framing alone",
         {chunked + "3;running\r\nabc\r\n0\r\nX: running\r\n\r\n"},
         "running",
         ProbeFailure::BadBody},
        {"the text is in the head alone",
         {kOk + "X: running\r\nContent-Length: 2\r\n\r\nno"},
         "running",
         ProbeFailure::BadBody},
        {"another text", {kOk + "\r\nstopped"}, "running", ProbeFailure::BadBody},
        {"an empty body", {kOk + "Content-Length: 0\r\n\r\n"}, "running", ProbeFailure::BadBody},
        {"at the end of what is looked at",
         {kOk + "\r\n" + std::string(HttpAnswer::kMostBody - 7, 'x') + "running"},
         "running",
         ProbeFailure::None},
        {"behind what is looked at",
         {kOk + "\r\n" + std::string(HttpAnswer::kMostBody - 6, 'x') + "running"},
         "running",
         ProbeFailure::BadBody},
        {"the wrong status beats the text",
         {"HTTP/1.1 500 x\r\n\r\nrunning"},
         "running",
         {ProbeFailure::BadStatus, 500}},
        {"closed at once", {}, "", ProbeFailure::Closed},
        {"closed within the head", {kOk}, "", ProbeFailure::Closed},
        {"closed within the body", {kOk + "Content-Length: 9\r\n\r\nrun"}, "running", ProbeFailure::Closed},
        {"the rest of the body is nobody's matter",
         {kOk + "Content-Length: 9\r\n\r\nrun"},
         "",
         ProbeFailure::None},
        {"MQTT", {std::string("\x20\x02\x00\x00", 4)}, "", ProbeFailure::Protocol},
        {"bad chunks", {chunked + "z\r\n"}, "running", ProbeFailure::Protocol},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.what);
        Exchange e(make(health(c.expect_body)));
        e.serve = server(c.answer);
        EXPECT_EQ(outcome(e), c.expected);
        EXPECT_EQ(e.sent_reset(), c.expected == ProbeFailure::Protocol);
    }
}

TEST(HttpProbe, TheExpectedRangeIsTheOperators) {
    config::Health h = health();
    h.expect_from = 429;
    h.expect_to = 429;
    Exchange e(make(h));
    e.serve = server({"HTTP/1.1 429 Too Many Requests\r\n\r\n"});
    EXPECT_EQ(outcome(e), ProbeFailure::None);
    Exchange other(make(h));
    other.serve = server({kOk + "\r\n"});
    EXPECT_EQ(outcome(other), (Outcome{ProbeFailure::BadStatus, 200}));
}

TEST(HttpProbe, ASilentServerHasNoAnswer) {
    Exchange e(make(health()));
    EXPECT_EQ(outcome(e), ProbeFailure::NoAnswer);
    EXPECT_TRUE(e.server_was_reset);
    Exchange half(make(health()));
    half.serve = server({"HTTP/1.1 200"}, false);
    EXPECT_EQ(outcome(half), ProbeFailure::NoAnswer);
}

TEST(HttpProbe, AServerThatStaysIsLeftOnceItsAnswerIsComplete) {
    Exchange e(make(health()));
    e.serve = server({kOk + "Content-Length: 2\r\n\r\n", "ok"}, false);
    EXPECT_EQ(outcome(e), ProbeFailure::None);
    EXPECT_FALSE(e.sent_reset());
    EXPECT_LT(e.over, e.decided + 100ms);
}

TEST(HttpProbe, AServerThatNeitherEndsNorClosesIsReset) {
    Exchange e(make(health()));
    e.serve = server({kOk + "\r\nand so on"}, false);
    EXPECT_EQ(outcome(e), ProbeFailure::None);
    EXPECT_FALSE(e.sent_fin());
    EXPECT_TRUE(e.server_was_reset);
    EXPECT_EQ(e.over, e.decided + 1s);
}

TEST(HttpProbe, AnEndlessAnswerIsCutOff) {
    Exchange e(make(health("running")));
    e.serve = [serve = server({kOk + "\r\n"}, false)](Exchange& x) mutable {
        serve(x);
        if (x.heard.ends_with("\r\n\r\n")) x.say(std::string(x.server.writable(), 'x'));
    };
    EXPECT_EQ(outcome(e), ProbeFailure::BadBody);
    EXPECT_TRUE(e.sent_reset());
    EXPECT_LT(e.over, kStart + 500ms);
}

TEST(HttpProbe, ABadWireFailsItInTimeOrNotAtAll) {
    int good = 0;
    const std::string body(5000, '.');
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        Exchange e(make(health("running")),
                   {.delay = 5ms, .jitter = 20ms, .loss = 0.1, .duplicate = 0.1, .reorder = 0.1}, seed);
        e.serve = server({kOk + "Content-Length: 5007\r\n\r\n" + body + "running"});
        const Outcome o = outcome(e);
        ASSERT_TRUE(o == ProbeFailure::None || o == ProbeFailure::NoAnswer || o == ProbeFailure::Silent)
            << seed << " " << describe(o);
        good += o == ProbeFailure::None ? 1 : 0;
    }
    EXPECT_GT(good, 160);
}

}  // namespace
}  // namespace sluice::health::http_probe_test
