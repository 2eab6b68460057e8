import type { JsonObject, Level } from '@mercury/messaging';

/** Where events go. */
export interface Sink {
  readonly name: string;
  readonly levels: readonly Level[];
  /** Why events are not kept now; undefined when they are. */
  readonly problem: string | undefined;
  write(level: Level, data: JsonObject): void;
  /** Resolves when everything written is where it belongs. */
  close(): Promise<void>;
}

export const SINKS = Symbol('sinks');
