// One table of the file, read key by key. Each reading says what the key must be; from the readings
// themselves the section knows which keys exist, so that finish() can refuse the others.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "report.h"
#include "sluice/base/address.h"
#include "sluice/base/time.h"
#include "sluice/config/words.h"
#include "toml.h"

namespace sluice::config {

enum class Need : std::uint8_t { Optional, Required };

// Borrows the table and the report. Every reading changes `out` and returns the value's place only when the
// key is there and good; what is bad, or absent though Required, goes to the report.
class Section {
  public:
    // path: the section's dotted name, empty for the whole file.
    Section(const toml::table& table, std::string path, Report& report);

    FilePosition place() const;
    // Of the key itself when it is there, else of the section; named after the key either way.
    FilePosition place_of(std::string_view key) const;
    bool has(std::string_view key) const { return table_->contains(key); }
    Report& report() { return *report_; }

    std::optional<FilePosition> text(std::string_view key, std::string& out, Need need = Need::Optional);
    // A text that may be empty.
    std::optional<FilePosition> any_text(std::string_view key, std::string& out);
    // The path of a file, from the root.
    std::optional<FilePosition> path(std::string_view key, std::string& out);
    // A required text that operators can type as one word.
    std::optional<FilePosition> name(std::string_view key, std::string& out);
    std::optional<FilePosition> address(std::string_view key, SocketAddress& out, Need need = Need::Required);
    template <std::unsigned_integral T>
    std::optional<FilePosition> integer(std::string_view key, T& out, T lowest, T highest) {
        std::uint64_t value = 0;
        const auto place = read_integer(key, value, lowest, highest);
        if (place) out = static_cast<T>(value);
        return place;
    }
    std::optional<FilePosition> number(std::string_view key, double& out);
    std::optional<FilePosition> duration(std::string_view key, Duration& out, Duration lowest,
                                         Duration highest);
    template <std::unsigned_integral T>
    std::optional<FilePosition> size(std::string_view key, T& out, T lowest, T highest) {
        std::uint64_t value = 0;
        const auto place = read_size(key, value, lowest, highest);
        if (place) out = static_cast<T>(value);
        return place;
    }
    // A number such as 200, or a range of them such as "200-299".
    std::optional<FilePosition> range(std::string_view key, std::uint16_t& first, std::uint16_t& last,
                                      std::uint16_t lowest, std::uint16_t highest);
    template <typename E, std::size_t N>
    std::optional<FilePosition> choice(std::string_view key, E& out, const Word<E> (&words)[N]) {
        std::string value;
        const auto place = text(key, value);
        if (!place) return std::nullopt;
        const auto index = find_word(value, *place, texts_of(words));
        if (!index) return std::nullopt;
        out = words[*index].value;
        return place;
    }
    // One word or an array of them.
    template <typename E, std::size_t N>
    void choices(std::string_view key, std::vector<E>& out, const Word<E> (&words)[N]) {
        for (const auto& [value, place] : one_or_more(key)) {
            if (const auto index = find_word(value, place, texts_of(words)))
                out.push_back(words[*index].value);
        }
    }
    // The strings of an array, each with its own place. Elements of another type are reported and left out.
    std::vector<Located<std::string>> texts(std::string_view key, Need need = Need::Optional);
    // Likewise; a single string stands for an array of one. An empty array is reported.
    std::vector<Located<std::string>> one_or_more(std::string_view key);
    // A key that has no place here as the rest of the section stands.
    void refuse(std::string_view key, std::string message, std::string remedy);
    // [section.key]
    std::optional<Section> table(std::string_view key);
    // [[section.key]], in the file's order.
    std::vector<Section> tables(std::string_view key);

    // Reports every key that no reading asked for. later: keys of the design that this version does not know
    // yet.
    void finish(std::initializer_list<std::string_view> later = {});

  private:
    const toml::node* find(std::string_view key, Need need);
    std::string path_of(std::string_view key) const;
    FilePosition place_of(const toml::node& node, std::string_view key) const;
    std::vector<Located<std::string>> elements(const toml::array& array, std::string_view key);
    std::optional<FilePosition> take_text(const toml::node& node, std::string_view key, std::string& out,
                                          bool may_be_empty, Need need);
    void refuse_type(const toml::node& node, std::string_view key, std::string_view expected);
    void refuse_unknown(const toml::key& key, const toml::node& node,
                        std::span<const std::string_view> later);
    std::optional<FilePosition> read_integer(std::string_view key, std::uint64_t& out, std::uint64_t lowest,
                                             std::uint64_t highest);
    std::optional<FilePosition> read_size(std::string_view key, std::uint64_t& out, std::uint64_t lowest,
                                          std::uint64_t highest);
    // The word's number among `words`; what is none of them is reported.
    std::optional<std::size_t> find_word(std::string_view value, const FilePosition& place,
                                         std::span<const std::string_view> words);

    template <typename E, std::size_t N>
    static std::vector<std::string_view> texts_of(const Word<E> (&words)[N]) {
        std::vector<std::string_view> texts;
        for (const auto& word : words) texts.push_back(word.text);
        return texts;
    }

    const toml::table* table_;
    std::string path_;
    Report* report_;
    std::vector<std::string_view> known_;  // literals, in the order they were asked for
};

}  // namespace sluice::config
