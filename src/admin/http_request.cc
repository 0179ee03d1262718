#include "http_request.h"

#include <algorithm>
#include <cctype>

namespace sluice::admin {
namespace {

constexpr int kBadRequest = 400;
constexpr int kMethodNotAllowed = 405;
constexpr int kVersionNotSupported = 505;

bool is_same(std::string_view a, std::string_view b) {
    return std::ranges::equal(
        a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Takes up to `end` off the front of `text`, which then begins behind it; all of it where there is no end.
std::string_view take(std::string_view& text, char end) {
    const std::size_t at = text.find(end);
    const std::string_view piece = text.substr(0, at);
    text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
    return piece;
}

// A single LF ends a line, too (RFC 9112 section 2.2).
std::string_view take_line(std::string_view& text) {
    std::string_view line = take(text, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

// Also of the absolute form (section 3.2.2): http://host/path.
std::optional<std::string> path_of(std::string_view target) {
    if (!target.starts_with('/')) {
        const std::size_t scheme = target.find("://");
        if (scheme == std::string_view::npos) return std::nullopt;
        const std::size_t path = target.find('/', scheme + 3);
        target = path == std::string_view::npos ? "/" : target.substr(path);
    }
    return std::string(target.substr(0, target.find('?')));
}

struct Fields {
    int hosts = 0;
    bool body = false;
    bool malformed = false;
    bool close = false;
    bool keep_alive = false;
};

void read_connection(std::string_view value, Fields& fields) {
    while (!value.empty()) {
        const std::string_view option = trimmed(take(value, ','));
        fields.close = fields.close || is_same(option, "close");
        fields.keep_alive = fields.keep_alive || is_same(option, "keep-alive");
    }
}

Fields read_fields(std::string_view lines) {
    Fields fields;
    while (!lines.empty()) {
        std::string_view line = take_line(lines);
        if (line.empty()) break;
        const std::size_t colon = line.find(':');
        const std::string_view name = line.substr(0, colon);
        // No name, blanks around it, a line that continues the one before: section 5 wants these refused.
        if (colon == std::string_view::npos || name.empty() ||
            name.find_first_of(" \t") != std::string_view::npos) {
            fields.malformed = true;
            break;
        }
        const std::string_view value = trimmed(line.substr(colon + 1));
        if (is_same(name, "host")) ++fields.hosts;
        if (is_same(name, "transfer-encoding")) fields.body = true;
        if (is_same(name, "content-length") && value != "0") fields.body = true;
        if (is_same(name, "connection")) read_connection(value, fields);
    }
    return fields;
}

HttpRequest refused(int status, bool head = false) { return {.fault = status, .head = head, .path = {}}; }

}  // namespace

std::optional<std::size_t> http_head_size(std::string_view input) {
    // Empty lines in front of a request mean nothing (section 2.2).
    const std::size_t begin = std::min(input.find_first_not_of("\r\n"), input.size());
    for (std::size_t at = input.find('\n', begin); at != std::string_view::npos;
         at = input.find('\n', at + 1)) {
        const std::string_view next = input.substr(at + 1, 2);
        if (next.starts_with('\n')) return at + 2;
        if (next == "\r\n") return at + 3;
    }
    return std::nullopt;
}

HttpRequest read_http_request(std::string_view head) {
    head.remove_prefix(std::min(head.find_first_not_of("\r\n"), head.size()));
    std::string_view line = take_line(head);
    const std::string_view method = take(line, ' ');
    const std::string_view target = take(line, ' ');
    const std::string_view version = line;
    if (method.empty() || target.empty() || !version.starts_with("HTTP/")) return refused(kBadRequest);
    if (version != "HTTP/1.1" && version != "HTTP/1.0") return refused(kVersionNotSupported);
    const bool is_head = method == "HEAD";
    const Fields fields = read_fields(head);
    const bool latest = version == "HTTP/1.1";
    // Section 3.2: exactly one Host from 1.1 on.
    if (fields.malformed || fields.hosts > 1 || (latest && fields.hosts == 0)) {
        return refused(kBadRequest, is_head);
    }
    if (method != "GET" && !is_head) return refused(kMethodNotAllowed);
    // Nobody here has use for a body, and so nobody finds its end.
    if (fields.body) return refused(kBadRequest, is_head);
    const auto path = path_of(target);
    if (!path) return refused(kBadRequest, is_head);
    return {.fault = 0,
            .head = is_head,
            .path = *path,
            .keep_alive = latest ? !fields.close : fields.keep_alive && !fields.close};
}

}  // namespace sluice::admin
