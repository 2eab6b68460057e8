import { readFileSync } from 'node:fs';

/** Linux counts in ticks of 1/100 s, whatever its own clock is (proc(5), USER_HZ). */
const US_PER_TICK = 10_000;

/** User and system time that a process has used, seen from outside: servers are not asked to measure themselves. */
export function cpuUsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the program's name, in which anything may stand.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * US_PER_TICK;
}

/** 0 for one that has just ended. */
export function rssMibOf(pid: number): number {
  const [, kib = 0] = /^VmRSS:\s+(\d+) kB$/m.exec(readIfThere(`/proc/${pid}/status`)) ?? [];
  return Number(kib) / 1_024;
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
