#include "sluice/config/reader.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "check.h"
#include "report.h"
#include "sections.h"
#include "toml.h"

namespace sluice::config {

LoadResult read(std::string_view text, std::string_view file_name) {
    Report report(file_name);
    const toml::parse_result parsed = toml::parse(text);
    if (!parsed) {
        const auto& begin = parsed.error().source().begin;
        report.add({begin.line, begin.column, ""}, std::string(parsed.error().description()),
                   "see https://toml.io for the syntax");
        return {std::nullopt, report.take()};
    }
    Draft draft = read_sections(parsed.table(), report);
    check(draft, report);
    if (report.count() != 0) return {std::nullopt, report.take()};
    return {std::move(draft.config), {}};
}

LoadResult load(const std::string& path) {
    const std::unique_ptr<std::FILE, decltype(&std::fclose)> file(std::fopen(path.c_str(), "rb"),
                                                                  &std::fclose);
    std::string text;
    std::array<char, 16384> block{};
    while (file) {
        const std::size_t size = std::fread(block.data(), 1, block.size(), file.get());
        if (size == 0) break;
        text.append(block.data(), size);
    }
    if (file && std::ferror(file.get()) == 0) return read(text, path);
    Report report(path);
    report.add({}, std::string("cannot be read: ") + std::strerror(errno), "give a readable file");
    return {std::nullopt, report.take()};
}

}  // namespace sluice::config
