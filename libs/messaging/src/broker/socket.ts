import type { Socket } from 'node:net';
import type { ChannelModel } from 'amqplib';

const LOOK_EVERY_MS = 5_000;

/** amqplib has no public way to end a connection whose peer does not answer. Undefined once it has ended. */
export function socketOf(model: ChannelModel): Socket | undefined {
  return (model.connection as { stream?: Socket } | undefined)?.stream;
}

/** Whether it is over, or is being closed. amqplib then replaces its methods. */
export function hasEnded(model: ChannelModel): boolean {
  return Object.hasOwn(Object(model.connection) as object, 'sendMethod');
}

/** Whether the broker takes no messages from it now. */
export function isBlocked(model: ChannelModel): boolean {
  return (model.connection as { blocked?: boolean } | undefined)?.blocked === true;
}

/** What both sides have agreed on, in seconds; 0 means none. */
export function heartbeatOf(model: ChannelModel): number {
  return (model.connection as { heartbeat?: number } | undefined)?.heartbeat ?? 0;
}

/**
 * Ends a connection over which nothing came for two heartbeats: a cable was pulled, or a firewall has forgotten it. amqplib
 * notices by itself only after up to three. Counted in looks, not by the clock: a busy process that could not look has
 * not heard nothing.
 */
export function endWhenSilent(socket: Socket, heartbeatS: number): void {
  // Then nothing has to come.
  if (heartbeatS === 0) return;
  let bytesSeen = socket.bytesRead;
  let silentLooks = 0;
  const timer = setInterval(() => {
    silentLooks = socket.bytesRead === bytesSeen ? silentLooks + 1 : 0;
    bytesSeen = socket.bytesRead;
    if (silentLooks * LOOK_EVERY_MS < 2 * heartbeatS * 1_000) return;
    socket.destroy(new Error(`The broker has been silent for ${2 * heartbeatS} s.`));
  }, LOOK_EVERY_MS).unref();
  socket.once('close', () => clearInterval(timer));
}

/**
 * Lets what is written at once leave at once. amqplib writes each message and each ack by itself, and the system call is the
 * dearest part of both. Nothing is held back: it leaves before the event loop goes on.
 */
export function writeTogether(socket: Socket): void {
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  let isCorked = false;
  const uncork = () => {
    isCorked = false;
    socket.uncork();
  };
  const writeCorked = (...args: unknown[]) => {
    if (!isCorked) {
      isCorked = true;
      socket.cork();
      process.nextTick(uncork);
    }
    return write(...args);
  };
  Object.assign(socket, { write: writeCorked });
}
