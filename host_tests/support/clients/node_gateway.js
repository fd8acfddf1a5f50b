// The official Node SDK as a gateway; node_driver.js hands over the SDK and its way to speak.
//
// The SDK's calls take callbacks; each step says what came back.
'use strict';

module.exports = function gateway(iot, job, report, fail) {
  const client = iot.gateway({
    productKey: job.product_key, deviceName: job.device_name, deviceSecret: job.device_secret,
    tls: true, brokerUrl: job.broker_url,
  });
  client.on('error', fail);

  const step = (name, call) => new Promise((resolve) => call((reply) => {
    report(name, { code: reply.code, data: reply.data, message: reply.message });
    resolve(reply.data);
  }));

  // the SDK subscribes after the login reply, so a post may overtake its own subscriptions
  const subscribed = (topic) => new Promise((resolve, reject) => client.subscribe(topic, { qos: 1 },
    (error, granted) => (error ? reject(error) : resolve(granted))));

  async function login(device) {
    let sub;
    await step('login', (done) => { sub = client.login(device, done); });
    const base = `/sys/${device.productKey}/${device.deviceName}/thing/event/property`;
    await subscribed(`${base}/post_reply`);
    await step('posted', (done) => sub.postProps({ temperature: 21 }, done));
    return sub;
  }

  async function steps() {
    const names = job.subdevices.map((deviceName) => ({ productKey: job.subdevice_product, deviceName }));
    const found = await step('register', (done) => client.regiestSubDevice(names, done));
    const devices = found.map(({ iotId, ...triple }) => triple);
    await step('add', (done) => client.addTopo(devices, done));
    await step('get', (done) => client.getTopo(done));
    const [first] = [await login(devices[0]), await login(devices[1])];
    await new Promise((resolve) => {
      first.onProps((message) => { report('set', { params: message.params }); resolve(); });
      report('wait', { for: 'set' });
    });
    await step('logout', (done) => client.logout(names[0], done));
    await step('remove', (done) => client.removeTopo(names, done));
    client.end(true, () => process.exit(0));
  }

  let begun = false;
  client.on('connect', () => {
    if (begun) return;
    begun = true;
    report('connect', {});
    subscribed(`/sys/${job.product_key}/${job.device_name}/thing/sub/register_reply`).then(steps).catch(fail);
  });
};
