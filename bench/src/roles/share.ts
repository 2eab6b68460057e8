import { nowMs } from '../clock';
import { PEERS, type PeerName } from '../peers';
import type { Target } from '../peers/peer';
import { play } from './child';

export interface ShareParams extends Target {
  peer: PeerName;
  capacity: number;
}

export interface Share {
  count: number;
  firstAtMs: number;
  lastAtMs: number;
  cpuUs: number;
}

/** One of several workers of a queue: executes what it gets, each task a no-op, until it is told that nothing is left. */
play<ShareParams, Share>(async ({ peer: name, capacity, ...target }, bench) => {
  const { peer } = await PEERS[name].load();
  bench.ready();
  await bench.until('go');
  const share = { count: 0, firstAtMs: Infinity, lastAtMs: 0 };
  const cpu = process.cpuUsage();
  const receiver = await peer.openReceiver(target, capacity, () => {
    share.count += 1;
    share.lastAtMs = nowMs();
    share.firstAtMs = Math.min(share.firstAtMs, share.lastAtMs);
  });
  await bench.until('stop');
  const { user, system } = process.cpuUsage(cpu);
  await receiver.close();
  return { ...share, cpuUs: user + system };
});
