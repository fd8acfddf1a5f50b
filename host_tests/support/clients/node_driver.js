// Uses the official Node SDK (alibabacloud-iot-device-sdk 1.2.8) as its manual shows.
//
// Reads one JSON job from standard input, prints one JSON line per event. Only
// where a connection goes is bent: the platform's names lead to the emulated
// cloud's ports. The host name stays, for SNI and for the verification, which
// Node does with the CA that NODE_EXTRA_CA_CERTS names.
'use strict';

const fs = require('fs');
const net = require('net');
const path = require('path');
const tls = require('tls');

const job = JSON.parse(fs.readFileSync(0, 'utf8'));
const report = (event, fields) => fs.writeSync(1, JSON.stringify(Object.assign({ event }, fields)) + '\n');
const fail = (error) => {
  report('error', { code: error.code, message: String(error.message || error) });
  process.exit(0);
};

function target(options, secure) {
  const host = options.host || options.hostname;
  if (!/\.aliyuncs\.com$/.test(host)) throw new Error(`${host} is not to be reached here`);
  if (options.rejectUnauthorized === false) throw new Error('the certificate would not be verified');
  const mqtt = secure ? job.ports.mqtt_tls : job.ports.mqtt_tcp;
  return { host: '127.0.0.1', port: Number(options.port) === 443 ? job.ports.https : mqtt };
}

const connectTls = tls.connect;
tls.connect = (options, ...rest) => connectTls.call(tls, Object.assign({}, options,
  { servername: options.servername || options.host }, target(options, true)), ...rest);
const connectTcp = net.createConnection;
net.createConnection = (port, host) => connectTcp.call(net, target({ port, host }, false));

const root = path.join(process.env.SDK_ROOT, 'node_modules', 'alibabacloud-iot-device-sdk');
const iot = require(root);
const topic = (name) => `/${job.product_key}/${job.device_name}/user/${name}`;

function connect(deviceSecret) {
  const device = iot.device({
    productKey: job.product_key, deviceName: job.device_name, deviceSecret,
    tls: job.scenario !== 'tcp', brokerUrl: job.broker_url,
  });
  device.on('error', fail);
  device.on('connect', () => {
    report('connect', {});
    device.onProps((message) => {
      report('set', { params: message.params });
      device.end(true, () => process.exit(0));
    });
    device.on('message', (name, payload) => {
      if (name !== topic('get')) return;
      report('message', { payload: payload.toString() });
      report('wait', { for: 'set' });
    });
    device.postProps({ temperature: 21 }, (reply) => {
      report('property', { code: reply.code });
      device.publish(topic('update'), 'hello', { qos: 1 }, (error) => {
        report('published', { error: error || null });
        device.subscribe(topic('get'), { qos: 1 }, (failed, granted) => {
          report('subscribed', { granted: granted.map((one) => one.qos) });
          report('wait', { for: 'message' });
        });
      });
    });
  });
}

process.on('uncaughtException', fail);
report('versions', { sdk: require(path.join(root, 'package.json')).version });
if (job.scenario === 'gateway') {
  require('./node_gateway.js')(iot, job, report, fail);
} else if (job.scenario === 'thing') {
  require('./node_thing.js')(iot, job, report, fail);
} else if (job.scenario === 'services') {
  require('./node_services.js')(iot, job, report, fail);
} else if (job.scenario === 'https') {
  const product = { productKey: job.product_key, productSecret: job.product_secret };
  iot.register({ ...product, deviceName: job.device_name }, (answer) => {
    const secret = answer.data && answer.data.deviceSecret;
    report('registered', { code: answer.code, message: answer.message, secret });
    if (secret) connect(secret); else process.exit(0);
  });
} else {
  connect(job.device_secret);
}
