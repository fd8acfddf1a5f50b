// The official Node SDK as a thing: properties, an event, services both ways.
//
// node_driver.js hands over the SDK and its way to speak. The SDK tells a synchronous service from an asynchronous
// one by what the application says in its reply.
'use strict';

module.exports = function thing(iot, job, report, fail) {
  const device = iot.device({
    productKey: job.product_key, deviceName: job.device_name, deviceSecret: job.device_secret,
    tls: true, brokerUrl: job.broker_url,
  });
  device.on('error', fail);
  device.onService('Reset', (message, reply) => {
    reply({ id: message.id, code: 200, data: { accepted: 1 } });
    report('async', { params: message.params });
    report('wait', { for: 'sync' });
  });
  device.onService('Weigh', (message, reply) => {
    reply({ id: message.id, code: 200, data: { weight: 1.5 } }, 'sync');
    report('sync', { params: message.params });
    setTimeout(() => device.end(false, () => process.exit(0)), 200);
  });
  device.onProps((message) => {
    report('set', { params: message.params });
    report('wait', { for: 'async' });
  });
  device.on('connect', () => {
    device.postProps({ Temp: 21.5, Count: 5 }, (reply) => {
      report('property', { code: reply.code });
      device.postEvent('alarm', { errorCode: 'E1' }, (answer) => {
        report('event', { code: answer.code });
        report('wait', { for: 'set' });
      });
    });
  });
};
