import { Connection, type Connections } from '../broker/connection';
import { resolveBroker } from '../broker/options';
import { resolveBus, type EventBusOptions } from '../bus/options';
import { ConfigError } from '../errors';
import { DEFAULTS, checkRunner, resolveClient, resolveWorker, type WorkerOptions } from './options';

const valid: WorkerOptions = { rabbitUrl: 'amqp://localhost', queueName: 'reports' };

function problemsOf(resolve: () => unknown): string[] {
  try {
    resolve();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.code).toBe('CONFIG_INVALID');
    for (const problem of error.problems) expect(error.message).toContain(problem);
    return error.problems;
  }
  return [];
}

/** What a caller without types may give. */
const problemsWith = (options: Record<string, unknown>) => problemsOf(() => resolveWorker({ ...valid, ...options }));

describe('capacity', () => {
  it.each([1, 2, 65_535])('may be %p', (capacity) => {
    expect(resolveWorker({ ...valid, capacity }).capacity).toBe(capacity);
  });

  it.each([0, -1, 1.5, NaN, Infinity, 65_536, '10', '', true, {}, 5n])('is refused as %p', (capacity) => {
    expect(problemsWith({ capacity })).toEqual([
      expect.stringContaining('capacity must be a whole number from 1 to 65535'),
    ]);
  });

  it('is named by the message, with what it was', () => {
    expect(() => resolveWorker({ ...valid, capacity: 0 })).toThrow(
      'Worker options: capacity must be a whole number from 1 to 65535, not 0.',
    );
  });
});

describe('whole numbers', () => {
  it.each<[keyof WorkerOptions, number, number]>([
    ['maxAttempts', 1, 1_000_000],
    ['handlerTimeoutMs', 1, 2 ** 31 - 1],
    ['drainTimeoutMs', 1, 2 ** 31 - 1],
    ['publishTimeoutMs', 1, 2 ** 31 - 1],
    ['maxPayloadBytes', 1, 16 * 1024 * 1024],
    ['idempotencyTtlMs', 1, 366 * 86_400_000],
  ])('%s is refused outside of %d to %d, and accepted at both ends', (field, least, most) => {
    for (const value of [least, most]) expect(problemsWith({ [field]: value })).toEqual([]);
    for (const value of [least - 1, most + 1, 1.5, NaN, '5']) {
      expect(problemsWith({ [field]: value })).toEqual([
        expect.stringContaining(`${field} must be a whole number from ${least} to ${most}`),
      ]);
    }
  });
});

describe('postpone', () => {
  it('may leave out a limit, which then is the default', () => {
    const { policy } = resolveWorker({ ...valid, postpone: { maxCount: 0 } });
    expect(policy.postpone).toEqual({ maxCount: 0, maxTotalMs: 2_592_000_000 });
  });

  it.each([
    [{ maxCount: -1 }, 'postpone.maxCount must be a whole number from 0 to 1000000'],
    [{ maxTotalMs: 366 * 86_400_000 + 1 }, 'postpone.maxTotalMs must be a whole number from 0 to 31622400000'],
    [{ maxTimes: 5 }, 'postpone has an unknown field "maxTimes"'],
    [5, 'postpone must be an object with maxCount or maxTotalMs'],
  ])('is refused as %j, also of one task type', (postpone, problem) => {
    expect(problemsWith({ postpone })).toEqual([expect.stringContaining(problem)]);
    const ofType = () => checkRunner('@TaskHandler("report")', { postpone: postpone as object });
    expect(problemsOf(ofType)).toEqual([expect.stringContaining(problem)]);
  });
});

