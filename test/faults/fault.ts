import type { Scene } from './scene';

/** What may happen at most; everything that is not named must not happen at all. */
export interface Bound {
  /** Runs beyond the first of the same attempt of a task. */
  duplicates: number;
  /** Which confirmed task may be gone. Default none: only a fault that destroys the queue itself may lose something. */
  mayBeLost?: (id: string) => boolean;
  /** How many dead letters there must be, exactly. Default none. */
  dead?: number;
  /** Which tasks those may be. Default any. */
  mayBeDead?: (id: string) => boolean;
  /** How often each task must run, all attempts together. Default: not checked. */
  runsEach?: number;
}

/** What a fault tells about itself once its load and its dose are over. */
export interface Outcome {
  /** What was done, in the numbers of this run. */
  dose: string;
  bound: Bound;
  /** From the end of each disturbance until the system worked again, as measured. */
  recoveriesMs?: readonly number[];
  /** More that was measured, for people. */
  notes?: readonly string[];
  /** Broken promises that only this fault can see. */
  violations?: readonly string[];
}

/**
 * One way to hurt the system. `run` gives the load and does the harm; the checker then settles the accounts, the same
 * way for all of them.
 */
export interface Fault {
  name: string;
  title: string;
  /** Default true. `npm test` has three minutes: what others show as well, or needs its full dose, is left out there. */
  inShort?: boolean;
  /** Of the broker. Default 1. */
  nodes?: 3;
  /** A proof that the checker sees: the fault passes only when a violation matches. */
  mustFindViolation?: RegExp;
  run(scene: Scene): Promise<Outcome>;
}
