import { setTimeout as pause } from 'node:timers/promises';
import { startMeter, type Usage } from '../meter';
import { PEERS, type PeerName } from '../peers';
import type { Receiver, Target } from '../peers/peer';
import { play } from './child';

export interface HandleParams extends Target {
  peer: PeerName;
  capacity: number;
  /** Handled before anything is measured. */
  warmUpCount: number;
  /** In the queue already, after those. */
  count: number;
}

const LAST_ACKS_MS = 300;

/** Executes what is in the queue, each task a no-op, from the first measured task to the last. */
play<HandleParams, Usage>(async ({ peer: name, capacity, warmUpCount, count, ...target }, bench) => {
  const { peer } = await PEERS[name].load();
  bench.ready();
  await bench.until('go');
  const { promise: handledAll, onTask } = measure(warmUpCount, count);
  const receiver: Receiver = await peer.openReceiver(target, capacity, onTask);
  const usage = await handledAll;
  // A quorum queue under load holds acks back for a moment, and a channel that closes by then gives its tasks back.
  await pause(LAST_ACKS_MS);
  // Only what was acked is gone from the queue: the benchmark looks.
  await receiver.close();
  return usage;
});

function measure(warmUpCount: number, count: number) {
  let onTask: () => void = () => undefined;
  const promise = new Promise<Usage>((resolve) => {
    let handled = 0;
    let stopMeter: () => Usage;
    onTask = () => {
      handled += 1;
      if (handled === warmUpCount) stopMeter = startMeter();
      // After the acks that this turn of the event loop still brings.
      else if (handled === warmUpCount + count) setImmediate(() => resolve(stopMeter()));
    };
  });
  return { promise, onTask };
}
