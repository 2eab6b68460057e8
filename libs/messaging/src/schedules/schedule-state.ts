import { decodeJsonObject, isJsonObject } from '../tasks/codec';
import type { Schedule } from './schedule';

/** How far a schedule has come. */
export interface Progress {
  /** Pattern and time zone of the ticks that are meant. */
  readonly rule: string;
  /** Every tick up to then was enqueued or missed. */
  readonly doneMs: number;
  /** When a leader last had this schedule. */
  readonly seenMs: number;
}

/** By the names of schedules. */
export type ScheduleState = Map<string, Progress>;

/** Of one message, and of all that is known: the broker refuses what is larger than 16 MiB, and then nothing could be stored any more. */
const MOST_BYTES = 4 * 1_048_576;
const MOST_SCHEDULES = 2_000;
const LONGEST_NAME = 100;
const LONGEST_RULE = 500;

/** Longer than replicas of an older configuration live beside those of a newer one. */
const FORGET_AFTER_MS = 7 * 86_400_000;

/**
 * What a new leader goes on from. A schedule that is new, or whose rule has changed, begins now: its ticks of the past
 * were never promised. One that is unknown here may belong to replicas with another configuration: it is forgotten only
 * when no leader has had it for a week.
 */
export function adoptSchedules(state: ScheduleState, schedules: readonly Schedule[], nowMs: number): void {
  for (const { name, rule } of schedules) {
    const known = state.get(name);
    const doneMs = known?.rule === rule ? known.doneMs : Math.max(nowMs, known?.doneMs ?? 0);
    state.set(name, { rule, doneMs, seenMs: nowMs });
  }
  for (const [name, progress] of state) {
    if (progress.seenMs < nowMs - FORGET_AFTER_MS) state.delete(name);
    // Nobody can have seen it later than now: it would never be forgotten.
    else if (progress.seenMs > nowMs) state.set(name, { ...progress, seenMs: nowMs });
  }
}

/** Takes what is newer over into `state`, up to 2,000 schedules. Returns whether there was anything. */
export function mergeState(state: ScheduleState, other: ScheduleState): boolean {
  let changed = false;
  for (const [name, progress] of other) {
    if (state.size >= MOST_SCHEDULES && !state.has(name)) continue;
    if (progress.doneMs <= (state.get(name)?.doneMs ?? -Infinity)) continue;
    state.set(name, progress);
    changed = true;
  }
  return changed;
}

/** Times as people write them: somebody may look at the queue. */
export function encodeState(state: ScheduleState): Buffer {
  const schedules = [...state].map(([name, { rule, doneMs, seenMs }]) => {
    return [name, { rule, done: new Date(doneMs).toISOString(), seen: new Date(seenMs).toISOString() }] as const;
  });
  return Buffer.from(JSON.stringify({ schedules: Object.fromEntries(schedules) }));
}

/** Undefined when it is none, or larger than any of ours. */
export function decodeState(content: Buffer): ScheduleState | undefined {
  if (content.length > MOST_BYTES) return undefined;
  try {
    const { schedules } = decodeJsonObject(content);
    return isJsonObject(schedules)
      ? new Map(Object.entries(schedules).map(([name, value]) => [name, progressOf(name, value)]))
      : undefined;
  } catch {
    return undefined;
  }
}

/** @throws Error for anything else. */
function progressOf(name: string, value: unknown): Progress {
  const { rule, done, seen } = value as Record<string, unknown>;
  const [doneMs, seenMs] = [Date.parse(String(done)), Date.parse(String(seen))];
  const isRule = typeof rule === 'string' && rule.length <= LONGEST_RULE;
  if (!isRule || name.length > LONGEST_NAME || Number.isNaN(doneMs) || Number.isNaN(seenMs)) {
    throw new TypeError('No progress.');
  }
  return { rule, doneMs, seenMs };
}
