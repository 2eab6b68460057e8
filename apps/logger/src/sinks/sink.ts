import type { JsonObject, Level } from '@mercury/messaging';

/** A sink that takes nothing for so long says so. */
export const STUCK_MS = 5_000;
export const CLOSE_TIMEOUT_MS = 3_000;

/** Where events go. */
export interface Sink {
  readonly name: string;
  readonly levels: readonly Level[];
  /** Why events are not kept now; undefined when they are. */
  readonly problem: string | undefined;
  /** Resolves when it takes the next event: whoever waits for that holds no more than one. */
  write(level: Level, data: JsonObject): Promise<void>;
  /** Resolves when everything written is where it belongs, or after some seconds in which it does not get there. */
  close(): Promise<void>;
}

export const SINKS = Symbol('sinks');

/** Waits for work, but no longer than that. */
export async function soon(work: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)));
  await Promise.race([work, late]);
  clearTimeout(timer);
}
