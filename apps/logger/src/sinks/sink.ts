import type { JsonObject, Level } from '@mercury/messaging';

/** Where events go. */
export interface Sink {
  readonly name: string;
  readonly levels: readonly Level[];
  /** Why events are not kept now; undefined when they are. */
  readonly problem: string | undefined;
  /** Resolves when it takes the next event: whoever waits for that holds no more than one. */
  write(level: Level, data: JsonObject): Promise<void>;
  /** Resolves when everything written is where it belongs. */
  close(): Promise<void>;
}

export const SINKS = Symbol('sinks');
