#include <algorithm>

#include "checks.h"

namespace sluice::config {

void check_runtime(Draft& draft, Report& report) {
    Runtime& runtime = draft.config.runtime;
    std::uint64_t largest = 0;
    for (const Listener& listener : draft.config.listeners) {
        largest = std::max<std::uint64_t>(largest, listener.max_connect_size);
    }
    const std::uint64_t least = kConnectsHeld * runtime.workers * largest;
    if (runtime.connect_memory >= least) return;
    if (!draft.connect_memory) {
        runtime.connect_memory = least;
        return;
    }
    report.add(*draft.connect_memory,
               size_to_string(runtime.connect_memory) + " is too little for CONNECTs of " +
                   size_to_string(largest) + " and " + std::to_string(runtime.workers) +
                   (runtime.workers == 1 ? " worker" : " workers"),
               "write at least " + quoted(size_to_string(least)) + ", or lower max_connect_size");
}

}  // namespace sluice::config
