"""A device whose TCP is made by hand, for what no kernel would send, or never so.

Every segment leaves exactly as told, by an AF_PACKET socket. The device's addresses belong to no kernel, so none
answers for it or resets what it has opened. It is one connection, over IPv4 or IPv6, whose other end is a lab's
listener. What arrives is acknowledged at once, unless `acknowledges` is false.
"""

import dataclasses
import random
import select
import socket
import struct
import time

import mqtt_raw
from lab import FRONT, FRONT6

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
IPV4, ARP, IPV6 = 0x0800, 0x0806, 0x86DD
ICMP, TCP, FRAGMENT, ICMPV6 = 1, 6, 44, 58
OUTGOING = 4  # PACKET_OUTGOING
PORT = 1883
_MODULO = 1 << 32


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def pack(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def with_checksum(data, at, pseudo=b""):
    return data[:at] + struct.pack("!H", checksum(pseudo + data)) + data[at + 2:]


@dataclasses.dataclass
class Segment:
    to_mac: bytes
    flags: int
    sequence: int
    acknowledgement: int
    mss: int | None
    payload: bytes


class Device:
    """`answers`: whose MAC address it says it has, by address, when it is asked. `path_mtu`: its router takes nothing
    larger, and tells whoever sent it."""

    def __init__(self, lab, address, port=None, own_mac=None, mss=1460, window=5840, answers=None):
        self.address = address
        self.port = port or random.randint(20000, 60000)
        self.mac = own_mac or bytes([2, 0]) + pack(address)[-4:]
        self.mss = mss
        self.window = window
        self.answers = answers or {}
        self.acknowledges = True
        self.path_mtu = None
        self.seen = []    # segments of the connection
        self.errors = []  # (type, code) of ICMP errors
        self.sequence = self.expected = 0
        self.stream = b""
        self.reader = mqtt_raw.Reader(self)
        self._v6 = ":" in address
        self._listener = FRONT6 if self._v6 else FRONT
        self._ended = None  # "closed" or "reset"
        self._identification = random.randint(1, 60000)
        front = next(p for p in lab.admin("show ports")["ports"] if p["name"] == "front")
        self._front_mac = mac(front["mac"])
        with lab.clients.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._socket.bind(("eth0", 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.sequence:
            self.send(RST | ACK)
        self._socket.close()

    # What leaves

    def frame(self, kind, packet, to=None, source=None):
        raw = (to or self._front_mac) + (source or self.mac) + struct.pack("!H", kind) + packet
        self._socket.send(raw + bytes(max(0, 60 - len(raw))))

    def segment(self, flags, payload=b"", sequence=None, acknowledgement=None, options=b""):
        header = struct.pack("!HHIIBBHHH", self.port, PORT,
                             (self.sequence if sequence is None else sequence) % _MODULO,
                             (self.expected if acknowledgement is None else acknowledgement) % _MODULO
                             if flags & ACK else 0,
                             (5 + len(options) // 4) << 4, flags, self.window, 0, 0)
        whole = header + options + payload
        return with_checksum(whole, 16, self._pseudo_header(TCP, len(whole)))

    def ip(self, protocol, payload, source=None, offset=0, more=None):
        """`more` is given for fragments: whether others follow. They leave without DF, all other IPv4 with it."""
        addresses = pack(source or self.address) + pack(self._listener)
        if not self._v6:
            flags = 0x4000 if more is None else (0x2000 if more else 0) | offset // 8
            header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), self._identification, flags, 64, protocol, 0)
            return with_checksum(header + addresses, 10) + payload
        if more is not None:
            payload = struct.pack("!BBHI", protocol, 0, offset | more, self._identification) + payload
            protocol = FRAGMENT
        return struct.pack("!IHBB", 0x60000000, len(payload), protocol, 64) + addresses + payload

    def send(self, flags, payload=b"", **numbers):
        """A segment that the device does not count as said."""
        self.frame(self._kind, self.ip(TCP, self.segment(flags, payload, **numbers)))

    def say(self, payload, flags=PSH | ACK):
        self.send(flags, payload)
        self._said(payload, flags)

    def say_in_fragments(self, payload, size):
        """One segment, in IP fragments of at most `size` bytes, a multiple of eight."""
        whole = self.segment(PSH | ACK, payload)
        self._identification += 1
        for at in range(0, len(whole), size):
            part = self.ip(TCP, whole[at:at + size], offset=at, more=at + size < len(whole))
            self.frame(self._kind, part)
        self._said(payload, PSH | ACK)

    def announce(self, address, own_mac):
        """Gratuitous ARP, as a request and as a reply; or an unsolicited neighbor advertisement."""
        raw = pack(address)
        if ":" not in address:
            for operation in (1, 2):
                self.frame(ARP, struct.pack("!HHBBH", 1, IPV4, 6, 4, operation) + own_mac + raw + bytes(6) + raw,
                           b"\xff" * 6, own_mac)
        else:
            self._advertise(raw, own_mac, pack("ff02::1"), bytes.fromhex("333300000001"), 0x20)

    # What arrives

    def step(self, timeout):
        """The next frame, if it comes in time; what it means is done."""
        if not select.select([self._socket], [], [], max(0, timeout))[0]:
            return
        raw, (_, _, kind, _, _) = self._socket.recvfrom(65536)
        if kind == OUTGOING:
            return
        kind = struct.unpack("!H", raw[12:14])[0]
        if kind == ARP:
            self._on_arp(raw)
        elif kind == self._kind:
            self._on_ip(raw)

    def until(self, condition, timeout=3):
        """Whether it holds in time."""
        deadline = time.monotonic() + timeout
        while not condition() and time.monotonic() < deadline:
            self.step(min(0.1, deadline - time.monotonic()))
        return bool(condition())

    def wait(self, seconds):
        self.until(lambda: False, seconds)

    def texts(self):
        """Segments with payload."""
        return [s for s in self.seen if s.payload]

    def recv_into(self, view, timeout=5):
        """As of a socket, for mqtt_raw.Reader."""
        if not self.until(lambda: self.stream or self._ended, timeout):
            raise TimeoutError("nothing came")
        if not self.stream:
            if self._ended == "reset":
                raise ConnectionResetError
            return 0
        size = min(len(view), len(self.stream))
        view[:size], self.stream = self.stream[:size], self.stream[size:]
        return size

    # The usual

    def open(self, first=None):
        """The handshake; false when no SYN-ACK comes."""
        self.sequence = random.randrange(_MODULO) if first is None else first % _MODULO
        self._ended = None
        self.seen.clear()
        self.send(SYN, options=struct.pack("!BBH", 2, 4, self.mss))
        first = self.sequence + 1
        if not self.until(lambda: self._answer_to_syn(first)):
            return False
        self.sequence = first % _MODULO
        self.expected = (self._answer_to_syn(first).sequence + 1) % _MODULO
        self.send(ACK)
        return True

    def connect(self, client_id, keep_alive=600):
        """The code of the CONNACK."""
        if not self.open():
            raise TimeoutError("no SYN-ACK")
        self.say(mqtt_raw.connect(client_id, keep_alive=keep_alive))
        return self.reader.expect(mqtt_raw.CONNACK)[1]

    def subscribe(self, topic):
        self.say(mqtt_raw.subscribe(topic))
        self.reader.expect(mqtt_raw.SUBACK)

    # Within

    @property
    def _kind(self):
        return IPV6 if self._v6 else IPV4

    def _said(self, payload, flags):
        self.sequence = (self.sequence + len(payload) + bool(flags & FIN)) % _MODULO

    def _pseudo_header(self, protocol, size, source=None, destination=None):
        addresses = pack(source or self.address) + pack(destination or self._listener)
        return addresses + struct.pack("!IHBB" if self._v6 else "!xBH", *((size, 0, 0, protocol) if self._v6 else
                                                                          (protocol, size)))

    def _answer_to_syn(self, acknowledgement):
        return next((s for s in self.seen
                     if s.flags & (SYN | ACK) == SYN | ACK and s.acknowledgement == acknowledgement % _MODULO), None)

    def _on_arp(self, raw):
        asked = socket.inet_ntoa(raw[38:42])
        if raw[20:22] == b"\0\1" and asked in self.answers:
            own = self.answers[asked]
            self.frame(ARP, struct.pack("!HHBBH", 1, IPV4, 6, 4, 2) + own + raw[38:42] + raw[22:32], raw[6:12], own)

    def _advertise(self, target, own_mac, to, to_mac, flags):
        body = struct.pack("!BBHB3x", 136, 0, 0, flags) + target + bytes([2, 1]) + own_mac
        pseudo = target + to + struct.pack("!IHBB", len(body), 0, 0, ICMPV6)
        header = struct.pack("!IHBB", 0x60000000, len(body), ICMPV6, 255) + target + to
        self.frame(IPV6, header + with_checksum(body, 2, pseudo), to_mac, own_mac)

    def _on_ip(self, raw):
        packet = raw[14:]
        if self._v6:
            protocol, start, size = packet[6], 40, 40 + struct.unpack("!H", packet[4:6])[0]
            source, destination = packet[8:24], packet[24:40]
        else:
            protocol, start, size = packet[9], (packet[0] & 15) * 4, struct.unpack("!H", packet[2:4])[0]
            source, destination = packet[12:16], packet[16:20]
        payload = packet[start:size]
        if protocol == ICMPV6 and payload[0] == 135:  # a neighbor solicitation
            asked = socket.inet_ntop(socket.AF_INET6, payload[8:24])
            if asked in self.answers:
                self._advertise(payload[8:24], self.answers[asked], source, raw[6:12], 0x60)
        elif destination != pack(self.address):
            pass
        elif protocol in (ICMP, ICMPV6):
            self.errors.append((payload[0], payload[1]))
        elif protocol == TCP and payload[:4] == struct.pack("!HH", PORT, self.port):
            if self.path_mtu and size > self.path_mtu:
                self._tell_too_big(packet)
            else:
                self._on_segment(raw[:6], payload)

    def _tell_too_big(self, packet):
        """Its router does."""
        if self._v6:
            error = struct.pack("!BBHI", 2, 0, 0, self.path_mtu) + packet[:1000]
            source = "fd00:1::9"
            error = with_checksum(error, 2, self._pseudo_header(ICMPV6, len(error), source))
            self.frame(IPV6, self.ip(ICMPV6, error, source))
        else:
            error = struct.pack("!BBHHH", 3, 4, 0, 0, self.path_mtu) + packet[:28]
            self.frame(IPV4, self.ip(ICMP, with_checksum(error, 2), "10.1.0.9"))

    def _on_segment(self, to_mac, raw):
        _, _, sequence, acknowledgement, offset, flags = struct.unpack("!HHIIBB", raw[:14])
        options, payload = raw[20:(offset >> 4) * 4], raw[(offset >> 4) * 4:]
        mss = struct.unpack("!H", options[2:4])[0] if options[:2] == b"\2\4" else None
        self.seen.append(Segment(to_mac, flags, sequence, acknowledgement, mss, payload))
        if flags & RST:
            self._ended = "reset"
        if flags & (RST | SYN) or not (payload or flags & FIN):
            return
        known = (self.expected - sequence) % _MODULO  # bytes at its front that came before
        if known <= len(payload):
            self.stream += payload[known:]
            self.expected = (sequence + len(payload)) % _MODULO
            if flags & FIN:
                self.expected = (self.expected + 1) % _MODULO
                self._ended = self._ended or "closed"
        if self.acknowledges:
            self.send(ACK)
