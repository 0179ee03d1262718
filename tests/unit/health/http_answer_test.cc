// An HTTP answer is read strictly, within bounds, and the same wherever its bytes are cut.
#include "sluice/health/http_answer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::health {
namespace {

using State = HttpAnswer::State;

HttpAnswer read(std::string_view text, std::size_t piece = SIZE_MAX) {
    HttpAnswer answer;
    while (!text.empty()) {
        answer.take(as_bytes(text.substr(0, piece)));
        text.remove_prefix(std::min(piece, text.size()));
    }
    return answer;
}

struct Case {
    std::string text;
    State state;
    std::uint16_t status;
    std::string body;
    State closed;  // after the server has closed
};

const std::string kOk = "HTTP/1.1 200 OK\r\n";

const std::vector<Case>& cases() {
    static const std::vector<Case> all = {
        // Where it ends.
        {kOk + "Content-Length: 2\r\n\r\nok", State::Complete, 200, "ok", State::Complete},
        {kOk + "content-length:\t2 \r\n\r\nok and more", State::Complete, 200, "ok", State::Complete},
        {kOk + "Content-Length: 3\r\n\r\nok", State::Body, 200, "ok", State::Truncated},
        {kOk + "Content-Length: 0\r\n\r\n", State::Complete, 200, "", State::Complete},
        {kOk + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", State::Complete, 200, "ok",
         State::Complete},
        {kOk + "\r\nuntil the end", State::Body, 200, "until the end", State::Complete},
        {"HTTP/1.0 200 OK\r\n\r\nold", State::Body, 200, "old", State::Complete},
        {"HTTP/1.1 204 No Content\r\n\r\n", State::Complete, 204, "", State::Complete},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", State::Complete, 304, "", State::Complete},
        {"HTTP/1.1 101 Switching Protocols\r\n\r\n", State::Complete, 101, "", State::Complete},
        // Status lines.
        {"HTTP/1.1 503 \r\nContent-Length: 0\r\n\r\n", State::Complete, 503, "", State::Complete},
        {"HTTP/1.1 503\r\nContent-Length: 0\r\n\r\n", State::Complete, 503, "", State::Complete},
        {"HTTP/1.1 200 \xc3\xa9t\xc3\xa9\r\nContent-Length: 0\r\n\r\n", State::Complete, 200, "",
         State::Complete},
        {"HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + kOk +
             "Content-Length: 2\r\n\r\nok",
         State::Complete, 200, "ok", State::Complete},
        // Chunks.
        {kOk + "Transfer-Encoding: chunked\r\n\r\n3\r\nhea\r\n4;x=\"y\"\r\nlthy\r\n0\r\n\r\n",
         State::Complete, 200, "healthy", State::Complete},
        {kOk + "transfer-encoding: Chunked\r\n\r\nA \t;x\r\n0123456789\r\n00\r\nDigest: a\r\n\r\n",
         State::Complete, 200, "0123456789", State::Complete},
        {kOk + "Transfer-Encoding: chunked\r\n\r\n3\r\nhea\r\n", State::Body, 200, "hea", State::Truncated},
        // Not all there.
        {"", State::Head, 0, "", State::Truncated},
        {"HTTP/1.1 200 OK\r\nServer: x\r\n", State::Head, 0, "", State::Truncated},
        // Nonsense.
        {"SSH-2.0-OpenSSH_9.2\r\n", State::Malformed, 0, "", State::Malformed},
        {std::string("\x20\x02\x00\x00", 4), State::Malformed, 0, "", State::Malformed},
        {"HTTP/2 200 OK\r\n", State::Malformed, 0, "", State::Malformed},
        {"http/1.1 200 OK\r\n", State::Malformed, 0, "", State::Malformed},
        {"HTTP/1.x 200 OK\r\n", State::Malformed, 0, "", State::Malformed},
        {"HTTP/1.1  200 OK\r\n", State::Malformed, 0, "", State::Malformed},
        {"HTTP/1.1 20 OK\r\n", State::Malformed, 0, "", State::Malformed},
        {"HTTP/1.1 2000 OK\r\n", State::Malformed, 0, "", State::Malformed},
        {"HTTP/1.1 099 OK\r\n", State::Malformed, 0, "", State::Malformed},
        {"HTTP/1.1 600 OK\r\n", State::Malformed, 0, "", State::Malformed},
        {"HTTP/1.1 200OK\r\n", State::Malformed, 0, "", State::Malformed},
        {"HTTP/1.1 200 O\x01K\r\n", State::Malformed, 0, "", State::Malformed},
        {"HTTP/1.1 200 OK\n\n", State::Malformed, 0, "", State::Malformed},
        {kOk + "no colon\r\n", State::Malformed, 0, "", State::Malformed},
        {kOk + ": no name\r\n", State::Malformed, 0, "", State::Malformed},
        {kOk + "Bad Name: x\r\n", State::Malformed, 0, "", State::Malformed},
        {kOk + "Name : x\r\n", State::Malformed, 0, "", State::Malformed},
        {kOk + "Name: x\r\n y: folded\r\n", State::Malformed, 0, "", State::Malformed},
        {kOk + "Name: a\rb\r\n", State::Malformed, 0, "", State::Malformed},
        {kOk + "Content-Length: 2\r\nContent-Length: 3\r\n", State::Malformed, 0, "", State::Malformed},
        {kOk + "Content-Length: 2, 2\r\n", State::Malformed, 0, "", State::Malformed},
        {kOk + "Content-Length: -2\r\n", State::Malformed, 0, "", State::Malformed},
        {kOk + "Content-Length:\r\n", State::Malformed, 0, "", State::Malformed},
        {kOk + "Content-Length: 18446744073709551616\r\n", State::Malformed, 0, "", State::Malformed},
        {kOk + "Transfer-Encoding: gzip, chunked\r\n", State::Malformed, 0, "", State::Malformed},
        {kOk + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", State::Malformed, 0, "",
         State::Malformed},
        {kOk + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n", State::Malformed, 0, "",
         State::Malformed},
        {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", State::Malformed, 0, "", State::Malformed},
        {"HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\n", State::Malformed, 0, "", State::Malformed},
        {kOk + "Transfer-Encoding: chunked\r\n\r\n\r\n", State::Malformed, 200, "", State::Malformed},
        {kOk + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", State::Malformed, 200, "", State::Malformed},
        {kOk + "Transfer-Encoding: chunked\r\n\r\n 3\r\n", State::Malformed, 200, "", State::Malformed},
        {kOk + "Transfer-Encoding: chunked\r\n\r\n3 3\r\n", State::Malformed, 200, "", State::Malformed},
        {kOk + "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n", State::Malformed, 200, "",
         State::Malformed},
        {kOk + "Transfer-Encoding: chunked\r\n\r\n3\r\nheal\r\n", State::Malformed, 200, "hea",
         State::Malformed},
        {kOk + "Transfer-Encoding: chunked\r\n\r\n0\r\nno trailer\r\n\r\n", State::Malformed, 200, "",
         State::Malformed},
    };
    return all;
}

TEST(HttpAnswer, IsReadTheSameWhereverItIsCut) {
    for (const Case& c : cases()) {
        const auto expect_same = [&](HttpAnswer answer, std::size_t cut) {
            ASSERT_EQ(answer.state(), c.state) << c.text << " cut at " << cut;
            ASSERT_EQ(answer.status(), c.status) << c.text;
            ASSERT_EQ(answer.body(), c.body) << c.text;
            answer.end();
            ASSERT_EQ(answer.state(), c.closed) << c.text;
        };
        expect_same(read(c.text), 0);
        expect_same(read(c.text, 1), 1);
        for (std::size_t cut = 1; cut < c.text.size(); ++cut) {
            HttpAnswer answer = read(c.text.substr(0, cut));
            answer.take(as_bytes(std::string_view(c.text).substr(cut)));
            expect_same(answer, cut);
        }
    }
}

TEST(HttpAnswer, SaysNonsenseAtItsFirstByte) {
    EXPECT_EQ(read("S").state(), State::Malformed);
    EXPECT_EQ(read("HTTP/1.").state(), State::Head);
    EXPECT_EQ(read("HTTP/2").state(), State::Malformed);
}

TEST(HttpAnswer, KeepsTheFirstSixteenKibibytesOfTheBody) {
    const std::string body(HttpAnswer::kMostBody, 'b');
    HttpAnswer answer = read(kOk + "\r\n" + body + "xyz", 1000);
    EXPECT_EQ(answer.body(), body);
    answer = read(kOk + "Content-Length: 100000\r\n\r\n" + std::string(99'999, 'b'));
    EXPECT_EQ(answer.body(), body);
    EXPECT_EQ(answer.state(), State::Body);
    answer.take(as_bytes("b"));
    EXPECT_EQ(answer.state(), State::Complete);
}

TEST(HttpAnswer, LinesAndHeadsHaveAnEnd) {
    const std::string longest(HttpAnswer::kMostLine - 5, 'v');  // with "X: " and its end
    EXPECT_EQ(read(kOk + "X: " + longest + "\r\n\r\n").state(), State::Body);
    EXPECT_EQ(read(kOk + "X: " + longest + "v\r\n\r\n").state(), State::Malformed);
    EXPECT_EQ(read(kOk + "X: " + std::string(100'000, 'v')).state(), State::Malformed);
    std::string many = kOk;
    while (many.size() < HttpAnswer::kMostHead - 200) many += "X: " + std::string(95, 'v') + "\r\n";
    EXPECT_EQ(read(many + "\r\n").state(), State::Body);
    EXPECT_EQ(read(many + many + "\r\n").state(), State::Malformed);
    std::string interim;
    while (interim.size() < HttpAnswer::kMostHead) interim += "HTTP/1.1 100 Continue\r\n\r\n";
    EXPECT_EQ(read(interim).state(), State::Malformed);
    EXPECT_EQ(read(kOk + "Transfer-Encoding: chunked\r\n\r\n" + std::string(100'000, '0')).state(),
              State::Malformed);
}

}  // namespace
}  // namespace sluice::health
