import type { Fault } from '../fault';
import { letPass, until } from '../wait';
import { putWith } from '../load';

const HEARTBEAT_MS = 15_000;
const MOST_NOTICE_MS = 2.5 * HEARTBEAT_MS;

export const tcpReset: Fault = {
  name: 'tcp-reset',
  title: 'All connections reset every 0.5 to 3 s',
  async run(scene) {
    const tasks = scene.amount(20_000, 1_200);
    const { proxy, url } = await scene.proxy();
    const crew = await scene.crew({ rabbitUrl: url });
    const client = scene.client(url);
    const load = scene.load({ tasks, perSecond: 300, body: () => ({ ms: 20 }) }, putWith(client));
    let resets = 0;
    for (; load.running; resets++) {
      await letPass(500 + Math.random() * 2_500);
      proxy.resetAll();
    }
    await load.done;
    return {
      dose: `${tasks} tasks, ${resets} resets of every connection`,
      bound: { duplicates: resets * crew.members.length * scene.capacity },
      notes: [`${scene.puts.unknown.size} puts with an unknown outcome`],
    };
  },
};

export const blackHole: Fault = {
  name: 'black-hole',
  title: 'A network that swallows everything, without closing a connection',
  inShort: false,
  async run(scene) {
    const tasks = scene.amount(20_000, 2_000);
    const { proxy, url } = await scene.proxy();
    const crew = await scene.crew({ rabbitUrl: url });
    const client = scene.client(url);
    const load = scene.load({ tasks, perSecond: 300, body: () => ({ ms: 20 }) }, putWith(client));
    await load.confirmed(tasks / 4);
    const links = proxy.openLinks;
    const silenceMs = 30_000;
    proxy.beginSilence();
    await letPass(silenceMs);
    // Silence goes on until everybody has noticed: else its end would be what they notice.
    const noticed = () => proxy.noticedAfterMs.length >= links;
    await until('every connection is given up', noticed, 60_000).catch(() => undefined);
    const late = proxy.noticedAfterMs.filter((ms) => ms > MOST_NOTICE_MS).length + links - proxy.noticedAfterMs.length;
    proxy.endSilence();
    const recoveredMs = await scene.recoveredAfterMs(Date.now());
    await load.done;
    const longestS = (Math.max(0, ...proxy.noticedAfterMs) / 1000).toFixed(1);
    return {
      dose: `${tasks} tasks, one silence of at least ${silenceMs / 1000} s`,
      bound: { duplicates: crew.members.length * scene.capacity },
      recoveriesMs: [recoveredMs],
      notes: [`${links} connections, given up after at most ${longestS} s`],
      violations: late > 0 ? [`${late} of ${links} connections not given up within ${MOST_NOTICE_MS / 1000} s`] : [],
    };
  },
};
