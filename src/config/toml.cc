// The one place where the TOML library's code is compiled.
#define TOML_IMPLEMENTATION
#include "toml.h"
