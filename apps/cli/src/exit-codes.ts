/** What scripts can trust. */
export const EXIT = {
  ok: 0,
  failed: 1,
  /** The command line is wrong, or a confirmation is missing. */
  usage: 2,
  /** All went well, but no letter matched. */
  nothing: 3,
  /** The broker's topology is not as it should be. */
  differs: 4,
  /** By a signal, cleanly: what was done is done. */
  stopped: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Something that the caller of the command has to change. */
export class UsageError extends Error {}
