import { appendAttempt, decodeHistory, encodeHistory, firstStackLines, type FailedAttempt } from './history';

const MOST_BYTES = 16 * 1_024;
const failed = (attempt: number, extra: Partial<FailedAttempt> = {}): FailedAttempt => ({
  attempt,
  startedAtMs: 1_800_000_000_000 + attempt,
  durationMs: 12,
  worker: 'host-1:4711',
  code: 'HANDLER_FAILED',
  message: 'TypeError: no such report',
  stack: ['at render (/app/report.js:12:9)'],
  ...extra,
});
const after = (attempts: FailedAttempt[]) =>
  attempts.reduce<string | undefined>((header, attempt) => appendAttempt(header, attempt), undefined);

describe('the history of a task', () => {
  it('holds every attempt as it was, in order', () => {
    const attempts = [failed(1), failed(2, { code: 'GONE' }), failed(1, { replay: 1 })];
    expect(decodeHistory(after(attempts))).toEqual({ attempts, omitted: 0 });
  });

  it('is JSON that other programs and people can read', () => {
    expect(JSON.parse(after([failed(1)]) ?? '')).toEqual({ attempts: [failed(1)], omitted: 0 });
  });

  it('drops stacks and then attempts in the middle when it grows too long, the oldest first, and counts them', () => {
    const many = Array.from({ length: 500 }, (_, index) => failed(index + 1));
    const header = after(many) ?? '';
    expect(Buffer.byteLength(header)).toBeLessThanOrEqual(MOST_BYTES);
    const { attempts, omitted } = decodeHistory(header);
    expect(attempts.map(({ stack }) => stack !== undefined)).toEqual(
      attempts.map((_, index) => index === 0 || index === attempts.length - 1),
    );
    expect(attempts.length + omitted).toBe(500);
    expect(attempts.length).toBeGreaterThan(20);
    expect(attempts[0]?.attempt).toBe(1);
    expect(attempts.slice(1).map(({ attempt }) => attempt)).toEqual(
      many.slice(omitted + 1).map(({ attempt }) => attempt),
    );
  });

  it.each(['\u0000', '\ud800', '"', '€', '😀'])('stays within its limit whatever its texts hold: %j', (character) => {
    const long = character.repeat(100_000);
    const huge = failed(1, { code: long, message: long, worker: long, stack: Array.from({ length: 50 }, () => long) });
    const header = after(Array.from({ length: 10 }, () => huge)) ?? '';
    expect(Buffer.byteLength(header)).toBeLessThanOrEqual(MOST_BYTES);
    const { attempts, omitted } = decodeHistory(header);
    expect(attempts.length + omitted).toBe(10);
    expect(attempts.length).toBeGreaterThanOrEqual(2);
  });

  it.each([14_000, 8_000, 4_000, 2_000, 1_024])('fits into %d bytes, with its first and its last attempt', (most) => {
    const texts = { message: '"'.repeat(500), code: '\u0000'.repeat(100), worker: '€'.repeat(100) };
    const many = Array.from({ length: 30 }, (_, index) => failed(index + 1, index % 2 ? texts : {}));
    const header = encodeHistory({ attempts: many, omitted: 5 }, most);
    expect(Buffer.byteLength(header)).toBeLessThanOrEqual(most);
    const { attempts, omitted } = decodeHistory(header);
    expect([attempts[0]?.attempt, attempts.at(-1)?.attempt, attempts.length + omitted]).toEqual([1, 30, 35]);
  });

  it('keeps all attempts as long as the stacks in the middle are enough', () => {
    const many = Array.from({ length: 10 }, (_, index) => failed(index + 1));
    const whole = Buffer.byteLength(encodeHistory({ attempts: many, omitted: 0 }));
    const { attempts, omitted } = decodeHistory(encodeHistory({ attempts: many, omitted: 0 }, whole - 60));
    expect(omitted).toBe(0);
    expect(attempts.filter(({ stack }) => !stack).map(({ attempt }) => attempt)).toEqual([2, 3]);
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['a number', 7],
    ['bytes', Buffer.from('{"attempts":[]}')],
    ['no JSON', '{"attempts":'],
    ['null', 'null'],
    ['a list', '[1]'],
    ['a text', '"attempts"'],
    ['attempts that are no list', '{"attempts":{"length":3},"omitted":"many"}'],
    ['attempts that are none', '{"attempts":[null,7,"x",{},{"attempt":"1","code":"X"},{"attempt":1}],"omitted":-1}'],
    ['more than the limit', JSON.stringify({ attempts: [failed(1)], fill: 'x'.repeat(MOST_BYTES) })],
  ])('takes from a foreign program %s for no history', (_what, header) => {
    expect(decodeHistory(header)).toEqual({ attempts: [], omitted: 0 });
    expect(decodeHistory(appendAttempt(header, failed(1)))).toEqual({ attempts: [failed(1)], omitted: 0 });
  });

  it('keeps of a foreign attempt what it understands', () => {
    const header =
      '{"attempts":[{"attempt":2,"code":"X","message":5,"worker":{},"stack":[7],"durationMs":-1,"more":1}]}';
    expect(decodeHistory(header)).toEqual({
      attempts: [{ attempt: 2, code: 'X', message: '', stack: [''] }],
      omitted: 0,
    });
  });

  it('encodes an empty one', () => {
    expect(decodeHistory(encodeHistory({ attempts: [], omitted: 3 }))).toEqual({ attempts: [], omitted: 3 });
  });
});

describe('firstStackLines', () => {
  it('says where it was thrown, without repeating the message', () => {
    const lines = firstStackLines(new Error('line 1\nline 2'));
    expect(lines).toHaveLength(5);
    expect(lines[0]).toMatch(/^at .*history\.spec\.ts/);
  });

  it.each<[string, unknown]>([
    ['a text', 'broken'],
    ['nothing', undefined],
    ['an error without a stack', Object.assign(new Error('x'), { stack: undefined })],
    [
      'a stack that throws',
      Object.defineProperty(new Error('x'), 'stack', {
        get: () => {
          throw new Error('no');
        },
      }),
    ],
  ])('is empty for %s', (_what, thrown) => {
    expect(firstStackLines(thrown)).toEqual([]);
  });
});
