// Where the EAL's log lines go: kept while the EAL starts, so that a failure can be told in its own words,
// and passed on afterwards.
#pragma once

#include <cstdio>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace sluice::port {

// Takes the EAL's log stream from construction to destruction. One at a time.
class EalLog {
  public:
    // sink: called from any thread, a line each; unset: stderr.
    explicit EalLog(std::function<void(std::string_view)> sink);
    ~EalLog();
    EalLog(const EalLog&) = delete;
    EalLog& operator=(const EalLog&) = delete;

    // Passes on what was kept, and from now on everything at once.
    void pass_on();
    // What was kept, as one line, and keeps it no longer.
    std::string take();

  private:
    static ssize_t write(void* self, const char* text, std::size_t size);
    void emit(std::string_view line) const;

    const std::function<void(std::string_view)> sink_;
    std::FILE* stream_ = nullptr;
    std::mutex mutex_;
    std::string text_;  // complete lines while keeping, then only an unfinished one
    bool keeping_ = true;
};

}  // namespace sluice::port
