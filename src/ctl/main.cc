// sluicectl: the operator's tool. It speaks to the daemon's admin socket and prints what comes back.
#include <iostream>

#include "sluice/ctl/command_line.h"

int main(int argc, char** argv) {
    const auto parsed = sluice::ctl::parse(argc, argv, std::cout, std::cerr);
    if (const int* code = std::get_if<int>(&parsed)) return *code;
    return sluice::ctl::run(std::get<sluice::ctl::Options>(parsed), std::cout, std::cerr);
}
