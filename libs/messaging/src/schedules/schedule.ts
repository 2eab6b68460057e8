import type * as Croner from 'croner';
import { needPeers } from '../peers';
import { encodeTask, isJsonObject } from '../tasks/codec';
import { ZoneGaps } from './zone-gaps';

/** A task that is put again and again, at the times of a cron pattern. */
export interface ScheduleOptions {
  /** 1 to 100 printable ASCII characters without spaces, different from those of the other schedules. */
  name: string;
  /** `minute hour day month weekday`, with seconds in front if there are six fields, or `@daily` and the like. */
  cron: string;
  /** IANA name, such as `Europe/Berlin`. Default `UTC`: replicas on different machines must mean the same time. */
  timeZone?: string;
  /** What becomes of ticks at which nothing could be enqueued. Default `skip`: nothing. `run-once`: one task for all of them. */
  missed?: 'skip' | 'run-once';
  /** A task that was not begun so many milliseconds after it was put is dead (`EXPIRED`). Default: it waits as long as it takes. */
  ttlMs?: number;
  /** Type of the task. */
  type: string;
  /** Body of the task, a JSON object. */
  body: object;
}

/** A schedule that was checked, ready to be asked for its ticks. */
export interface Schedule {
  readonly name: string;
  /** The pattern and its time zone: ticks of another rule are other ticks. */
  readonly rule: string;
  readonly missed: 'skip' | 'run-once';
  readonly ttlMs: number | undefined;
  readonly type: string;
  readonly body: object;
  /** The first tick after that time; Infinity when there is none. */
  nextAfterMs(timeMs: number): number;
}

/** What is to be done for a schedule now. Ticks are milliseconds since 1970. */
export type Step =
  | { kind: 'wait'; untilMs: number }
  | { kind: 'enqueue'; tickMs: number }
  /** These ticks, the first and the last included, are not enqueued any more. */
  | { kind: 'miss'; firstMs: number; lastMs: number };

/** With `skip`, a tick that is later than this is missed: as long as a put may take. */
const ON_TIME_MS = 5_000;
/**
 * With `run-once`, nothing is missed when it takes no longer than this until somebody enqueues again: a leader that is
 * cut off without a word is given up after two heartbeats, 30 s.
 */
const HAND_OVER_MS = 60_000;

/** How far they have come is one message. */
const MOST_SCHEDULES = 1_000;
const LONGEST_CRON = 400;
const YEAR_MS = 366 * 86_400_000;

const FIELDS = new Set(['name', 'cron', 'timeZone', 'missed', 'ttlMs', 'type', 'body']);
const PRINTABLE_NAME = /^[\x21-\x7e]{1,100}$/;
/** Croner takes dates, too. */
const PATTERN = /^\s*(@\w+|\S+(\s+\S+){4,5})\s*$/;

/** The same tick has the same task id, whoever enqueues it. */
export function tickId(name: string, tickMs: number): string {
  return `${name}@${new Date(tickMs).toISOString()}`;
}

/** @param doneMs every tick up to then was enqueued or missed. */
export function stepOf(schedule: Schedule, doneMs: number, nowMs: number): Step {
  const oldestMs = schedule.nextAfterMs(doneMs);
  if (oldestMs > nowMs) return { kind: 'wait', untilMs: oldestMs };
  if (schedule.missed === 'run-once' && nowMs - oldestMs <= HAND_OVER_MS) return { kind: 'enqueue', tickMs: oldestMs };
  const newestMs = newestTickMs(schedule, oldestMs, nowMs);
  if (schedule.missed === 'skip' && nowMs - newestMs > ON_TIME_MS) {
    return { kind: 'miss', firstMs: oldestMs, lastMs: newestMs };
  }
  if (newestMs === oldestMs) return { kind: 'enqueue', tickMs: newestMs };
  return { kind: 'miss', firstMs: oldestMs, lastMs: newestTickMs(schedule, oldestMs, newestMs - 1) };
}

/** By halves: of a schedule of every second there are millions of ticks in an outage of weeks. */
function newestTickMs(schedule: Schedule, knownTickMs: number, untilMs: number): number {
  let tickMs = knownTickMs;
  for (let endMs = untilMs; tickMs < endMs;) {
    const middleMs = Math.floor((tickMs + endMs) / 2);
    const laterMs = schedule.nextAfterMs(middleMs);
    if (laterMs <= untilMs) tickMs = laterMs;
    else endMs = middleMs;
  }
  return tickMs;
}

/**
 * Checks everything; what is wrong is added to `problems`, named by its place. Only then is the result of use.
 * @throws MercuryError `PEER_MISSING` without croner, which reads the patterns.
 */
