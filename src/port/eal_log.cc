#include "eal_log.h"

#include <rte_log.h>

#include <utility>

namespace sluice::port {

EalLog::EalLog(std::function<void(std::string_view)> sink) : sink_(std::move(sink)) {
    stream_ =
        fopencookie(this, "w", {.read = nullptr, .write = &EalLog::write, .seek = nullptr, .close = nullptr});
    if (stream_ == nullptr) return;  // the EAL then uses its own stream
    setvbuf(stream_, nullptr, _IOLBF, BUFSIZ);
    rte_openlog_stream(stream_);
}

EalLog::~EalLog() {
    rte_openlog_stream(nullptr);
    if (stream_ != nullptr) std::fclose(stream_);
    pass_on();
}

void EalLog::pass_on() {
    const std::scoped_lock lock(mutex_);
    keeping_ = false;
    std::size_t end = 0;
    while ((end = text_.find('\n')) != std::string::npos) {
        emit(std::string_view(text_).substr(0, end));
        text_.erase(0, end + 1);
    }
}

std::string EalLog::take() {
    const std::scoped_lock lock(mutex_);
    std::string out = std::exchange(text_, {});
    while (!out.empty() && out.back() == '\n') out.pop_back();
    for (std::size_t at = 0; (at = out.find('\n', at)) != std::string::npos;) out.replace(at, 1, "; ");
    return out;
}

ssize_t EalLog::write(void* self, const char* text, std::size_t size) {
    auto& log = *static_cast<EalLog*>(self);
    {
        const std::scoped_lock lock(log.mutex_);
        log.text_.append(text, size);
        if (log.keeping_) return static_cast<ssize_t>(size);
    }
    log.pass_on();
    return static_cast<ssize_t>(size);
}

void EalLog::emit(std::string_view line) const {
    if (sink_)
        sink_(line);
    else
        std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
}

}  // namespace sluice::port
