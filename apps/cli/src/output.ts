import Table from 'cli-table3';
import {
  escapeUnseen,
  printable,
  type DeadLetter,
  type DeadLetterSummary,
  type FailedAttempt,
} from '@mercury/messaging';

const LONGEST_CELL = 60;
const NO_LINES = Object.fromEntries(
  ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right', 'left', 'left-mid']
    .concat(['mid', 'mid-mid', 'right', 'right-mid'])
    .map((place) => [place, '']),
);

/** What a command was asked for. What is said beside it goes to stderr. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** For other programs, which may print it again. */
export function jsonOf(value: object): string {
  return escapeUnseen(JSON.stringify(value));
}

/** One line per letter. */
export function tableOfLetters(letters: readonly DeadLetterSummary[]): string {
  const head = ['DEAD AT', 'ID', 'TYPE', 'CODE', 'ATTEMPT', 'REPLAYS', 'MESSAGE'];
  const rows = letters.map(({ deadAtMs, id, type, code, attempt, replays, message }) => [
    timeOf(deadAtMs),
    printable(id),
    ...[type, code, String(attempt), String(replays), message].map(cell),
  ]);
  return tableOf(head, rows);
}

/** All that is known of a letter. */
export function textOfLetter(letter: DeadLetter): string {
  const { attempts, omittedAttempts } = letter;
  const facts: [string, string][] = [
    ['id', letter.id],
    ['type', letter.type],
    ['queue', letter.originQueue],
    ['put', timeOf(letter.enqueuedAtMs)],
    ['dead', timeOf(letter.deadAtMs)],
    ['why', `${letter.code}: ${letter.message}`],
    ['attempt', String(letter.attempt)],
    ['replays', letter.replays === 0 ? '0' : `${letter.replays}, the last at ${timeOf(letter.replayedAtMs)}`],
    ['trace', letter.traceparent ?? '-'],
    ...(letter.tags ? [['tags', letter.tags.join(' ')] as [string, string]] : []),
  ];
  const body = letter.body ? JSON.stringify(letter.body, undefined, 2) : `base64: ${letter.bodyBase64}`;
  return [
    ...facts.map(([name, value]) => `${name.padEnd(8)} ${printable(value)}`),
    '',
    ...attempts.flatMap((attempt, index) => [
      ...(index === 1 && omittedAttempts > 0 ? [`… ${omittedAttempts} attempts are not kept`] : []),
      ...linesOfAttempt(attempt),
    ]),
    '',
    ...body.split('\n').map(printable),
  ].join('\n');
}

function linesOfAttempt({ attempt, replay, startedAtMs, durationMs, worker, ...failure }: FailedAttempt): string[] {
  const which = replay === undefined ? `attempt ${attempt}` : `replay ${replay}, attempt ${attempt}`;
  const took = durationMs === undefined ? '' : `, took ${durationMs} ms`;
  const by = worker === undefined ? '' : `, on ${worker}`;
  return [
    printable(`${which} at ${timeOf(startedAtMs)}${took}${by}`),
    printable(`    ${failure.code}: ${failure.message}`),
    ...(failure.stack ?? []).map((line) => printable(`      ${line}`)),
  ];
}

export function tableOf(head: string[], rows: string[][]): string {
  const table = new Table({
    head,
    chars: { ...NO_LINES, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  table.push(...rows);
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

function cell(text: string): string {
  const line = printable(text);
  return line.length > LONGEST_CELL ? `${line.slice(0, LONGEST_CELL - 1)}…` : line;
}

function timeOf(atMs: number | undefined): string {
  return atMs === undefined ? '-' : new Date(atMs).toISOString();
}
