// MQTT.js: mqttjs_echo.js HOST VERSION CLIENT_ID. Publishes to itself at QoS 0, 1 and 2; exit code 0 when all came back.
'use strict';

const assert = require('assert');
const mqtt = require('mqtt');

const [host, version, clientId] = process.argv.slice(2);

async function main() {
    const client = await mqtt.connectAsync({
        protocol: 'mqtt', host, port: 1883, clientId, protocolVersion: Number(version), reconnectPeriod: 0,
    });
    const topic = `echo/${clientId}`;
    await client.subscribeAsync(topic, {qos: 2});
    for (const qos of [0, 1, 2]) {
        const payload = Buffer.alloc(20000, qos);
        const arrived = new Promise((resolve) => client.once('message', (_, body, packet) => resolve([body, packet.qos])));
        await client.publishAsync(topic, payload, {qos});
        const [body, arrivedQos] = await arrived;
        assert(body.equals(payload));
        assert.strictEqual(arrivedQos, qos);
    }
    await client.endAsync();
}

setTimeout(() => { console.error('no answer in 30 s'); process.exit(1); }, 30000).unref();
main().catch((error) => { console.error(error); process.exit(1); });
