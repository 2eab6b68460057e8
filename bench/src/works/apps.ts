import { setTimeout as pause } from 'node:timers/promises';
import { AppProcess, type AppName } from '../app-process';
import { rssMibOf } from '../proc';
import type { Rig } from '../rig';
import { Role } from '../role';
import type { FillParams } from '../roles/fill';
import type { Loaded, LoadParams } from '../roles/load';
import type { Case, Metrics, Work } from './work';

const IDLE_S = 5;
const POSTS_S = 10;
const CONNECTIONS = 64;
const TASK_COUNT = 50_000;
const LOOK_EVERY_MS = 200;

export const apps: Work = {
  name: 'apps',
  title: 'The applications: from start to ready, and memory',
  baseline: '',
  columns: [
    { metric: 'readyS', heading: 'ready after s', digits: 2, hasRatio: false },
    { metric: 'idleMib', heading: 'idle MiB', digits: 0, hasRatio: false },
    { metric: 'loadedMib', heading: 'under load MiB', digits: 0, hasRatio: false },
  ],
  isInShort: false,
  mostRounds: 3,
  casesOf: () => [
    caseOf('producer', `${POSTS_S} s of posts over ${CONNECTIONS} connections`, post),
    caseOf('consumer', `${TASK_COUNT.toLocaleString('en')} tasks, an event each`, executeTasks),
    caseOf('logger', 'the events of a consumer with as many tasks', async (rig) => {
      await beside(rig, 'consumer', () => executeTasks(rig));
    }),
  ],
};

function caseOf(name: AppName, note: string, load: (rig: Rig, url: string) => Promise<void>): Case {
  const measure = async (rig: Rig): Promise<Metrics> => {
    await rig.empty();
    return beside(rig, name, async (app, readyS) => {
      await pause(IDLE_S * 1_000);
      const idleMib = rssMibOf(app.pid);
      await load(rig, app.url);
      return { readyS, idleMib, loadedMib: rssMibOf(app.pid) };
    });
  };
  return { variant: '', row: name, title: `apps/${name}`, note, measure };
}

/** While an application runs. */
async function beside<Result>(
  rig: Rig,
  name: AppName,
  use: (app: AppProcess, readyS: number) => Promise<Result>,
): Promise<Result> {
  const app = await AppProcess.start(name, {
    RABBITMQ_URL: rig.rabbitUrl,
    QUEUE_NAME: rig.queueName,
    LOGGER_NAME: `${rig.queueName}-logs`,
    LOG_LEVEL: 'warn',
    LOGGER_SINKS: 'stdout:info,critical',
  });
  try {
    return await use(app, await app.untilReady());
  } finally {
    await app.stop();
  }
}

async function post(_rig: Rig, url: string): Promise<void> {
  const params = { url: `${url}/v1/tasks`, itemCount: 1, connections: CONNECTIONS, seconds: POSTS_S };
  await Role.run<Loaded>('load', params satisfies LoadParams);
}

async function executeTasks(rig: Rig): Promise<void> {
  const target = await rig.target(false);
  await Role.run('fill', { ...target, form: 'sleep', bytes: 0, count: TASK_COUNT } satisfies FillParams);
  while ((await rig.waitingCount()) > 0) await pause(LOOK_EVERY_MS);
}
