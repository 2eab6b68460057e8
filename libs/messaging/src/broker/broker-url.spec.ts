import { addressesOf, readBrokerUrl } from './broker-url';

function read(url: string) {
  const problems: string[] = [];
  return { address: readBrokerUrl(url, problems), problems };
}

describe('a broker URL', () => {
  it.each([
    ['amqp://localhost', { protocol: 'amqp', hostname: 'localhost', vhost: '' }],
    ['amqps://rabbit:5671/', { protocol: 'amqps', hostname: 'rabbit', port: 5671, vhost: '' }],
    ['amqp://[::1]/shop%2Feu', { protocol: 'amqp', hostname: '::1', vhost: 'shop%2Feu' }],
    ['amqp://ada@h', { protocol: 'amqp', hostname: 'h', vhost: '', username: 'ada', password: '' }],
    [
      'amqp://ad%40a:p%C3%A4ss%E2%82%AC@h?heartbeat=0&frameMax=8192&channelMax=64&locale=de_DE',
      {
        protocol: 'amqp',
        hostname: 'h',
        vhost: '',
        username: 'ad@a',
        password: 'päss€',
        heartbeat: 0,
        frameMax: 8_192,
        channelMax: 64,
        locale: 'de_DE',
      },
    ],
  ])('%s is read whole', (url, address) => {
    expect(read(url)).toEqual({ address, problems: [] });
  });

  it.each([
    ['http://h', 'amqp:// or amqps://'],
    ['amqp:', 'amqp:// or amqps://'],
    ['nothing', 'amqp:// or amqps://'],
    ['amqp://h?heartbeat=soon', 'heartbeat in rabbitUrl must be 0, or a whole number from 1 to 65535'],
    ['amqp://h?heartbeat=-1', 'heartbeat'],
    ['amqp://h?heartbeat=65536', 'heartbeat'],
    ['amqp://h?frameMax=4096', 'frameMax in rabbitUrl must be 0, or a whole number from 8192'],
    ['amqp://h?frameMax=0x2000', 'frameMax'],
    ['amqp://h?channelMax=63', 'channelMax in rabbitUrl must be 0, or a whole number from 64'],
    ['amqp://h?maxFrameSize=0', 'not supported: "maxFrameSize"'],
    ['amqp://h?cacertfile=/etc/ca.pem', 'not supported: "cacertfile"'],
    ['amqp://h?heartbeat=1&heartbeat=2', 'heartbeat more than once'],
    ['amqp://ada:%FF@h', 'percent-encoded UTF-8'],
    ['amqp://ada:1#hush@h', 'percent-encoded'],
    ['amqp://ada:1?hush@h', 'percent-encoded'],
    ['amqp://ada:1?hush&heartbeat=1@h', 'percent-encoded'],
  ])('%s is refused, with what is wrong', (url, problem) => {
    expect(read(url).problems).toEqual([expect.stringContaining(problem)]);
  });

  it('is refused with all that is wrong, and never with the password', () => {
    const urls = ['amqp://ada:hush@h?heartbeat=x&verify=y', 'amqp://ada:hush@h?frameMax=1', 'amqp://ada:1?hush&2@h'];
    const refusal = () => addressesOf(urls);
    expect(refusal).toThrow(/heartbeat.*verify.*frameMax.*percent-encoded/);
    expect(refusal).not.toThrow('hush');
  });
});
