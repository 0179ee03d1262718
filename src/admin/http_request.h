// The head of an HTTP/1.1 request (RFC 9112), as far as a server of a few fixed pages must understand it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::admin {

struct HttpRequest {
    int fault = 0;  // status code that refuses it; 0: good, and only then path and keep_alive mean anything
    bool head = false;        // HEAD, else GET
    std::string path;         // without query
    bool keep_alive = false;  // the client wants to go on
};

// The size of the first whole head in `input`, its empty line included; nullopt: it has not arrived whole.
std::optional<std::size_t> http_head_size(std::string_view input);

// head: as http_head_size() found it.
HttpRequest read_http_request(std::string_view head);

}  // namespace sluice::admin
