// UTF-8 Encoded Strings as MQTT wants them (MQTT 5 section 1.5.4, MQTT 3.1.1 section 1.5.3).
#pragma once

#include "sluice/base/bytes.h"

namespace sluice::mqtt {

// False for ill-formed UTF-8 (RFC 3629: overlong forms, surrogates, above U+10FFFF, cut sequences) and for
// U+0000. Control and non-characters, which the standard only advises against, are allowed.
bool is_valid_utf8(ByteView bytes);

}  // namespace sluice::mqtt
