import {
  BrokerError,
  ConfigError,
  DiscardTask,
  InvalidMessageError,
  MercuryError,
  PublishError,
  RetryTask,
  brokerProblem,
  describeError,
  type PublishFailure,
} from './errors';

const cause = new Error('below');

it.each([
  ['ConfigError', new ConfigError('Options', ['a', 'b']), 'CONFIG_INVALID'],
  ['InvalidMessageError', new InvalidMessageError('TASK_INVALID', 'no'), 'TASK_INVALID'],
  ['PublishError', new PublishError('unknown', 'no'), 'PUBLISH_UNKNOWN'],
  ['BrokerError', new BrokerError('BROKER_BLOCKED', 'no'), 'BROKER_BLOCKED'],
  ['DiscardTask', new DiscardTask('no'), 'DISCARDED'],
  ['RetryTask', new RetryTask('no'), 'RETRY_REQUESTED'],
])('%s has its name, a code and the common base', (name, error, code) => {
  expect(error).toBeInstanceOf(MercuryError);
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ name, code });
});

it.each<[PublishFailure, string]>([
  ['returned', 'PUBLISH_RETURNED'],
  ['nacked', 'PUBLISH_NACKED'],
  ['not-sent', 'PUBLISH_NOT_SENT'],
  ['unknown', 'PUBLISH_UNKNOWN'],
])('a publish that ended as %s has the code %s', (outcome, code) => {
  expect(new PublishError(outcome, 'no')).toMatchObject({ outcome, code });
});

it.each([
  ['MercuryError', new MercuryError('X', 'no', { cause })],
  ['PublishError', new PublishError('nacked', 'no', { cause })],
  ['DiscardTask', new DiscardTask('no', { cause })],
  ['RetryTask', new RetryTask('no', { cause })],
])('%s keeps its cause', (_name, error) => {
  expect(error.cause).toBe(cause);
});

it('a ConfigError tells every problem', () => {
  expect(new ConfigError('Options', ['a is wrong', 'b is missing'])).toMatchObject({
    message: 'Options: a is wrong; b is missing.',
    problems: ['a is wrong', 'b is missing'],
  });
});

it('a handler may name the code of its failure', () => {
  expect(new DiscardTask('no', { code: 'GONE' }).code).toBe('GONE');
  expect(new RetryTask('no', { code: 'BUSY', delayMs: 5 })).toMatchObject({ code: 'BUSY', delayMs: 5 });
});

describe('brokerProblem names the right that is missing,', () => {
  const refusal = (text: string, classId?: number, methodId?: number) =>
    Object.assign(new Error(`Operation failed: X; 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - ${text}"`), {
      classId,
      methodId,
    });
  const said = (cause: Error) => brokerProblem('It failed', cause);

  it('as the broker does', () => {
    expect(said(refusal("write access to exchange 'shop' in vhost '/' refused for user 'ada'", 60, 40))).toMatchObject({
      code: 'BROKER_ACCESS_REFUSED',
      message:
        "It failed: write access to exchange 'shop' in vhost '/' refused for user 'ada'. An operator may grant it: rabbitmqctl set_permissions.",
    });
  });

  it.each([
    ['queue', 50, 10, 'configure or read access'],
    ['exchange', 50, 10, 'write access'],
    ['queue', 50, 20, 'write access'],
    ['exchange', 50, 20, 'read access'],
    ['exchange', 40, 10, 'configure, read or write access'],
    ['queue', 60, 20, 'read access'],
    ['exchange', 60, 40, 'write access'],
    ['exchange', undefined, undefined, 'It failed: access'],
  ])('by what was asked for where it does not: of a %s at %s.%s', (resource, classId, methodId, text) => {
    const problem = said(refusal(`access to ${resource} 'x' in vhost '/' refused for user 'ada'`, classId, methodId));
    expect(problem.message).toContain(`${text} to ${resource} 'x'`);
  });

  it('and speaks of no right where it is about something else', () => {
    const { message } = said(refusal("queue 'x' in vhost '/' in exclusive use", 60, 20));
    expect(message).toBe("It failed: queue 'x' in vhost '/' in exclusive use.");
  });
});

