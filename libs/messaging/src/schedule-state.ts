import { decodeJsonObject, isJsonObject } from './codec';
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
  for (const [name, { seenMs }] of state) if (seenMs < nowMs - FORGET_AFTER_MS) state.delete(name);
}

/** Takes what is newer over into `state`. Returns whether there was anything. */
export function mergeState(state: ScheduleState, other: ScheduleState): boolean {
  let changed = false;
  for (const [name, progress] of other) {
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

/** Undefined when it is none. */
export function decodeState(content: Buffer): ScheduleState | undefined {
  try {
    const { schedules } = decodeJsonObject(content);
    return isJsonObject(schedules)
      ? new Map(Object.entries(schedules).map(([name, value]) => [name, progressOf(value)]))
      : undefined;
  } catch {
    return undefined;
  }
}

/** @throws Error for anything else. */
function progressOf(value: unknown): Progress {
  const { rule, done, seen } = value as Record<string, unknown>;
  const [doneMs, seenMs] = [Date.parse(String(done)), Date.parse(String(seen))];
  if (typeof rule !== 'string' || Number.isNaN(doneMs) || Number.isNaN(seenMs)) throw new TypeError('No progress.');
  return { rule, doneMs, seenMs };
}
