import { bodyOf } from '../body';
import { nowMs } from '../clock';
import { PEERS, type PeerName } from '../peers';
import type { Target } from '../peers/peer';
import { play } from './child';

export interface ProduceParams extends Target {
  peer: PeerName;
  bytes: number;
  /** Put before anything is measured, faster than what follows where that is slow. */
  warmUpCount: number;
  ratePerS: number;
  /** Of all, the warm-up included. */
  count: number;
}

const WARM_UP_RATE_PER_S = 1_000;
/** Node's timers are late by up to so much, for all peers alike. */
const TIMER_TOLERANCE_MS = 1.5;
/** JSON of `,"atMs":1796112000000.123`. */
const STAMP_BYTES = 25;

/**
 * Puts tasks at a fixed rate, whatever becomes of them: each is due at its own moment, also when those before it are late,
 * and is stamped with that moment when this process could not keep to it. So a standstill counts for every task that
 * it held up.
 */
play<ProduceParams, void>(async ({ peer: name, bytes, warmUpCount, ratePerS, count, ...target }, bench) => {
  const { peer } = await PEERS[name].load();
  const sender = await peer.openSender(target);
  const body = bodyOf(bytes - STAMP_BYTES);
  bench.ready();
  await bench.until('go');
  await new Promise<void>((resolve, reject) => {
    const startMs = nowMs();
    const warmUpMs = (warmUpCount * 1_000) / WARM_UP_RATE_PER_S;
    const dueMsOf = (index: number) =>
      index < warmUpCount
        ? startMs + (index * 1_000) / WARM_UP_RATE_PER_S
        : startMs + warmUpMs + ((index - warmUpCount) * 1_000) / ratePerS;
    let sent = 0;
    let confirmed = 0;
    const onConfirmed = (error?: unknown) => {
      if (error) return reject(error instanceof Error ? error : new Error('A task was not stored.'));
      confirmed += 1;
      if (confirmed === count) resolve();
    };
    const sendDue = () => {
      for (let atMs = nowMs(); sent < count && dueMsOf(sent) <= atMs; atMs = nowMs()) {
        const dueMs = dueMsOf(sent);
        sent += 1;
        sender.send({ ...body, atMs: atMs - dueMs > TIMER_TOLERANCE_MS ? dueMs : atMs }, onConfirmed);
      }
      if (sent < count) setTimeout(sendDue, dueMsOf(sent) - nowMs());
    };
    sendDue();
  });
  await sender.close();
});
