import type { Body } from '../body';

/** Where the tasks go: one queue for all peers, on one broker; BullMQ's is in Redis. */
export interface Target {
  rabbitUrl: string;
  redisUrl: string;
  queueName: string;
}

export interface Sender {
  /** A callback, not a promise: whoever has callbacks does not pay for promises. */
  send(body: Body, done: (error?: unknown) => void): void;
  close(): Promise<void>;
}

export interface Receiver {
  /** Resolves once everything that was acked has reached the broker. */
  close(): Promise<void>;
}

/** Called for each task. Reading the body is up to the work: a peer that parses it anyway has done so by then. */
export type OnTask = (read: () => unknown) => void;

/** One way to put tasks on a queue and to execute them, used as its documentation says, with its defaults. */
export interface Peer {
  openSender(target: Target): Promise<Sender>;
  openReceiver(target: Target, capacity: number, onTask: OnTask): Promise<Receiver>;
}
