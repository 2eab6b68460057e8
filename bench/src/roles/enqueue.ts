import { bodyOf } from '../body';
import { startMeter, type Usage } from '../meter';
import { PEERS, type PeerName } from '../peers';
import type { Target } from '../peers/peer';
import { play } from './child';

export interface EnqueueParams extends Target {
  peer: PeerName;
  bytes: number;
  /** Put before anything is measured. */
  warmUpCount: number;
  count: number;
  /** Not yet confirmed, at any moment. */
  outstanding: number;
}

/** Puts tasks in a sliding window: each confirm lets the next one go, so that there is never a pause between batches. */
play<EnqueueParams, Usage>(async ({ peer: name, bytes, warmUpCount, count, outstanding, ...target }, bench) => {
  const { peer } = await PEERS[name].load();
  const sender = await peer.openSender(target);
  const body = bodyOf(bytes);
  bench.ready();
  await bench.until('go');
  const usage = await new Promise<Usage>((resolve, reject) => {
    let sent = 0;
    let confirmed = 0;
    let stopMeter: () => Usage;
    const sendNext = () => {
      sent += 1;
      sender.send(body, onConfirmed);
    };
    const onConfirmed = (error?: unknown) => {
      if (error) return reject(error instanceof Error ? error : new Error('A task was not stored.'));
      confirmed += 1;
      if (confirmed === warmUpCount) stopMeter = startMeter();
      if (confirmed === warmUpCount + count) return resolve(stopMeter());
      // The window stays full to the end of what is measured.
      if (sent < warmUpCount + count + outstanding) sendNext();
    };
    for (let index = 0; index < outstanding; index++) sendNext();
  });
  await sender.close();
  return usage;
});
