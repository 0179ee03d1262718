#include "transport.h"

namespace sluice::load {

const char* to_string(End end) {
    switch (end) {
        case End::Finished: return "finished";
        case End::Reset: return "reset";
        case End::Refused: return "refused";
        case End::TimedOut: return "timed out";
        case End::Unreachable: return "unreachable";
        case End::Aborted: return "aborted";
    }
    return "?";
}

}  // namespace sluice::load
