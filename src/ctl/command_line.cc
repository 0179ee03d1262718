#include "sluice/ctl/command_line.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <ostream>

#include "sluice/base/terminal.h"
#include "sluice/base/words.h"
#include "sluice/ctl/client.h"
#include "sluice/ctl/render.h"

namespace sluice::ctl {

namespace {

// The same for all: a fault in the command line, told in one line.
int usage_fault(std::ostream& err, const std::string& what) {
    err << "sluicectl: " << what << "; see sluicectl --help\n";
    return kExitUsage;
}

// What `top` may be told, and nothing else.
struct TopArguments {
    TopOptions options;
    unsigned count = 0;
    bool once = false;
    CLI::Option_group* group = nullptr;

    void declare(CLI::App& app) {
        constexpr double kShortest = 0.1;
        constexpr double kLongest = 3600;
        group = app.add_option_group("top", "Options of top, a table that is updated until q is pressed");
        group->add_option("-i,--interval", options.interval, "seconds between updates")
            ->check(CLI::Range(kShortest, kLongest))
            ->capture_default_str();
        group->add_option("-n", count, "end after this many tables")->check(CLI::Range(1U, 1'000'000'000U));
        group->add_flag("--once", once, "one table, as plain text");
    }
    bool given() const { return group->count_all() > 0; }
    TopOptions taken() const {
        TopOptions out = options;
        if (count != 0) out.count = count;
        if (once) out = {.interval = out.interval, .count = 1, .plain = true};
        return out;
    }
};

}  // namespace

std::variant<Options, int> parse(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
    Options options;
    bool dry_run = false;
    TopArguments top;
    CLI::App app(
        "Asks a running sluiced. 'sluicectl help' lists its commands, 'sluicectl top' shows its figures as "
        "they change.",
        "sluicectl");
    app.set_version_flag("--version", "sluicectl " SLUICE_VERSION);
    app.add_option("--socket", options.socket, "admin socket of the daemon")->capture_default_str();
    app.add_flag("--json", options.json, "print the answer as JSON");
    app.add_flag("--dry-run", dry_run, "for reload: only report what would change");
    app.add_option("command", options.words, "command and its words, such as: show backends")->required();
    top.declare(app);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& asked) {  // --help, --version
        return app.exit(asked, out, err);
    } catch (const CLI::ParseError& error) {
        return usage_fault(err, error.what());
    }
    if (dry_run) options.words.emplace_back("--dry-run");
    if (options.words.front() == "top") {
        if (options.words.size() > 1 || options.json) {
            return usage_fault(err, "top takes -i SECONDS, -n N and --once, and prints no JSON");
        }
        options.top = top.taken();
    } else if (top.given()) {
        return usage_fault(err, "-i, -n and --once are for top alone");
    }
    return options;
}

int run(const Options& options, std::ostream& out, std::ostream& err) {
    if (options.top) return run_top(options.socket, *options.top, out, err);
    std::string line;
    for (const std::string& word : options.words) {
        if (!line.empty()) line += ' ';
        line += quote_word(word);
    }
    try {
        const auto reply = nlohmann::ordered_json::parse(Conversation(options.socket).ask(line));
        const bool refused = reply.contains("error");
        if (options.json) {
            out << escape_terminal(reply.dump(2)) << '\n';
        } else if (refused) {
            err << render_refusal(reply);
        } else {
            out << render(reply);
        }
        out.flush();
        return out.good() && !refused ? kExitGood : kExitRuntime;
    } catch (const NoAnswer& error) {
        err << "sluicectl: " << error.what() << '\n';
    } catch (const nlohmann::json::exception& error) {
        err << "sluicectl: the daemon's answer is not a JSON object: " << error.what() << '\n';
    }
    return kExitRuntime;
}

}  // namespace sluice::ctl
