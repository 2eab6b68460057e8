import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { ToolError } from './project';

/** Below the range from which systems take ports for outgoing connections: a restarted broker finds its ports free. */
const LOWEST = 20_000;
const HIGHEST = 32_000;

export async function freePort(taken: ReadonlySet<number> = new Set()): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const port = randomInt(LOWEST, HIGHEST);
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new ToolError('NO_PORT', `No free port between ${LOWEST} and ${HIGHEST}.`);
}

/** `count` ports that are free now, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort(ports));
  return [...ports];
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** A port tells nobody when it opens: asks until it does. */
export async function untilListening(port: number, timeoutMs: number, ended: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await accepts(port))) {
    if (ended()) throw new ToolError('BROKER_FAILED', `The program ended before it listened on port ${port}.`);
    if (performance.now() > deadlineMs) throw new ToolError('BROKER_FAILED', `Nothing listens on port ${port}.`);
    await pause(30);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
