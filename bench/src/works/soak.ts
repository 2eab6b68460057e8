import { rssMibOf } from '../proc';
import { measuredDuring } from '../profiling';
import { slopeOf } from '../report/statistics';
import type { Rig } from '../rig';
import { Role } from '../role';
import type { Observed, ObserveParams } from '../roles/observe';
import type { ProduceParams } from '../roles/produce';
import type { Metrics, Work } from './work';

const RATE_PER_S = 1_000;
const SECONDS = 600;
/** In which memory still grows to its size: JIT, heap, buffers. */
const WARM_UP_S = 120;
const SAMPLE_EVERY_S = 2;

export const soak: Work = {
  name: 'soak',
  title: `Soak: ${SECONDS / 60} minutes at ${RATE_PER_S.toLocaleString('en')}/s; memory grows by so much after the first ${WARM_UP_S / 60}`,
  baseline: '',
  columns: [
    { metric: 'senderMibPerMin', heading: 'client MiB/min', digits: 2, hasRatio: false },
    { metric: 'receiverMibPerMin', heading: 'worker MiB/min', digits: 2, hasRatio: false },
    { metric: 'senderMib', heading: 'client MiB', digits: 0, hasRatio: false },
    { metric: 'receiverMib', heading: 'worker MiB', digits: 0, hasRatio: false },
    { metric: 'mostMs', heading: 'slowest ms', digits: 0, hasRatio: false },
    { metric: 'longestGapMs', heading: 'longest gap ms', digits: 0, hasRatio: false },
  ],
  isInShort: false,
  mostRounds: 1,
  casesOf: () => [{ variant: '', row: 'mercury', title: 'Mercury', note: '', measure }],
};

async function measure(rig: Rig): Promise<Metrics> {
  await rig.empty();
  const target = await rig.target(false);
  const count = RATE_PER_S * SECONDS;
  const warmUpCount = RATE_PER_S;
  const receiving: ObserveParams = {
    ...target,
    peer: 'mercury',
    capacity: 100,
    warmUpCount,
    count: count - warmUpCount,
  };
  const sending: ProduceParams = { ...target, peer: 'mercury', bytes: 256, warmUpCount, ratePerS: RATE_PER_S, count };
  const receiver = new Role('observe', receiving);
  await receiver.untilReady();
  const sender = new Role('produce', sending);
  await sender.untilReady();
  sender.say('go');
  const memory = watchMemory({ sender: sender.pid, receiver: receiver.pid });
  try {
    await sender.untilDone();
    memory.stop();
    const observed = await receiver.untilDone<Observed>();
    measuredDuring(observed);
    const { mostMs, longestGapMs } = observed;
    return { ...memory.result(), mostMs, longestGapMs };
  } finally {
    memory.stop();
  }
}

function watchMemory(pids: { sender: number; receiver: number }) {
  const startedAtMs = performance.now();
  const points = { sender: [] as [number, number][], receiver: [] as [number, number][] };
  const timer = setInterval(() => {
    const minutes = (performance.now() - startedAtMs) / 60_000;
    // The last look may come when a process has just ended.
    for (const name of ['sender', 'receiver'] as const) {
      const mib = rssMibOf(pids[name]);
      if (minutes * 60 >= WARM_UP_S && mib > 0) points[name].push([minutes, mib]);
    }
  }, SAMPLE_EVERY_S * 1_000);
  return {
    stop: () => clearInterval(timer),
    result: () => ({
      senderMibPerMin: slopeOf(points.sender),
      receiverMibPerMin: slopeOf(points.receiver),
      senderMib: points.sender.at(-1)?.[1] ?? NaN,
      receiverMib: points.receiver.at(-1)?.[1] ?? NaN,
    }),
  };
}