export function schedulesOf(given: unknown, maxPayloadBytes: number, problems: string[]): Schedule[] {
  if (!Array.isArray(given) || given.length > MOST_SCHEDULES) {
    problems.push(`schedules must be a list of at most ${MOST_SCHEDULES}`);
    return [];
  }
  if (given.length > 0) needPeers('A schedule', 'croner');
  const names = new Set<unknown>();
  return given.flatMap((item: unknown, index) => {
    const found = isJsonObject(item) ? problemsOf(item, maxPayloadBytes) : ['must be an object'];
    if (isJsonObject(item) && names.has(item['name'])) found.push('name is that of another schedule');
    if (isJsonObject(item)) names.add(item['name']);
    problems.push(...found.map((problem) => `schedules[${index}] ${problem}`));
    return found.length === 0 ? [scheduleOf(item as ScheduleOptions)] : [];
  });
}

function problemsOf(item: Record<string, unknown>, maxPayloadBytes: number): string[] {
  const { name, cron, timeZone = 'UTC', missed = 'skip', ttlMs, type, body } = item;
  const problems = Object.keys(item)
    .filter((field) => !FIELDS.has(field))
    .map((field) => `has an unknown field ${JSON.stringify(field)}`);
  if (typeof name !== 'string' || !PRINTABLE_NAME.test(name)) {
    problems.push('name must be 1 to 100 printable ASCII characters without spaces');
  }
  const zoneProblem = zoneProblemOf(timeZone);
  if (zoneProblem) problems.push(zoneProblem);
  const cronProblem = cronProblemOf(cron, zoneProblem ? 'UTC' : String(timeZone));
  if (cronProblem) problems.push(cronProblem);
  if (missed !== 'skip' && missed !== 'run-once') problems.push('missed must be "skip" or "run-once"');
  if (typeof type !== 'string') problems.push('type must be a string');
  else {
    try {
      encodeTask(body, { type, ttlMs: ttlMs as number | undefined }, maxPayloadBytes);
    } catch (error) {
      problems.push(`cannot be a task: ${(error as Error).message}`);
    }
  }
  return problems;
}

function zoneProblemOf(timeZone: unknown): string | undefined {
  try {
    if (typeof timeZone !== 'string') throw new RangeError();
    new Intl.DateTimeFormat('en', { timeZone });
    return undefined;
  } catch {
    return 'timeZone must be an IANA name, such as Europe/Berlin';
  }
}

function cronProblemOf(cron: unknown, timeZone: string): string | undefined {
  if (typeof cron !== 'string' || cron.length > LONGEST_CRON || !PATTERN.test(cron)) {
    return 'cron must be five fields (minute hour day month weekday), six with seconds in front, or @daily and the like';
  }
  try {
    return patternOf(cron, timeZone).nextRun() ? undefined : 'cron never comes';
  } catch (error) {
    return `cron is wrong: ${(error as Error).message}`;
  }
}

/** `no-wildcard`: a fixed time that the change to summer time leaves out comes after the gap, and one that comes twice counts once. */
function patternOf(cron: string, timezone: string): Croner.Cron {
  const { Cron } = croner();
  return new Cron(cron.trim(), { timezone, mode: '5-or-6-parts', fixedTimeRule: 'no-wildcard', paused: true });
}

/** Loaded when there are schedules: who has none need not install it. */
function croner(): typeof Croner {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- import() would make every check of options wait.
  return require('croner') as typeof Croner;
}

/**
 * Croner loses a fixed time that a gap leaves out when the gap ends at midnight, as in Greenland: the day is over then. Its tick comes right after
 * the gap, as in every other one.
 */
function gapTicksOf(cron: string, timeZone: string): (afterMs: number, nextMs: number) => number | undefined {
  const fields = cron.trim().split(/\s+/);
  const isFixed = fields.slice(0, -3).every((field) => !/[*?/]/.test(field));
  if (!isFixed) return () => undefined;
  // By local times: as if they were UTC.
  const local = patternOf(cron, 'UTC');
  const gaps = new ZoneGaps(timeZone);
  return (afterMs, nextMs) => {
    for (const { atMs, fromLocalMs, untilLocalMs } of gaps.between(afterMs, Math.min(nextMs, afterMs + YEAR_MS))) {
      const tickMs = local.nextRun(new Date(fromLocalMs - 1_000))?.getTime() ?? Infinity;
      if (tickMs < untilLocalMs && atMs > afterMs) return atMs;
    }
    return undefined;
  };
}

function scheduleOf({ name, cron, timeZone = 'UTC', missed = 'skip', ttlMs, type, body }: ScheduleOptions): Schedule {
  const pattern = patternOf(cron, timeZone);
  // Asked again and again about the same time while it waits, and a time zone makes an answer take half a millisecond.
  let last = { timeMs: NaN, nextMs: NaN };
  const tickInGap = gapTicksOf(cron, timeZone);
  const nextAfterMs = (timeMs: number) => {
    if (timeMs !== last.timeMs) {
      const nextMs = pattern.nextRun(new Date(timeMs))?.getTime() ?? Infinity;
      last = { timeMs, nextMs: tickInGap(timeMs, nextMs) ?? nextMs };
    }
    return last.nextMs;
  };
  return { name, rule: `${cron.trim().replace(/\s+/g, ' ')} ${timeZone}`, missed, ttlMs, type, body, nextAfterMs };
}
