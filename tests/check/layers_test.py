"""layers.py sees each kind of fault, and only that, in a small tree that is otherwise clean."""

import pathlib
import tempfile
import unittest

import layers

CLEAN = {
    "include/sluice/base/bytes.h": "#pragma once\n#include <cstdint>\n",
    "include/sluice/base/clock.h": "#pragma once\n",
    "include/sluice/wire/tcp.h": '#pragma once\n#include "sluice/base/bytes.h"\n',
    "include/sluice/tcp/seq.h": '#pragma once\n#include "sluice/wire/tcp.h"\n',
    "include/sluice/nat/pool.h": '#pragma once\n#include "sluice/base/bytes.h"\n',
    "include/sluice/config/model.h": '#pragma once\n#include "sluice/nat/pool.h"\n',
    "include/sluice/backend/pool.h": '#pragma once\n#include "sluice/config/model.h"\n',
    "include/sluice/port/port.h": '#pragma once\n#include "sluice/wire/tcp.h"\n#include <rte_mbuf.h>\n',
    "src/daemon/loop.cc": '#include "sluice/base/clock.h"\n',
    "include/sluice/worker/worker.h": '#pragma once\n#include "sluice/port/port.h"\n',
    "src/daemon/main.cc": '#include "sluice/worker/worker.h"\n',
    "src/tcp/private.h": "#pragma once\n",
    "src/worker/worker.cc": '#include "sluice/worker/worker.h"\n',
    "src/tcp/seq.cc": '#include "sluice/tcp/seq.h"\n#include "private.h"\n#include "tcp/private.h"\n',
}


class LayersTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for path, text in CLEAN.items():
            self.write(path, text)

    def write(self, path, text):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def expect_one_fault(self, path, text, words):
        self.write(path, text)
        faults, _ = layers.check_tree(self.root)
        self.assertEqual(len(faults), 1, faults)
        self.assertIn(path, faults[0])
        self.assertIn(words, faults[0])

    def test_clean_tree_passes(self):
        self.assertEqual(layers.check_tree(self.root), ([], len(CLEAN)))

    def test_upward_include_fails(self):
        self.expect_one_fault("src/base/x.cc", '\n#include "sluice/wire/tcp.h"\n', ":2: ")

    def test_sibling_include_fails(self):
        self.expect_one_fault("src/tcp/x.cc", '#include "sluice/nat/pool.h"\n', "sibling")

    def test_arrow_inside_a_floor_has_one_direction(self):
        self.expect_one_fault("src/config/x.cc", '#include "sluice/backend/pool.h"\n', "sibling")

    def test_dpdk_header_outside_its_rooms_fails(self):
        self.expect_one_fault("src/session/x.cc", "#include <rte_mbuf.h>\n", "DPDK")

    def test_clock_outside_its_rooms_fails(self):
        self.expect_one_fault("src/session/x.cc", '#include "sluice/base/clock.h"\n', "only daemon, load, worker")

    def test_quoted_dpdk_header_fails(self):
        self.expect_one_fault("src/nat/x.cc", '#  include "dpdk/rte_hash.h"\n', "DPDK")

    def test_port_includes_only_base_and_wire(self):
        self.expect_one_fault("src/port/x.cc", '#include "sluice/tcp/seq.h"\n', "may include only base, wire")

    def test_leaf_that_includes_the_top_of_its_room_fails(self):
        self.expect_one_fault("src/worker/leaf.h", '#pragma once\n#include "sluice/worker/worker.h"\n', "top of its room")

    def test_public_leaf_that_includes_the_top_of_its_room_fails(self):
        self.expect_one_fault(
            "include/sluice/worker/leaf.h", '#pragma once\n#include "sluice/worker/worker.h"\n', "top of its room"
        )

    def test_host_includes_nothing_of_connections(self):
        self.expect_one_fault("src/host/x.cc", '#include "sluice/tcp/seq.h"\n', "may include only base, neighbor, port, wire")

    def test_port_does_not_know_the_host_above_it(self):
        self.write("include/sluice/host/stack.h", '#pragma once\n#include "sluice/port/port.h"\n')
        self.expect_one_fault("src/port/x.cc", '#include "sluice/host/stack.h"\n', "may include only base, wire")

    def test_header_without_pragma_once_fails(self):
        self.expect_one_fault("include/sluice/base/x.h", "#include <cstdint>\n", "#pragma once")

    def test_private_header_of_another_room_fails(self):
        self.expect_one_fault("src/nat/x.cc", '#include "../tcp/private.h"\n', "own room")

    def test_private_header_of_another_room_by_its_name_fails(self):
        self.expect_one_fault("src/nat/x.cc", '#include "tcp/private.h"\n', "own room")

    def test_room_without_a_floor_fails(self):
        self.expect_one_fault("src/attic/x.cc", "#include <cstdint>\n", "no room")

    def test_include_of_a_room_without_a_floor_fails(self):
        self.expect_one_fault("src/base/x.cc", '#include "sluice/attic/x.h"\n', "has a floor")


if __name__ == "__main__":
    unittest.main()