describe('frameMax of rabbitUrl', () => {
  it.each(['', '?frameMax=0', '?frameMax=8192', '?heartbeat=5&frameMax=131072'])('may be as in %p', (query) => {
    expect(problemsWith({ rabbitUrl: `amqp://localhost${query}` })).toEqual([]);
  });

  it.each(['1', '4096', '8191'])('is refused as %s: headers would not fit', (frameMax) => {
    const rabbitUrl = `amqp://localhost,amqp://user:hunter2@localhost?frameMax=${frameMax}`;
    expect(problemsWith({ rabbitUrl })).toEqual([
      'frameMax in rabbitUrl must be 0, or a whole number from 8192 to 2147483647',
    ]);
  });
});

describe('retryDelaysMs', () => {
  it.each([[[1]], [[1, 2, 2 ** 31 - 1]]])('may be %p', (retryDelaysMs) => {
    expect(resolveWorker({ ...valid, retryDelaysMs })).toMatchObject({
      retryDelaysMs,
      policy: { delaysMs: retryDelaysMs },
    });
  });

  it.each([
    [[], 'retryDelaysMs must be a list of 1 to 20 delays'],
    ['1000', 'retryDelaysMs must be a list of 1 to 20 delays'],
    [[2, 1], 'retryDelaysMs must ascend, without repetition'],
    [[1, 1], 'retryDelaysMs must ascend, without repetition'],
    [[0], 'retryDelaysMs[0] must be a whole number from 1 to 2147483647, not 0'],
    [[1, '2'], 'retryDelaysMs[1] must be a whole number from 1 to 2147483647, not "2"'],
  ])('is refused as %p', (retryDelaysMs, problem) => {
    expect(problemsWith({ retryDelaysMs })).toEqual([problem]);
  });
});

