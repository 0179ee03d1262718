// How a command line is cut into words. A word with blanks in it is put in double quotes, because client IDs
// may hold nearly anything: inside quotes \" \\ \n \t and \xNN stand for what they stand for in C.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// nullopt when a quote is not closed or an escape is not one of the above.
std::optional<std::vector<std::string>> split_words(std::string_view line);

// The text that split_words() reads back as this one word.
std::string quote_word(std::string_view word);

}  // namespace sluice
