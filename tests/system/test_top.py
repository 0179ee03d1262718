"""`sluicectl top` on a terminal: what it shows, what keys and signals do, and that the terminal is left as it was."""

import os
import signal
import subprocess

import mqtt_raw
from lab import BUILD, FRONT, wait_for
from labtest import LabTest
from pseudo_terminal import PseudoTerminal

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


class TopTest(LabTest):
    def words(self, *more):
        return [BUILD / "sluicectl", "--socket", self.lab.socket, "top", *more]

    def terminal(self, *more, columns=132, rows=24, **environment):
        terminal = self.enterContext(PseudoTerminal(columns, rows))
        terminal.start(self.words("-i", "0.2", *more), **environment)
        return terminal

    def shows(self, terminal, text):
        wait_for(f"'{text}' in {terminal.lines()}", lambda: any(text in line for line in terminal.lines()), 10)

    def assert_left_as_it_was(self, terminal):
        self.assertEqual(terminal.settings(), terminal.settings_before)
        self.assertEqual(terminal.output.count(LEAVE), terminal.output.count(ENTER))

    def row(self, terminal, broker="brokers/broker-1"):
        return next((line.split() for line in terminal.lines() if line.startswith(broker + " ")), [])

    def test_shows_what_happens(self):
        terminal = self.terminal()
        self.shows(terminal, "LAST FAILURE")
        self.assertTrue(terminal.output.startswith(ENTER))
        self.assertEqual(len([line for line in terminal.lines() if line.startswith("brokers")]), 6)
        name = next(self.lab.client_ids_at(self.lab.broker("broker-1"), "seen"))
        with mqtt_raw.Client(self.lab.clients, FRONT, name) as client:
            wait_for("the connection", lambda: self.row(terminal)[3] == "1")
            wait_for("its CONNACK", lambda: self.row(terminal)[7] == "1")
            self.assertRegex(self.row(terminal)[9], r"^<=\d")
            client.sock.sendall(mqtt_raw.publish("x", bytes(5000)))
            wait_for("its bytes", lambda: self.row(terminal)[5].endswith("k"))
        wait_for("its end", lambda: self.row(terminal)[3] == "0")
        self.lab.admin("drain broker-1")
        self.shows(terminal, "drain")
        self.lab.admin("ready broker-1")
        terminal.press("q")
        self.assertEqual(terminal.wait(), 0)
        self.assert_left_as_it_was(terminal)

    def test_fits_its_terminal_and_follows_its_size(self):
        terminal = self.terminal(columns=60, rows=10)
        self.shows(terminal, "q quits")
        for columns, rows in ((60, 10), (90, 8), (200, 40), (61, 5), (300, 12)):
            terminal.resize(columns, rows)
            pictures = len(terminal.pictures())
            wait_for("new pictures", lambda: len(terminal.pictures()) >= pictures + 3)
            self.assertLessEqual(len(terminal.lines()), rows)
            self.assertLessEqual(max(map(len, terminal.lines())), columns, terminal.lines())
        terminal.resize(100, 8)
        self.shows(terminal, "brokers 1 to 3 of 6")
        terminal.press("\x1b[B")
        self.shows(terminal, "brokers 2 to 4 of 6")
        terminal.press("\x1b[6~")
        self.shows(terminal, "brokers 4 to 6 of 6")
        terminal.press("\x1b[5~\x1b[A")
        self.shows(terminal, "brokers 1 to 3 of 6")

    def test_signals_end_it_and_leave_the_terminal_as_it_was(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            terminal = self.terminal()
            self.shows(terminal, "q quits")
            self.assertNotEqual(terminal.settings(), terminal.settings_before)
            if number == signal.SIGINT:
                terminal.press("\x03")
            else:
                terminal.send_signal(number)
            self.assertEqual(terminal.wait(), -number)
            self.assert_left_as_it_was(terminal)

    def test_gives_the_terminal_back_while_it_is_stopped(self):
        terminal = self.terminal()
        self.shows(terminal, "q quits")
        terminal.press("\x1a")
        terminal.wait_stopped()
        self.assert_left_as_it_was(terminal)
        pictures = len(terminal.pictures())
        terminal.send_signal(signal.SIGCONT)
        wait_for("new pictures", lambda: len(terminal.pictures()) > pictures + 1)
        self.assertNotEqual(terminal.settings(), terminal.settings_before)
        terminal.press("q")
        self.assertEqual(terminal.wait(), 0)
        self.assertTrue(terminal.output.endswith(LEAVE))
        self.assertEqual(terminal.settings(), terminal.settings_before)

    def test_ends_after_so_many_and_leaves_the_last_table(self):
        terminal = self.terminal("-n", "3")
        self.assertEqual(terminal.wait(), 0)
        self.assertEqual(len(terminal.pictures()), 4)
        self.assertIn("PORTS%", terminal.output.rpartition(LEAVE)[2])
        self.assert_left_as_it_was(terminal)

    def test_a_daemon_that_goes_and_comes_back(self):
        terminal = self.terminal()
        self.shows(terminal, "q quits")
        self.lab.sluiced.terminate()
        self.lab.sluiced.wait(20)
        self.shows(terminal, "no daemon listens on")
        self.shows(terminal, "broker-1")
        self.lab.start_sluiced()
        wait_for("it to be seen", lambda: not any("no daemon" in line for line in terminal.lines()))
        self.shows(terminal, "broker-1")

    def test_colors(self):
        colored = self.terminal()
        self.shows(colored, "q quits")
        self.assertIn("\x1b[32mup\x1b[0m", colored.output)
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            plain = self.terminal(**environment)
            wait_for("the table", lambda: plain.read() or "broker-1" in plain.output)
            self.assertNotRegex(plain.output, r"\x1b\[[0-9;]*m")

    def test_elsewhere_it_prints_plain_tables(self):
        done = self.lab.ctl("top", "--once", "-i", "0.2")
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], r"^sluice \d.*, up .*, \d+ connections, \d+ spliced, \S+ connects/s, \S+ drops/s$")
        self.assertEqual(len(lines), 10)
        self.assertNotIn("\x1b", done.stdout)
        twice = self.lab.ctl("top", "-n", "2", "-i", "0.2").stdout
        self.assertEqual(twice.count("LAST FAILURE"), 2)
        # Until nobody reads any more.
        reader, writer = os.pipe()
        process = subprocess.Popen(list(map(str, self.words("-i", "0.1"))), stdout=writer, stderr=subprocess.DEVNULL)
        os.close(writer)
        with open(reader, encoding="utf-8") as output:
            self.assertIn("sluice", output.readline())
        self.assertNotEqual(process.wait(10), 0)

    def test_without_a_daemon_it_says_so(self):
        terminal = self.enterContext(PseudoTerminal())
        terminal.start([BUILD / "sluicectl", "--socket", "/nonexistent", "top"])
        self.assertEqual(terminal.wait(), 1)
        self.assertEqual(terminal.output, "sluicectl: no daemon listens on /nonexistent; start sluiced or give its "
                                          "--socket\r\n")
