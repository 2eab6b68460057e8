import { setImmediate } from 'node:timers/promises';
import { postText } from '../../../test/support/http';
import { startProducer, type MemoryProducer } from '../../../test/support/memory-producer';

let producer: MemoryProducer;
beforeAll(async () => {
  producer = await startProducer();
});
afterAll(() => producer.app.close());

describe('however hostile a request is, others come on meanwhile', () => {
  const MIB = 1_048_576;
  /** From outside it is 60 ms at most; here the client works in the same loop, and other tests beside it. */
  const MOST_MS = 200;
  const filled = (length: number, one: (index: number) => string) => {
    const parts: string[] = [];
    for (let at = 0, filledLength = 0; filledLength < length; at++) {
      parts.push(one(at));
      filledLength += one(at).length + 1;
    }
    return parts.join();
  };
  const webhook = (data: string) =>
    `{"type":"webhook.deliver","payload":{"url":"https://a.example/","event":"e","data":${data}}}`;
  const keys = (length: number) => `{${filled(length, (at) => `"${((at * 7_919) % 1_000_003).toString(36)}z":1`)}}`;
  const LARGE = MIB - 40_000;

  /** The longest time for which the event loop was held while this was answered. */
  async function longestMs(path: string, body: string, headers: Record<string, string>): Promise<number> {
    const bytes = Buffer.from(body);
    let isDone = false;
    const answered = postText(`${producer.url}${path}`, bytes, headers)
      .then((response) => response.arrayBuffer())
      .finally(() => (isDone = true));
    let longest = 0;
    for (let [lastMs, lastCpu] = [performance.now(), process.cpuUsage()]; !isDone;) {
      await setImmediate();
      const { user, system } = process.cpuUsage(lastCpu);
      // What this process did not compute, something else on this machine did.
      longest = Math.max(longest, Math.min(performance.now() - lastMs, (user + system) / 1_000));
      [lastMs, lastCpu] = [performance.now(), process.cpuUsage()];
    }
    await answered;
    return longest;
  }

  it.each<[string, string, () => string, string?]>([
    ['a task of unknown keys', '/v1/tasks', () => `{"type":"sleep","payload":${keys(LARGE)}}`],
    ['a task of data with as many keys', '/v1/tasks', () => webhook(keys(LARGE))],
    [
      'a task of objects that all differ',
      '/v1/tasks',
      () => webhook(`{"a":[${filled(LARGE, (at) => `{"${at.toString(36)}z":1}`)}]}`),
    ],
    ['a task of numbers that grow', '/v1/tasks', () => webhook(`{"a":[${filled(LARGE, () => '1e20')}]}`)],
    ['an event of many keys', '/v1/events', () => `{"level":"info","data":${keys(LARGE)}}`],
    ['a batch of nothing', '/v1/tasks/batch', () => `[${filled(LARGE, () => '{}')}]`],
    [
      'a batch of numbers that would change',
      '/v1/tasks/batch',
      () =>
        `[${Array(1_000)
          .fill(`[${Array(150).fill('1e400').join()}]`)
          .join()}]`,
    ],
    [
      'lines as long as they may be',
      '/v1/tasks/batch',
      () =>
        Array(8)
          .fill(webhook(keys(LARGE)))
          .join('\n'),
      'application/x-ndjson',
    ],
    [
      'many lines',
      '/v1/tasks/batch',
      () =>
        Array(1_000)
          .fill(webhook(keys(8_000)))
          .join('\n'),
      'application/x-ndjson',
    ],
    ['nothing but line feeds', '/v1/tasks/batch', () => '\n'.repeat(16 * MIB), 'application/x-ndjson'],
  ])('%s', async (what, path, bodyOf, contentType = 'application/json') => {
    const body = bodyOf();
    const rounds: number[] = [];
    // The best of some: this machine may be busy with something else.
    while (rounds.length < 4 && !rounds.some((ms) => ms < MOST_MS)) {
      const headers = { 'content-type': contentType, 'idempotency-key': `"${what} ${rounds.length}"` };
      rounds.push(await longestMs(path, body, headers));
    }
    expect(Math.min(...rounds)).toBeLessThan(MOST_MS);
  });
});
