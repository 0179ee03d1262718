#include "sluice/ctl/command_line.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <ostream>

#include "sluice/base/words.h"
#include "sluice/ctl/client.h"
#include "sluice/ctl/render.h"

namespace sluice::ctl {

std::variant<Options, int> parse(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
    Options options;
    CLI::App app("Asks a running sluiced; 'sluicectl help' lists what it understands.", "sluicectl");
    app.set_version_flag("--version", "sluicectl " SLUICE_VERSION);
    app.add_option("--socket", options.socket, "admin socket of the daemon")->capture_default_str();
    app.add_flag("--json", options.json, "print the answer as JSON");
    app.add_option("command", options.words, "command and its words, such as: show backends")->required();
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& asked) {  // --help, --version
        return app.exit(asked, out, err);
    } catch (const CLI::ParseError& error) {
        err << "sluicectl: " << error.what() << "; see sluicectl --help\n";
        return kExitUsage;
    }
    return options;
}

int run(const Options& options, std::ostream& out, std::ostream& err) {
    std::string line;
    for (const std::string& word : options.words) {
        if (!line.empty()) line += ' ';
        line += quote_word(word);
    }
    try {
        const auto reply = nlohmann::ordered_json::parse(ask(options.socket, line));
        if (reply.contains("error")) {
            err << "sluicectl: " << reply["error"].get<std::string>() << '\n';
            return kExitRuntime;
        }
        out << (options.json ? reply.dump(2) + '\n' : render(reply));
        out.flush();
        return out.good() ? kExitGood : kExitRuntime;
    } catch (const NoAnswer& error) {
        err << "sluicectl: " << error.what() << '\n';
    } catch (const nlohmann::json::exception& error) {
        err << "sluicectl: the daemon's answer is no JSON object: " << error.what() << '\n';
    }
    return kExitRuntime;
}

}  // namespace sluice::ctl
