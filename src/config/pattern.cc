#include <re2/re2.h>

#include <utility>

#include "readers.h"

namespace sluice::config {

void check_pattern(const std::string& pattern, std::size_t groups, const FilePosition& place,
                   Report& report) {
    const RE2 compiled(pattern, RE2::Quiet);
    if (!compiled.ok()) {
        report.add(place, quoted(pattern) + " is not a valid pattern: " + compiled.error(),
                   "write it in the syntax of RE2, between '...' where it contains a backslash");
    } else if (std::cmp_less(compiled.NumberOfCapturingGroups(), groups)) {
        report.add(place, quoted(pattern) + " has no group",
                   "put ( ) around what is to be hashed, as in \"^([^/]+)/\"");
    }
}

}  // namespace sluice::config