describe('names', () => {
  it.each([
    ['empty', ''],
    ['missing', undefined],
    ['no string', 7],
    ['longer than 200 bytes', 'x'.repeat(201)],
    ['longer than 200 bytes in fewer characters', 'é'.repeat(101)],
  ])('a queue name is refused when it is %s', (_what, queueName) => {
    expect(problemsWith({ queueName })).toEqual(['queueName must be a name of 1 to 200 bytes']);
  });

  it('are taken exactly as they are given', () => {
    const queueName = ` Grüße/${'x'.repeat(191)}`;
    expect(resolveClient({ ...valid, queueName }).queueName).toBe(queueName);
  });

  it.each([
    'orders.dead',
    'orders.due',
    'orders.suspect',
    'orders.schedule',
    'orders.retry.1000',
    'orders.delay.5',
    'a.dead.reader',
  ])('are refused where they end like the queues of another one: %s', (queueName) => {
    expect(problemsWith({ queueName })).toEqual([expect.stringMatching(/^queueName must not end in "\./)]);
    expect(() => resolveBus({ rabbitUrl: 'amqp://localhost', name: queueName })).not.toThrow();
  });

  it.each(['a\nb', 'a\u0000', 'a\u009b', 'a\u202eb'])('are refused with control characters: %j', (queueName) => {
    expect(problemsWith({ queueName })).toEqual(['queueName must not have control characters']);
  });

  it('are refused in the part of the name space that RabbitMQ keeps for itself', () => {
    expect(problemsOf(() => resolveBus({ rabbitUrl: 'amqp://localhost', name: 'amq.direct' }))).toEqual([
      expect.stringContaining('name must not start with "amq."'),
    ]);
  });
});

it('more retry levels than 20 are refused: each is a queue', () => {
  const levels = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
  expect(problemsWith({ retryDelaysMs: levels(20) })).toEqual([]);
  expect(problemsWith({ retryDelaysMs: levels(70_000) })).toEqual(['retryDelaysMs must be a list of 1 to 20 delays']);
});

describe('rabbitUrl', () => {
  it.each([
    ['amqp://localhost', ['amqp://localhost']],
    ['amqps://user:secret@host:5671/vhost', ['amqps://user:secret@host:5671/vhost']],
    ['amqp://a, amqp://b', ['amqp://a', 'amqp://b']],
    [
      ['amqp://a', 'amqp://b,amqp://c'],
      ['amqp://a', 'amqp://b', 'amqp://c'],
    ],
  ])('%p names the brokers %p', (rabbitUrl, urls) => {
    expect(resolveBroker({ rabbitUrl })).toEqual({ urls, connections: undefined, topology: 'declare' });
  });

  it.each([undefined, [], [undefined]])('is missing as %p', (rabbitUrl) => {
    expect(problemsWith({ rabbitUrl })).toEqual([expect.stringContaining('rabbitUrl is missing')]);
  });

  it.each(['', 'localhost', 'localhost:5672', 'http://localhost', 'amqp://a,', ['amqp://a', 'b'], 'amqp://h:port'])(
    'is refused as %p',
    (rabbitUrl) => {
      expect(problemsWith({ rabbitUrl })).toEqual(['rabbitUrl must be amqp:// or amqps:// URLs']);
    },
  );

  it.each(['http://user:hunter2@host', 'user:hunter2@host', 'amqp://user:hunter2@host:port'])(
    'never shows its password when it is refused: %s',
    (rabbitUrl) => {
      let text = '';
      try {
        resolveBroker({ rabbitUrl });
      } catch (error) {
        text = `${String(error)} ${(error as Error).stack} ${JSON.stringify(error)}`;
      }
      expect(text).toContain('rabbitUrl');
      expect(text).not.toContain('hunter2');
    },
  );

  it('is not needed where connections are given', () => {
    const connections = {} as Connections;
    const { rabbitUrl: _unused, ...options } = valid;
    expect(resolveWorker({ ...options, connections })).toMatchObject({ urls: [], connections });
  });
});

it('fills in the defaults', () => {
  expect(resolveWorker(valid)).toEqual({
    urls: ['amqp://localhost'],
    connections: undefined,
    topology: 'declare',
    queueName: 'reports',
    publishTimeoutMs: 5_000,
    maxPayloadBytes: 1_048_576,
    retryDelaysMs: [1_000, 10_000, 60_000, 600_000, 3_600_000],
    capacity: 10,
    policy: {
      maxAttempts: 6,
      delaysMs: DEFAULTS.retryDelaysMs,
      postpone: { maxCount: 10_000, maxTotalMs: 2_592_000_000 },
    },
    handlerTimeoutMs: 600_000,
    drainTimeoutMs: 25_000,
    logs: true,
    keyStore: undefined,
    idempotencyTtlMs: 86_400_000,
  });
});

it.each(['declare', 'check', 'none'] as const)('knows the topology %p, also with given connections', (topology) => {
  const connection = Connection.open({ urls: ['amqp://a'] }, 'test');
  const connections = { publishing: connection, consuming: connection };
  expect(resolveBroker({ rabbitUrl: 'amqp://a', topology })).toMatchObject({ topology });
  expect(resolveBroker({ connections, topology })).toMatchObject({ topology });
});

it('refuses another topology', () => {
  const options = { ...valid, topology: 'passive' as 'check' };
  expect(problemsOf(() => resolveWorker(options))).toEqual(['topology must be one of declare, check, none']);
});

it('lists every problem at once', () => {
  const options = { rabbitUrl: 'x', queueName: '', capacity: 0, maxAttempts: 0, retryDelaysMs: [3, 2] };
  const problems = problemsOf(() => resolveWorker(options));
  expect(problems).toHaveLength(5);
  for (const field of Object.keys(options)) expect(problems.join('\n')).toContain(field);
});

it.each([
  ['Broker options', () => resolveBroker({})],
  ['WorkerClient options', () => resolveClient({ queueName: 'q' })],
  ['Worker options', () => resolveWorker({ queueName: 'q' })],
  ['Event bus options', () => resolveBus({ name: 'logs' } satisfies EventBusOptions)],
])('says whose options are wrong: %s', (subject, resolve) => {
  expect(resolve).toThrow(`${subject}: rabbitUrl is missing`);
});
