import { UnwritableError } from '../broker/field-table';
import { headerFrameBytes, type PublishProperties } from '../broker/frames';
import { callerHeaderBytes } from './caller-headers';
import { fitNew, fitStored } from './frame-fit';
import { decodeHistory, encodeHistory, type FailedAttempt } from './history';

const SMALLEST = 8_192;

/** As long as everything can be, in letters of so many bytes. */
function largest(letter: string): PublishProperties {
  const short = letter.repeat(Math.floor(255 / Buffer.byteLength(letter)));
  const failed: FailedAttempt = {
    attempt: 1,
    replay: 999_999,
    startedAtMs: 8.64e15,
    durationMs: 9e15,
    code: letter.repeat(100),
    message: letter.repeat(500),
    worker: letter.repeat(100),
    stack: Array.from({ length: 5 }, () => letter.repeat(200)),
  };
  return {
    messageId: 'x'.repeat(255),
    type: short,
    contentType: short,
    contentEncoding: short,
    appId: short,
    correlationId: short,
    replyTo: short,
    priority: 255,
    timestamp: 1,
    deliveryMode: 2,
    mandatory: true,
    headers: {
      'x-tenant': 'acme',
      large: 'x'.repeat(3_000),
      larger: 'x'.repeat(5_000),
      'x-attempt': 1_000_000,
      'x-enqueued-at-ms': 8.64e15,
      'x-first-failed-at-ms': 8.64e15,
      'x-last-failed-at-ms': 8.64e15,
      'x-dead-at-ms': 8.64e15,
      'x-replays': 1_000_000,
      'x-execution': 1_000_000,
      'x-postponed': 1_000_000,
      'x-postponed-ms': 366 * 86_400_000,
      'x-expires-at-ms': 8.64e15,
      'x-max-attempts': 1_000_000,
      'x-timeout-ms': 2 ** 31 - 1,
      'x-tags': Array.from({ length: 10 }, () => 'x'.repeat(64)),
      'x-replayed-at-ms': 8.64e15,
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      'x-error-code': letter.repeat(255),
      'x-error-message': letter.repeat(1_000),
      'x-origin-queue': 'x'.repeat(200),
      'x-history': encodeHistory({
        attempts: Array.from({ length: 20 }, (_, n) => ({ ...failed, attempt: n + 1 })),
        omitted: 0,
      }),
    },
  };
}

const headersOf = ({ headers }: PublishProperties) => headers as Record<string, unknown>;

describe.each(['x', 'ü', '€', '"', '\u0000'])('the largest dead letter, in letters such as %j', (letter) => {
  it.each([SMALLEST, 8_193, 9_000, 12_000, 16_384, 32_768, 131_072])('fits into a frame of %d bytes', (frameMax) => {
    const given = largest(letter);
    const fitted = fitStored(given, frameMax);
    expect(headerFrameBytes(fitted)).toBeLessThanOrEqual(frameMax);
    const { attempts, omitted } = decodeHistory(headersOf(fitted)['x-history']);
    expect([attempts[0]?.attempt, attempts.at(-1)?.attempt, attempts.length + omitted]).toEqual([1, 20, 20]);
    const others = { ...given, headers: undefined };
    expect(fitted).toMatchObject({ ...others, headers: { 'x-tenant': 'acme', 'x-attempt': 1_000_000 } });
  });
});

it('leaves everything as it is where there is room', () => {
  const given = largest('x');
  expect(fitStored(given, 131_072)).toEqual(given);
});

it('lets the history give way before the message and the headers of a caller', () => {
  const given = largest('x');
  const fitted = headersOf(fitStored(given, 20_000));
  const { 'x-history': before, ...others } = headersOf(given);
  expect(String(fitted['x-history']).length).toBeLessThan(String(before).length);
  for (const [name, value] of Object.entries(others)) expect(fitted[name] === value).toBe(true);
});

it('gives the headers of a caller at most half of a frame, and tells how many stay behind', () => {
  const fitted = headersOf(fitStored(largest('x'), SMALLEST));
  expect(fitted).toMatchObject({ 'x-tenant': 'acme', large: 'x'.repeat(3_000), 'x-omitted-headers': 1 });
  expect(callerHeaderBytes(fitted)).toBeLessThanOrEqual(SMALLEST / 2);
});

it('refuses a new message instead of taking something away from it', () => {
  const headers = { large: 'x'.repeat(SMALLEST / 2) };
  expect(() => fitNew({ headers }, SMALLEST)).toThrow(/headers take 4107 bytes; .* at most 4096 fit/);
  expect(() => fitNew({ headers }, SMALLEST)).toThrow(UnwritableError);
  expect(fitNew({ headers }, 16_384)).toEqual({ headers });
});
