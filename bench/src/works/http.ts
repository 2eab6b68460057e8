import { AppProcess } from '../app-process';
import { nowMs } from '../clock';
import { cpuUsOf, rssMibOf } from '../proc';
import { measuredDuring } from '../profiling';
import type { Rig } from '../rig';
import { Role } from '../role';
import type { Loaded, LoadParams } from '../roles/load';
import type { Case, Column, Metrics, Scale, Work } from './work';

const CONNECTIONS = 64;
const CPU: Column = { metric: 'cpuUsPerRequest', heading: 'server CPU µs/request', digits: 0, hasRatio: true };

interface Server {
  url: string;
  pid: number;
  stop(): Promise<void>;
}

export const http: Work = {
  name: 'http',
  title: 'HTTP POST: one task each, 256 bytes, 64 connections, answered after the confirm',
  baseline: 'bare',
  columns: [
    { metric: 'ratePerS', heading: 'requests/s', digits: 0, hasRatio: true },
    CPU,
    { metric: 'p99Ms', heading: 'p99 ms', digits: 0, hasRatio: false },
    { metric: 'rssMib', heading: 'MiB', digits: 0, hasRatio: false },
  ],
  isInShort: true,
  casesOf: (scale) => {
    const caseOf = (row: string, title: string, note: string, start: (rig: Rig) => Promise<Server>): Case => ({
      variant: '',
      row,
      title,
      note,
      measure: (rig) => measureServer(rig, start, scale),
    });
    const producer = 'apps/producer: problem+json, idempotency, metrics, rate limit off; LOG_LEVEL=warn';
    const bare = caseOf('bare', 'Fastify + amqplib', 'JSON schema; confirmed, mandatory', bareServer);
    const nest = caseOf('nest-amqplib', 'Nest + amqplib', 'validates a DTO; confirmed, mandatory', nestServer);
    const bullmq = caseOf('nest-bullmq', 'Nest + BullMQ', '**fsync every second**; validates a DTO', nestBullmqServer);
    const own = caseOf('mercury', 'Mercury', producer, mercuryServer);
    const others = scale.isShort ? [] : [nest];
    return [own, bare, ...others, ...(scale.peers.includes('bullmq') ? [bullmq] : [])];
  },
};

export async function mercuryServer(rig: Rig): Promise<Server> {
  const app = await AppProcess.start('producer', {
    RABBITMQ_URL: rig.rabbitUrl,
    QUEUE_NAME: rig.queueName,
    LOG_LEVEL: 'warn',
  });
  await app.untilReady();
  return app;
}

const bareServer = async (rig: Rig) => roleServer('bare-server', await rig.target(false));
const nestServer = async (rig: Rig) => roleServer('nest-amqplib-server', await rig.target(false));
const nestBullmqServer = async (rig: Rig) => roleServer('nest-bullmq-server', await rig.target(true));

async function roleServer(name: string, params: object): Promise<Server> {
  const role = new Role(name, params);
  const url = await role.untilReady<string>();
  return { url, pid: role.pid, stop: () => role.stop() };
}

async function measureServer(rig: Rig, start: (rig: Rig) => Promise<Server>, { isShort }: Scale): Promise<Metrics> {
  await rig.empty();
  const server = await start(rig);
  try {
    const load = { url: `${server.url}/v1/tasks`, itemCount: 1, connections: CONNECTIONS };
    return await measureLoad(server, load, isShort ? 2 : 3, isShort ? 2 : 8);
  } finally {
    await server.stop();
  }
}

/** @param load without how long it lasts. */
export async function measureLoad(
  { pid }: Server,
  load: Omit<LoadParams, 'seconds'>,
  warmUpSeconds: number,
  seconds: number,
): Promise<Metrics> {
  await Role.run<Loaded>('load', { ...load, seconds: warmUpSeconds } satisfies LoadParams);
  const fromMs = nowMs();
  const cpuUsBefore = cpuUsOf(pid);
  const loaded = await Role.run<Loaded>('load', { ...load, seconds } satisfies LoadParams);
  const cpuUs = cpuUsOf(pid) - cpuUsBefore;
  measuredDuring({ fromMs, toMs: nowMs() });
  return {
    ratePerS: loaded.requestCount / loaded.seconds,
    cpuUsPerRequest: cpuUs / loaded.requestCount,
    p99Ms: loaded.p99Ms,
    rssMib: rssMibOf(pid),
  };
}
