import { ProblemException } from '../problems/problem';
import { readTask } from './task.request';

const SLEEP = { type: 'sleep', payload: { ms: 1 } };
const WEBHOOK = { url: 'https://example.com/hook', event: 'order.paid', data: { orderId: 4711 } };

const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();

/** The pointers of all that is wrong, without repetition, as they come. */
function pointersOf(body: unknown): string[] {
  try {
    readTask(body, 'tasks');
  } catch (error) {
    if (!(error instanceof ProblemException)) throw error;
    const { status, code, errors = [] } = error.problem;
    expect([status, code]).toEqual([422, 'INVALID_REQUEST']);
    return [...new Set(errors.map(({ pointer }) => pointer))];
  }
  return [];
}

/** As it arrives: own properties whatever their names are. */
const parsed = (json: string) => JSON.parse(json) as Record<string, unknown>;

describe('a task', () => {
  it.each([
    ['sleep', SLEEP],
    ['webhook.deliver', { type: 'webhook.deliver', payload: WEBHOOK }],
    ['with everything', { ...SLEEP, id: 'order-4711', queue: 'tasks', delayMs: 60_000 }],
    ['with no delay', { ...SLEEP, delayMs: 0 }],
    ['with the longest delay', { ...SLEEP, delayMs: 2_592_000_000 }],
    ['with a time', { ...SLEEP, runAt: inDays(29.9) }],
    ['with a time that is past', { ...SLEEP, runAt: '1999-12-31T23:59:59Z' }],
    ['with the longest id', { ...SLEEP, id: '~'.repeat(255) }],
    ['with a type of its own in the data', { type: 'webhook.deliver', payload: { ...WEBHOOK, data: { type: 'x' } } }],
  ])('is read as it stands: %s', (_what, body) => {
    const before = structuredClone(body);
    expect(readTask(body, 'tasks')).toEqual(before);
  });

  it.each([
    ['{"car":{"constructor":"Ferrari"}}'],
    ['{"toString":1,"valueOf":{"then":2}}'],
    ['{"list":[[1],{"length":-1}],"none":null}'],
  ])('may hold any data: %s', (data) => {
    const body = { type: 'webhook.deliver', payload: { ...WEBHOOK, data: parsed(data) } };
    const { payload } = readTask(body, 'tasks');
    expect(JSON.stringify(payload['data'])).toBe(data);
  });

  it.each([
    ['nothing', undefined, ['']],
    ['null', null, ['']],
    ['an array', [SLEEP], ['']],
    ['a text', 'sleep', ['']],
    ['an empty object', {}, ['/type', '/payload']],
    ['an unknown type', { ...SLEEP, type: 'nap' }, ['/type']],
    ['a type of every object', { ...SLEEP, type: 'toString' }, ['/type']],
    ['a list of types', { ...SLEEP, type: ['sleep'] }, ['/type']],
    ['a payload that is a list', { type: 'sleep', payload: [] }, ['/payload']],
    ['a payload that is null', { type: 'sleep', payload: null }, ['/payload']],
    ['a field of the payload left out', { type: 'sleep', payload: {} }, ['/payload/ms']],
    ['a number as text', { type: 'sleep', payload: { ms: '1' } }, ['/payload/ms']],
    ['a number too large', { type: 'sleep', payload: { ms: 600_001 } }, ['/payload/ms']],
    [
      'the payload of another type',
      { type: 'sleep', payload: WEBHOOK },
      ['/payload/url', '/payload/event', '/payload/data', '/payload/ms'],
    ],
    ['another queue', { ...SLEEP, queue: 'other' }, ['/queue']],
    ['an empty queue name', { ...SLEEP, queue: '' }, ['/queue']],
    ['a queue that is no text', { ...SLEEP, queue: 1 }, ['/queue']],
    ['an id with a space', { ...SLEEP, id: 'a b' }, ['/id']],
    ['an id with a line end', { ...SLEEP, id: 'a\n' }, ['/id']],
    ['an id that is not ASCII', { ...SLEEP, id: 'Zoë' }, ['/id']],
    ['an empty id', { ...SLEEP, id: '' }, ['/id']],
    ['an id too long', { ...SLEEP, id: 'a'.repeat(256) }, ['/id']],
    ['an id that is no text', { ...SLEEP, id: 4711 }, ['/id']],
    ['a negative delay', { ...SLEEP, delayMs: -1 }, ['/delayMs']],
    ['a delay of more than 30 days', { ...SLEEP, delayMs: 2_592_000_001 }, ['/delayMs']],
    ['a delay that is a fraction', { ...SLEEP, delayMs: 0.5 }, ['/delayMs']],
    ['a delay that is a text', { ...SLEEP, delayMs: '1000' }, ['/delayMs']],
    ['a delay that is null', { ...SLEEP, delayMs: null }, ['/delayMs']],
    ['a time more than 30 days ahead', { ...SLEEP, runAt: inDays(30.01) }, ['/runAt']],
    ['a time that is none', { ...SLEEP, runAt: 'tomorrow' }, ['/runAt']],
    ['a time without a zone', { ...SLEEP, runAt: '2026-12-01T08:00:00' }, ['/runAt']],
    ['a time that is a number', { ...SLEEP, runAt: 1_796_112_000_000 }, ['/runAt']],
    ['a time that is null', { ...SLEEP, runAt: null }, ['/runAt']],
    ['a delay and a time', { ...SLEEP, delayMs: 1, runAt: inDays(1) }, ['/runAt']],
    ['a field that nobody knows', { ...SLEEP, priority: 1 }, ['/priority']],
    ['a field that nobody knows in the payload', { type: 'sleep', payload: { ms: 1, unit: 's' } }, ['/payload/unit']],
    [
      'fields whose names a pointer escapes',
      { ...SLEEP, 'a/b': 1, 'c~d': 2, '~1': 3, '': 4 },
      ['/a~1b', '/c~0d', '/~01', '/'],
    ],
  ])('is refused with a pointer to each wrong field: %s', (_what, body, expected) => {
    expect(pointersOf(body)).toEqual(expected);
  });

  it.each([['constructor'], ['toString'], ['hasOwnProperty'], ['__proto__']])(
    'is refused for the unknown field "%s", which every object has',
    (name) => {
      expect(pointersOf(parsed(`{"type":"sleep","payload":{"ms":1},"${name}":1}`))).toEqual([`/${name}`]);
      expect(pointersOf(parsed(`{"type":"sleep","payload":{"ms":1,"${name}":1}}`))).toEqual([`/payload/${name}`]);
    },
  );

  it('is refused with every wrong field, also where several are wrong in several places', () => {
    const body = {
      type: 'webhook.deliver',
      payload: { url: 'ftp://x', event: '', data: [], more: 1 },
      id: '',
      extra: 1,
    };
    const expected = ['/extra', '/id', '/payload/data', '/payload/event', '/payload/more', '/payload/url'];
    expect(pointersOf(body).sort()).toEqual(expected);
  });

  it('is told which queue it can have', () => {
    expect(() => readTask({ ...SLEEP, queue: 'other' }, 'tasks')).toThrow(
      expect.objectContaining({
        problem: expect.objectContaining({
          detail: 'The request has 1 invalid field.',
          errors: [{ pointer: '/queue', detail: 'this producer puts tasks on "tasks" only' }],
        }) as unknown,
      }) as Error,
    );
  });
});
