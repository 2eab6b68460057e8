import { nowMs, type Stretch } from './clock';

/** What this process used between two moments. */
export interface Usage extends Stretch {
  seconds: number;
  /** User and system time of all its threads. */
  cpuUs: number;
  /** At the end. */
  rssMib: number;
  /** From the start to the end. */
  rssGrowthMib: number;
}

/** Starts to measure this process; the function that it returns ends that. */
export function startMeter(): () => Usage {
  const rssMibBefore = rssMibNow();
  const cpu = process.cpuUsage();
  const fromMs = nowMs();
  return () => {
    const toMs = nowMs();
    const { user, system } = process.cpuUsage(cpu);
    const rssMib = rssMibNow();
    return {
      fromMs,
      toMs,
      seconds: (toMs - fromMs) / 1_000,
      cpuUs: user + system,
      rssMib,
      rssGrowthMib: rssMib - rssMibBefore,
    };
  };
}

function rssMibNow(): number {
  return process.memoryUsage.rss() / 1_048_576;
}
