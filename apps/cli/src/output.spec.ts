import type { DeadLetter } from '@mercury/messaging';
import { jsonOf, tableOfLetters, textOfLetter } from './output';

const letter: DeadLetter = {
  id: 'order-1',
  type: 'report',
  code: 'GONE',
  message: `Gone.\n${'x'.repeat(100)}`,
  attempt: 3,
  replays: 1,
  originQueue: 'reports',
  deadAtMs: 1_800_000_000_000,
  replayedAtMs: 1_800_000_000_000,
  bodyBytes: 2,
  attempts: [
    { attempt: 1, code: 'LATE', message: 'Late.', worker: 'host:1', durationMs: 5, stack: ['at a', 'at b'] },
    { attempt: 3, replay: 1, code: 'GONE', message: 'Gone.' },
  ],
  omittedAttempts: 4,
  body: {},
};

it('prints JSON whose characters all can be seen, with the same value', () => {
  const page = { letters: [{ ...letter, id: 'a\u009b2Jb\u202ec\u200bd' }] };
  expect(jsonOf(page)).toContain(String.raw`"a\u009b2Jb\u202ec\u200bd"`);
  expect(JSON.parse(jsonOf(page))).toEqual(page);
});

it('prints one line per letter', () => {
  const [head, line, ...rest] = tableOfLetters([letter]).split('\n');
  expect(head).toMatch(/^DEAD AT +ID +TYPE/);
  expect(line).toMatch(/^2027-01-15T08:00:00\.000Z +order-1 +report +GONE +3 +1 +Gone\. x+…$/);
  expect(rest).toEqual([]);
});

it('prints each attempt, and how many are missing where', () => {
  const text = textOfLetter(letter);
  expect(text).toContain(
    'attempt 1 at -, took 5 ms, on host:1\n    LATE: Late.\n      at a\n      at b\n… 4 attempts are not kept\n',
  );
  expect(text).toContain('replay 1, attempt 3 at -\n    GONE: Gone.\n');
  expect(textOfLetter({ ...letter, body: undefined, bodyBase64: 'AP8=' })).toMatch(/base64: AP8=$/);
});
