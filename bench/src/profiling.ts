import { basename, dirname } from 'node:path';
import type { Stretch } from './clock';

/** What is measured may last no longer than a second: V8's own 1,000 would be too few samples of it. */
const INTERVAL_US = 250;
/** They fill queues and send requests, so that others can be measured. */
const HELPERS: readonly string[] = ['fill', 'load'];

/** What a measurement leaves when its processes are profiled. */
export interface Profiled {
  processes: { role: string; file: string }[];
  /** Undefined where everything is measured, from the start of the processes on. */
  stretch?: Stretch;
}

let current: { fileOf: (role: string) => string; profiled: Profiled } | undefined;

/** @param fileOf where the profile of the next process with this role is written to. */
export async function profiling<Result>(
  fileOf: (role: string) => string,
  measure: () => Promise<Result>,
): Promise<{ result: Result; profiled: Profiled }> {
  const profiled: Profiled = { processes: [] };
  current = { fileOf, profiled };
  try {
    return { result: await measure(), profiled };
  } finally {
    current = undefined;
  }
}

/** Node's arguments for a process that starts now: with them it writes a CPU profile at its end. None without --flame. */
export function profilingArgs(role: string): string[] {
  if (!current || HELPERS.includes(role)) return [];
  const file = current.fileOf(role);
  current.profiled.processes.push({ role, file });
  return [
    '--cpu-prof',
    `--cpu-prof-interval=${INTERVAL_US}`,
    `--cpu-prof-dir=${dirname(file)}`,
    `--cpu-prof-name=${basename(file)}`,
  ];
}

/** Called by the works: only this part of the profiles counts, and not what warmed up before it. */
export function measuredDuring({ fromMs, toMs }: Stretch): void {
  if (current) current.profiled.stretch = { fromMs, toMs };
}
