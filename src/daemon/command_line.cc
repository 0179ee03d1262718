#include "sluice/daemon/command_line.h"

#include <CLI/CLI.hpp>
#include <ostream>

namespace sluice::daemon {

std::variant<Options, int> parse(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
    Options options;
    CLI::App app("A layer-4 load balancer that understands MQTT.", "sluiced");
    app.set_version_flag("--version", "sluiced " SLUICE_VERSION);
    app.add_option("--config", options.config, "configuration file")->capture_default_str();
    app.add_flag("--check-config", options.check_config,
                 "report what is wrong with the configuration and exit");
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& asked) {  // --help, --version
        return app.exit(asked, out, err);
    } catch (const CLI::ParseError& error) {
        err << "sluiced: " << error.what() << "; see sluiced --help\n";
        return kExitUsage;
    }
    return options;
}

void print_problems(const config::LoadResult& loaded, std::ostream& err) {
    for (const config::Problem& problem : loaded.problems) err << config::to_string(problem) << '\n';
}

}  // namespace sluice::daemon
