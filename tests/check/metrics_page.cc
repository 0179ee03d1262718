// Prints the page of metrics of a Sluice that has one of everything, for metrics_doc.py and promtool.
#include <iostream>

#include "admin/sample_metrics.h"

int main() {
    std::cout << sluice::admin::to_text(sluice::admin::families(sluice::admin::sample_metrics()));
    return std::cout.flush() ? 0 : 1;
}
