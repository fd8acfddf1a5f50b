// The official Node SDK and the platform's services: tags, remote configuration and the shadow.
//
// node_driver.js hands over the SDK and its way to speak. The SDK takes Date.now() as a shadow's version.
'use strict';

module.exports = function services(iot, job, report, fail) {
  const device = iot.device({
    productKey: job.product_key, deviceName: job.device_name, deviceSecret: job.device_secret,
    tls: true, brokerUrl: job.broker_url,
  });
  device.on('error', fail);

  const step = (name, call) => new Promise((resolve) => call((reply) => {
    report(name, { code: reply.code, data: reply.data });
    resolve(reply);
  }));

  let heard = () => {};
  const cast = (name, call) => new Promise((resolve) => {
    heard = (message) => { report(name, { got: message }); setTimeout(resolve, 2); }; // the next version is greater
    call();
  });

  async function steps() {
    await step('tagged', (done) => device.postTags([
      { attrKey: 'Temperature', attrValue: '36.8' }, { attrKey: 'room', attrValue: 'kitchen' }], done));
    await step('untagged', (done) => device.deleteTags(['room'], done));
    await step('refused tag', (done) => device.postTags([{ attrKey: '1st', attrValue: 'x' }], done));
    await step('no config', (done) => device.getConfig(done));
    await new Promise((resolve) => {
      device.onConfig((message) => { report('config pushed', { got: message }); resolve(); });
      report('wait', { for: 'configure' });
    });
    await step('config', (done) => device.getConfig(done));
    device.onShadow((message) => heard(message));
    await cast('reported', () => device.postShadow({ color: 'red', level: 3 }));
    await cast('read', () => device.getShadow());
    await cast('control', () => report('wait', { for: 'desire' }));
    await cast('deleted', () => device.deleteShadow('level'));
    await cast('read again', () => device.getShadow());
    await cast('deleted all', () => device.deleteShadow());
    device.end(true, () => process.exit(0));
  }

  // the SDK has not subscribed its preset topics yet: the answer to one more subscription comes after theirs
  device.on('connect', () => device.subscribe(`/${job.product_key}/${job.device_name}/user/get`,
    () => steps().catch(fail)));
};
