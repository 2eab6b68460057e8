import type { PeerName } from '../peers';
import type { Rig } from '../rig';

/** By name with its unit, such as `cpuUsPerTask`. */
export type Metrics = Readonly<Record<string, number>>;

export interface Scale {
  /** The selection for CI: seconds instead of minutes. */
  isShort: boolean;
  /** Those that are measured. */
  peers: readonly PeerName[];
}

/** One thing to measure, once per round. */
export interface Case {
  /** What the rows of one comparison have in common, such as `64 KiB`; empty where a work has one comparison only. */
  variant: string;
  /** Unique within the variant; what goals name. */
  row: string;
  title: string;
  note: string;
  measure: (rig: Rig) => Promise<Metrics>;
}

export interface Column {
  metric: string;
  heading: string;
  digits: number;
  /** Whether it is also compared with the baseline's. */
  hasRatio: boolean;
}

export interface Work {
  /** For `--only`. */
  name: string;
  title: string;
  /** The row that the others are compared with. */
  baseline: string;
  columns: readonly Column[];
  isInShort: boolean;
  /** Fewer than asked for, where a round takes minutes. */
  mostRounds?: number;
  casesOf: (scale: Scale) => readonly Case[];
}

export const RATE: Column = { metric: 'ratePerS', heading: 'tasks/s', digits: 0, hasRatio: true };
export const CPU: Column = { metric: 'cpuUsPerTask', heading: 'CPU µs/task', digits: 1, hasRatio: true };
export const MEMORY: Column = { metric: 'rssMib', heading: 'MiB', digits: 0, hasRatio: false };
