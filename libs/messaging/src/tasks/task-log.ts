/** How much a line of a task's log matters. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** What a handler has said of its work. */
export interface LogLine {
  atMs: number;
  level: LogLevel;
  /** At most 500 characters. */
  message: string;
}

const MOST_LINES = 50;
const LONGEST_LINE = 500;
const LEVELS: ReadonlySet<unknown> = new Set<LogLevel>(['debug', 'info', 'warn', 'error']);

/** The last lines of one execution. */
export class TaskLog {
  private lines: LogLine[] = [];

  add(level: LogLevel, message: unknown, atMs: number): void {
    if (this.lines.length === MOST_LINES) this.lines.shift();
    this.lines.push({ atMs, level: LEVELS.has(level) ? level : 'info', message: textOf(message) });
  }

  /** Those that there are now: a handler may go on after its time is up. */
  snapshot(): readonly LogLine[] {
    return [...this.lines];
  }
}

/** Never throws: to say something is not to fail. */
function textOf(message: unknown): string {
  try {
    return String(message).slice(0, LONGEST_LINE);
  } catch {
    return 'A message that cannot be written.';
  }
}
