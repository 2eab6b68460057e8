import { InvalidMessageError } from '../errors';
import { HEADER } from '../headers';
import { callerHeaderBytes, callerHeadersOf, checkCallerHeaders, type CallerHeaders } from './caller-headers';
import { encodeTask } from './codec';

const MOST = 8_192;

function refusalOf(headers: CallerHeaders, code: 'TASK_INVALID' | 'EVENT_INVALID' = 'TASK_INVALID'): unknown {
  try {
    checkCallerHeaders(headers, code);
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('headers of a caller', () => {
  it('go with the task, beside ours', () => {
    const headers = { 'x-tenant': 'acme', baggage: 'k=v', hops: 3, urgent: true };
    const { properties } = encodeTask({ type: 'a' }, { headers }, 1_000, 5_000);
    expect(properties.headers).toEqual({ ...headers, 'x-attempt': 1, 'x-enqueued-at-ms': 5_000 });
  });

  it.each([
    ...Object.values(HEADER),
    'CC',
    'BCC',
    'x-death',
    'x-first-death-queue',
    'x-last-death-reason',
    'x-delivery-count',
    'x-acquired-count',
    'x-received-from',
    '',
    'ü'.repeat(128),
  ])('must not be called %p', (name) => {
    const error = refusalOf({ [name]: 'x' });
    expect(error).toBeInstanceOf(InvalidMessageError);
    expect(error).toMatchObject({ code: 'TASK_INVALID', message: expect.stringMatching(/^Header "/) as string });
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['NaN', NaN],
    ['a list', ['x']],
    ['a table', { a: 1 }],
    ['a BigInt', 1n],
  ])('must not be %s', (_what, value) => {
    expect(refusalOf({ name: value as string })).toMatchObject({ code: 'TASK_INVALID' });
  });

  it('take at most 8 KiB in all, counted as they are written', () => {
    const fits = { text: 'ü'.repeat((MOST - 10) / 2) };
    expect(callerHeaderBytes(fits)).toBe(MOST);
    expect(refusalOf(fits)).toBeUndefined();
    expect(refusalOf({ ...fits, yes: true })).toMatchObject({
      message: expect.stringContaining('8198 bytes; the limit is 8192') as string,
    });
  });

  it('of an event may be those of another event, but no copies', () => {
    expect(refusalOf({ 'x-publisher': 'me', 'x-sequence': 1 }, 'EVENT_INVALID')).toBeUndefined();
    expect(refusalOf({ CC: 'x' }, 'EVENT_INVALID')).toMatchObject({ code: 'EVENT_INVALID' });
    expect(refusalOf({ long: 'x'.repeat(MOST) }, 'EVENT_INVALID')).toMatchObject({ code: 'EVENT_INVALID' });
  });
});

describe('what of arrived headers travels on', () => {
  it('is all that a caller gave, whatever its type, and nothing of ours or of the broker', () => {
    const given = { 'x-tenant': 'acme', nested: { a: [1, null] }, bytes: Buffer.from('x'), none: null };
    const broker = { CC: ['other'], 'x-death': [{}], 'x-delivery-count': 3, 'x-first-death-queue': 'q' };
    expect(callerHeadersOf({ ...broker, ...given, 'x-attempt': 2, 'x-history': '{}' }, MOST)).toEqual(given);
  });

  it('is what fits into the room, in its order, and how many were left out is told', () => {
    const headers = {
      first: 'x'.repeat(4_000),
      long: 'x'.repeat(50_000),
      second: 'x'.repeat(4_000),
      third: 'x'.repeat(500),
    };
    const kept = callerHeadersOf(headers, MOST);
    expect(Object.keys(kept)).toEqual(['first', 'second', 'x-omitted-headers']);
    expect(kept['x-omitted-headers']).toBe(2);
    expect(callerHeaderBytes(kept)).toBeLessThanOrEqual(MOST);
    expect(callerHeadersOf(kept, 5_000)).toMatchObject({ 'x-omitted-headers': 3 });
  });

  it.each([-1, 1.5, 'many', 2 ** 53])('takes %p for no count of what was left out', (forged) => {
    expect(callerHeadersOf({ 'x-omitted-headers': forged }, MOST)).toEqual({});
  });

  it('leaves out what cannot be written again', () => {
    expect(callerHeadersOf({ odd: { '!': 'x' }, even: 1 }, MOST)).toEqual({ even: 1, 'x-omitted-headers': 1 });
  });
});
