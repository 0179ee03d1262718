// The TOML library, set up as this room wants it: without exceptions, which the system's shared library
// throws; so its code is compiled into this room, by toml.cc alone.
#pragma once

// The library's pkg-config file chooses the shared library.
#undef TOML_HEADER_ONLY
#undef TOML_SHARED_LIB
#define TOML_HEADER_ONLY 0
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0

#include <toml++/toml.h>