describe('describeError', () => {
  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = cyclic;

  class CardDeclined extends Error {
    override name = 'CardDeclined';
  }

  it.each<[string, unknown, string, string]>([
    ['an error of ours', new DiscardTask('Gone.', { code: 'GONE' }), 'GONE', 'Gone.'],
    ['an error', new TypeError('x is not a function'), 'HANDLER_FAILED', 'TypeError: x is not a function'],
    ['an error of the application', new CardDeclined('no funds'), 'HANDLER_FAILED', 'CardDeclined: no funds'],
    ['a string', 'broken', 'HANDLER_FAILED', 'broken'],
    ['an object', { status: 500 }, 'HANDLER_FAILED', '{ status: 500 }'],
    ['null', null, 'HANDLER_FAILED', 'null'],
    ['nothing', undefined, 'HANDLER_FAILED', 'undefined'],
    ['a symbol', Symbol('x'), 'HANDLER_FAILED', 'Symbol(x)'],
    ['a BigInt', 10n, 'HANDLER_FAILED', '10n'],
    ['a cycle', cyclic, 'HANDLER_FAILED', '<ref *1> { self: [Circular *1] }'],
    ['an object without prototype', Object.create(null), 'HANDLER_FAILED', '[Object: null prototype] {}'],
  ])('describes %s', (_what, thrown, code, message) => {
    expect(describeError(thrown)).toEqual({ code, message });
  });

  it.each([
    [1_000, 1_000],
    [1_001, 1_000],
    [1_000_000, 1_000],
  ])('keeps of a message of %d characters %d, for logs, events and dead letters alike', (length, kept) => {
    expect(describeError(new DiscardTask('x'.repeat(length))).message).toBe('x'.repeat(kept));
  });

  const refused = Object.assign(new AggregateError([new Error('connect ECONNREFUSED ::1:1')], ''), {
    code: 'ECONNREFUSED',
  });

  it.each<[string, unknown, string]>([
    [
      'its cause',
      new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 127.0.0.1:1') }),
      'TypeError: fetch failed (Error: connect ECONNREFUSED 127.0.0.1:1)',
    ],
    [
      'the cause of its cause',
      new Error('a', { cause: new Error('b', { cause: new RangeError('c') }) }),
      'Error: a (Error: b (RangeError: c))',
    ],
    [
      'the errors of an AggregateError',
      new AggregateError(
        [new Error('mirror A says 500'), new Error('mirror B times out')],
        'All promises were rejected',
      ),
      'AggregateError: All promises were rejected (Error: mirror A says 500; Error: mirror B times out)',
    ],
    [
      'the code of an error without a message',
      new Error('no', { cause: refused }),
      'Error: no (AggregateError: ECONNREFUSED (Error: connect ECONNREFUSED ::1:1))',
    ],
    ['a cause that is no error', new Error('no', { cause: 'disk full' }), 'Error: no (disk full)'],
    [
      'the cause of an error of ours',
      new RetryTask('Not saved.', { cause: new Error('deadlock') }),
      'Not saved. (Error: deadlock)',
    ],
    ['nothing twice', new Error('no route to host', { cause: 'no route to host' }), 'Error: no route to host'],
    [
      'the same cause once',
      new AggregateError([new Error('full'), new Error('full')], 'twice'),
      'AggregateError: twice (Error: full)',
    ],
  ])('tells %s', (_what, error, message) => {
    expect(describeError(error).message).toBe(message);
  });

  it('ends with causes that are their own causes, or too many', () => {
    const own = new Error('a');
    own.cause = new Error('b', { cause: own });
    expect(describeError(own).message).toBe('Error: a (Error: b)');
    const many = new AggregateError(
      Array.from({ length: 1_000 }, (_, index) => new Error(`e${index}`)),
      'many',
    );
    expect(describeError(many).message).toMatch(/\(Error: e0; .*Error: e4; and 995 more\)$/);
    let deep = new Error('0');
    for (let level = 1; level < 1_000; level++) deep = new Error(String(level), { cause: deep });
    expect(describeError(deep).message).toBe(
      'Error: 999 (Error: 998 (Error: 997 (Error: 996 (Error: 995 (Error: 994)))))',
    );
  });

  it('leaves room for the causes of a long message', () => {
    const { message } = describeError(new Error('x'.repeat(5_000), { cause: new Error('deadlock') }));
    expect(message.length).toBeLessThanOrEqual(1_000);
    expect(message).toMatch(/x \(Error: deadlock\)$/);
  });

  it.each<[string, () => unknown]>([
    [
      'a cause that throws',
      () =>
        Object.defineProperty(new Error('no'), 'cause', {
          get: () => {
            throw new Error('no');
          },
        }),
    ],
    ['a code that is a number', () => new DiscardTask('no', { code: 404 as unknown as string })],
    ['a message that is an object', () => new DiscardTask({} as string)],
    [
      'a message that throws',
      () =>
        Object.defineProperty(new Error(), 'message', {
          get: () => {
            throw new Error('no');
          },
        }),
    ],
  ])('describes in strings %s', (_what, make) => {
    const { code, message } = describeError(make());
    expect([typeof code, typeof message]).toEqual(['string', 'string']);
  });
});
