import type { WorkerClient } from '@mercury/messaging';
import { EXCHANGE } from '@mercury/messaging';
import type { Fault } from '../fault';
import { putWith, type Put } from '../load';

const ONE_IN = 100;

export const unencodable: Fault = {
  name: 'unencodable',
  title: '1 % of the puts cannot be written as JSON or as AMQP',
  inShort: false,
  async run(scene) {
    const tasks = scene.amount(50_000, 5_000);
    await scene.crew();
    const client = scene.client();
    const good = putWith(client);
    let puts = 0;
    const put: Put = (body, id) => (++puts % ONE_IN === 0 ? putBadly(client, id, puts / ONE_IN) : good(body, id));
    const load = scene.load({ tasks, concurrency: 500 }, put);
    await load.done;
    const bad = Math.floor(puts / ONE_IN);
    const known = scene.puts.refused.size + scene.puts.unknown.size;
    return {
      dose: `${tasks} tasks, ${bad} that cannot be encoded`,
      bound: { duplicates: 0 },
      violations: [
        ...(scene.puts.unknown.size > 0 ? [`${scene.puts.unknown.size} puts ended unknown, with nothing broken`] : []),
        ...(known === bad ? [] : [`${known} puts failed, where ${bad} could not be encoded`]),
      ],
    };
  },
};

/** Bodies that the codec refuses, and by turns a header that gets past it and makes amqplib throw in mid-publish. */
async function putBadly(client: WorkerClient, id: string, turn: number): Promise<'confirmed' | 'refused' | 'unknown'> {
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  const bodies: object[] = [cycle, { amount: 1n }, { toJSON: () => undefined }];
  const body = bodies[turn % 6];
  if (body) return putWith({ put: (_body, options) => client.put(body, options) })({}, id);
  const publish = async () => {
    await client['publisher'].publish({
      exchange: EXCHANGE.tasks,
      routingKey: client.queueName,
      content: Buffer.from('{}'),
      properties: { messageId: id, type: 'work', mandatory: true, headers: { unwritable: Symbol('no AMQP type') } },
    });
    return id;
  };
  return putWith({ put: publish })({}, id);
}
