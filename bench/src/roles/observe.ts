import { build } from 'hdr-histogram-js';
import { nowMs, type Stretch } from '../clock';
import { PEERS, type PeerName } from '../peers';
import type { Target } from '../peers/peer';
import { play } from './child';

export interface ObserveParams extends Target {
  peer: PeerName;
  capacity: number;
  /** Received before anything is measured. */
  warmUpCount: number;
  count: number;
}

export interface Observed extends Stretch {
  p50Ms: number;
  p99Ms: number;
  p999Ms: number;
  mostMs: number;
  /** The longest time in which nothing arrived. */
  longestGapMs: number;
}

/** Measures how long tasks took from the moment they were due to be put until their handler began. */
play<ObserveParams, Observed>(async ({ peer: name, capacity, warmUpCount, count, ...target }, bench) => {
  const { peer } = await PEERS[name].load();
  const histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 600_000_000,
    numberOfSignificantValueDigits: 3,
  });
  let received = 0;
  let fromMs = 0;
  let lastAtMs = 0;
  let longestGapMs = 0;
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const receiver = await peer.openReceiver(target, capacity, (read) => {
    const atMs = nowMs();
    const { atMs: putAtMs } = read() as { atMs: number };
    received += 1;
    if (received > warmUpCount) {
      histogram.recordValue(Math.max(1, Math.round((atMs - putAtMs) * 1_000)));
      longestGapMs = Math.max(longestGapMs, atMs - lastAtMs);
    }
    if (received === warmUpCount) fromMs = atMs;
    lastAtMs = atMs;
    if (received === warmUpCount + count) end();
  });
  bench.ready();
  await ended;
  await receiver.close();
  const msAt = (percentile: number) => histogram.getValueAtPercentile(percentile) / 1_000;
  return {
    fromMs,
    toMs: lastAtMs,
    p50Ms: msAt(50),
    p99Ms: msAt(99),
    p999Ms: msAt(99.9),
    mostMs: msAt(100),
    longestGapMs,
  };
});
