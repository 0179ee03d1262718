// The TOML library, set up as this room wants it: without exceptions, which the system's shared library
// throws; so its code is compiled into this room, by toml.cc alone.
#pragma once

// The library's pkg-config file chooses the shared library.
#undef TOML_HEADER_ONLY
#undef TOML_SHARED_LIB
#define TOML_HEADER_ONLY 0
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0

// The parser asserts that a table header begins with a key, and then handles one that does not ("[[[a]]]") as
// the error it is: a mistyped file must not end the process. With NDEBUG the library would turn the assertion
// into an assumption of the optimizer, which is worse still.
#define TOML_ASSERT(condition) static_cast<void>(0)
#pragma push_macro("NDEBUG")
#undef NDEBUG

#include <toml++/toml.h>

#pragma pop_macro("NDEBUG")
