"""MQTT packets by hand, for what a well-behaved client would never send, or never so."""

import socket
import struct

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 2, 3, 4, 9, 13


def varint(n):
    out = bytearray()
    while True:
        n, low = divmod(n, 128)
        out.append(low | (0x80 if n else 0))
        if not n:
            return bytes(out)


def text(value):
    raw = value.encode()
    return struct.pack("!H", len(raw)) + raw


def packet(first, body):
    return bytes([first]) + varint(len(body)) + body


def connect(client_id, version=4, keep_alive=60, will=None, username=None, clean=True, expiry=0):
    """CONNECT; version 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5. The Will is (topic, payload), QoS 0. A user gives an empty
    password. `expiry`: seconds that the session lasts, in 5."""
    properties = (struct.pack("!BBI", 5, 0x11, expiry) if expiry else b"\x00") if version == 5 else b""
    name = "MQIsdp" if version == 3 else "MQTT"
    flags = (0x02 if clean else 0) | (0x04 if will else 0) | (0xC0 if username else 0)
    header = text(name) + bytes([version, flags]) + struct.pack("!H", keep_alive)
    last_words = (b"\x00" if version == 5 else b"") + b"".join(map(text, will)) if will else b""
    identity = text(username) + text("") if username else b""
    return packet(0x10, header + properties + text(client_id) + last_words + identity)


def subscribe(topic, qos=0, packet_id=1):
    return packet(0x82, struct.pack("!H", packet_id) + text(topic) + bytes([qos]))


def publish(topic, payload, qos=0, packet_id=1, retain=False):
    return packet(0x30 | qos << 1 | retain, text(topic) + (struct.pack("!H", packet_id) if qos else b"") + payload)


def puback(packet_id):
    return packet(0x40, struct.pack("!H", packet_id))


PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"


class Closed(Exception):
    """The other end closed or reset where a packet was due."""


class Reader:
    """Whole packets from a socket."""

    def __init__(self, sock):
        self._sock = sock

    def exactly(self, n):
        data = bytearray(n)
        view = memoryview(data)
        while view:
            try:
                got = self._sock.recv_into(view)
            except ConnectionResetError as reset:
                raise Closed("reset") from reset
            if not got:
                raise Closed("closed")
            view = view[got:]
        return bytes(data)

    def packet(self):
        """(type, flags, body) of the next packet."""
        first = self.exactly(1)[0]
        length = shift = 0
        while True:
            byte = self.exactly(1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        return first >> 4, first & 0x0F, self.exactly(length)

    def expect(self, kind):
        """The body of the next packet, which is of that kind."""
        got, _, body = self.packet()
        if got != kind:
            raise AssertionError(f"packet of type {got} where {kind} was due: {body[:40]!r}")
        return body


class Client:
    """A connected client on a socket of its own. Version 3.1.1 unless told otherwise."""

    def __init__(self, namespace, address, client_id, version=4, keep_alive=60, **socket_options):
        self.sock = namespace.connect(address, **socket_options)
        self.reader = Reader(self.sock)
        try:
            self.sock.sendall(connect(client_id, version, keep_alive))
            self.code = self.reader.expect(CONNACK)[1]
        except BaseException:
            self.sock.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def ping(self):
        self.sock.sendall(PINGREQ)
        self.reader.expect(PINGRESP)

    def subscribe(self, topic, qos=0):
        self.sock.sendall(subscribe(topic, qos))
        self.reader.expect(SUBACK)

    def echo(self, topic, payload):
        """Publishes to oneself and waits for it."""
        self.subscribe(topic)
        self.sock.sendall(publish(topic, payload))
        body = self.reader.expect(PUBLISH)
        if body != text(topic) + payload:
            raise AssertionError(f"sent {payload[:40]!r}, got {body[:60]!r}")


def closes(sock):
    """Whether the other end closes or resets without sending anything more."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True
    except socket.timeout:
        return False


def reset(sock):
    """Linger on with a time of zero: close() sends a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
