"""Paho: paho_echo.py HOST VERSION CLIENT_ID. Publishes to itself at QoS 0, 1 and 2; exit code 0 when all came back."""

import queue
import sys

import paho.mqtt.client as mqtt

host, version, client_id = sys.argv[1], int(sys.argv[2]), sys.argv[3]
messages = queue.Queue()
subscribed = queue.Queue()

client = mqtt.Client(client_id=client_id, protocol=version)
client.on_connect = lambda c, *_: c.subscribe(f"echo/{client_id}", 2)
client.on_subscribe = lambda *_: subscribed.put(True)
client.on_message = lambda _c, _u, message: messages.put((message.qos, message.payload))
client.connect(host, 1883, keepalive=30)
client.loop_start()
subscribed.get(timeout=20)
for qos in (0, 1, 2):
    payload = bytes([qos]) * 20000
    client.publish(f"echo/{client_id}", payload, qos).wait_for_publish(20)
    assert messages.get(timeout=20) == (qos, payload)
client.disconnect()
client.loop_stop()
