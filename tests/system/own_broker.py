"""The test as broker: for what a real one would never do, and for streams that are no MQTT behind their CONNECT."""

import queue
import socket
import threading

import mqtt_raw

ACCEPTED = b"\x20\x02\x00\x00"


def client_id_of(connect):
    """The client ID in the body of a CONNECT without properties."""
    start = 2 + int.from_bytes(connect[:2], "big") + 4
    if connect[start - 4] == 5:
        start += 1
    size = int.from_bytes(connect[start:start + 2], "big")
    return connect[start + 2:start + 2 + size].decode()


class OwnBroker:
    """Listens at the addresses of one of a lab's brokers, reads each CONNECT, and hands the socket to whoever waits for
    its client ID. The answer is left to them."""

    def __init__(self, lab, broker):
        self._waiting = {}
        self._lock = threading.Lock()
        self._ended = False
        self._listening = [lab.broker_side.listen(address) for address in (broker.address, broker.address6)]
        self._threads = [threading.Thread(target=self._accept, args=(sock,), daemon=True) for sock in self._listening]
        for thread in self._threads:
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._ended = True
        for sock in self._listening:
            sock.shutdown(socket.SHUT_RDWR)  # wakes accept()
        for thread in self._threads:
            thread.join()
        for sock in self._listening:
            sock.close()

    def take(self, client_id, timeout=30):
        """The broker's end of that client's connection, its CONNECT read."""
        try:
            sock = self._place(client_id).get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"{client_id} did not come") from None
        with self._lock:
            del self._waiting[client_id]
        return sock

    def _place(self, client_id):
        with self._lock:
            return self._waiting.setdefault(client_id, queue.SimpleQueue())

    def _accept(self, listening):
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                if self._ended:
                    return
                raise
            threading.Thread(target=self._read, args=(sock,), daemon=True).start()

    def _read(self, sock):
        sock.settimeout(30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            _, _, body = mqtt_raw.Reader(sock).packet()
        except (mqtt_raw.Closed, OSError):
            sock.close()  # nobody to hand it to
            return
        self._place(client_id_of(body)).put(sock)


def pair(lab, broker, host, client_id, behind_connect=b"", behind_connack=b"", connack=ACCEPTED, version=4,
         keep_alive=60, **socket_options):
    """A client's socket and its broker's end, after CONNACK. The bytes given go together with CONNECT and CONNACK."""
    client = lab.clients.connect(host, **socket_options)
    try:
        client.sendall(mqtt_raw.connect(client_id, version, keep_alive) + behind_connect)
        end = broker.take(client_id)
        try:
            end.sendall(connack + behind_connack)
            if mqtt_raw.Reader(client).expect(mqtt_raw.CONNACK) != connack[2:]:
                raise AssertionError(f"{client_id}: not the broker's CONNACK")
        except BaseException:
            end.close()
            raise
    except BaseException:
        client.close()
        raise
    return client, end
