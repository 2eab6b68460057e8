import { HEADER } from '../headers';
import { payloadOf } from './task';

describe('payloadOf', () => {
  it('leaves out the type that only repeats the type of the task', () => {
    const body = { type: 'sleep', ms: 5 };
    expect(payloadOf({ type: 'sleep', body })).toEqual({ ms: 5 });
    expect(body).toEqual({ type: 'sleep', ms: 5 });
  });

  it('is the same for a task put with its type beside the body', () => {
    expect(payloadOf({ type: 'sleep', body: { ms: 5 } })).toEqual({ ms: 5 });
  });

  it.each([{ type: 'other', ms: 5 }, { type: 7 }, { type: { type: 'sleep' } }])(
    'keeps a type that says something else: %p',
    (body) => {
      expect(payloadOf({ type: 'sleep', body })).toBe(body);
    },
  );
});

it('the header names are those that other programs rely on', () => {
  expect(Object.values(HEADER).sort()).toEqual([
    'traceparent',
    'x-attempt',
    'x-dead-at-ms',
    'x-enqueued-at-ms',
    'x-error-code',
    'x-error-message',
    'x-event-key',
    'x-execution',
    'x-expires-at-ms',
    'x-first-failed-at-ms',
    'x-history',
    'x-last-failed-at-ms',
    'x-max-attempts',
    'x-not-before-ms',
    'x-omitted-headers',
    'x-origin-queue',
    'x-postponed',
    'x-postponed-ms',
    'x-priority',
    'x-publisher',
    'x-replayed-at-ms',
    'x-replays',
    'x-sequence',
    'x-tags',
    'x-timeout-ms',
  ]);
});
