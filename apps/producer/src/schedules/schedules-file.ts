import { readFileSync } from 'node:fs';
import { ConfigError, scheduleProblems, type ScheduleOptions } from '@mercury/messaging';
import { checkTask } from '../tasks/task.request';

/**
 * Reads a JSON list of schedules. Each task is checked as one that is posted: the same type and payload would be dead at
 * every tick.
 * @throws ConfigError `CONFIG_INVALID`, with every problem of every schedule.
 */
export function schedulesFromFile(path: string): ScheduleOptions[] {
  const schedules = parsed(path);
  const problems = [...scheduleProblems(schedules), ...taskProblems(schedules)];
  if (problems.length > 0) {
    throw new ConfigError(
      'Environment',
      problems.map((problem) => `SCHEDULES_FILE ${problem}`),
    );
  }
  return schedules as ScheduleOptions[];
}

function parsed(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ConfigError('Environment', [`SCHEDULES_FILE cannot be read as JSON: ${(error as Error).message}`]);
  }
}

function taskProblems(schedules: unknown): string[] {
  const list: unknown[] = Array.isArray(schedules) ? schedules : [];
  return list.flatMap((schedule, index) => {
    const { type, body } = (schedule ?? {}) as { type?: unknown; body?: unknown };
    // What has no type or body at all was found already.
    if (typeof type !== 'string' || typeof body !== 'object' || body === null) return [];
    return checkTask({ type, payload: body }).map(({ pointer, detail }) => {
      return `schedules[${index}]${pointer.replace(/^\/payload/, '/body')} ${detail}`;
    });
  });
}
