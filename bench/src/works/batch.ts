import type { Rig } from '../rig';
import { measureLoad, mercuryServer } from './http';
import { CPU, MEMORY, RATE, type Metrics, type Work } from './work';

const ITEMS = 1_000;
/** Each with a batch: as many tasks as a publisher keeps unconfirmed, several times over. */
const BATCH_CONNECTIONS = 4;
const SINGLE_CONNECTIONS = 64;
const WARM_UP_S = 3;
const MEASURED_S = 8;

export const batch: Work = {
  name: 'batch',
  title: 'HTTP batch: 1,000 tasks per request, beside one task per request',
  baseline: 'single',
  columns: [RATE, { ...CPU, heading: 'server CPU µs/task' }, MEMORY],
  isInShort: false,
  casesOf: () => [
    {
      variant: '',
      row: 'batch',
      title: 'Mercury, batches of 1,000',
      note: `${BATCH_CONNECTIONS} connections`,
      measure: (rig: Rig) => measure(rig, '/v1/tasks/batch', ITEMS, BATCH_CONNECTIONS),
    },
    {
      variant: '',
      row: 'single',
      title: 'Mercury, one by one',
      note: `${SINGLE_CONNECTIONS} connections`,
      measure: (rig: Rig) => measure(rig, '/v1/tasks', 1, SINGLE_CONNECTIONS),
    },
  ],
};

async function measure(rig: Rig, path: string, itemCount: number, connections: number): Promise<Metrics> {
  await rig.empty();
  const server = await mercuryServer(rig);
  try {
    const loaded = await measureLoad(server, { url: server.url + path, itemCount, connections }, WARM_UP_S, MEASURED_S);
    const { ratePerS = NaN, cpuUsPerRequest = NaN, rssMib = NaN } = loaded;
    return { ratePerS: ratePerS * itemCount, cpuUsPerTask: cpuUsPerRequest / itemCount, rssMib };
  } finally {
    await server.stop();
  }
}
