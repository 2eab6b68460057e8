import { connect } from 'amqplib';
import { EXCHANGE } from '@mercury/messaging';
import type { Fault } from '../fault';
import type { Put } from '../load';
import type { Scene } from '../scene';
import { letPass, until } from '../wait';

/** Programs with the bugs that this suite is about. Each passes only when the checker finds what it does wrong. */

export const earlyAck: Fault = {
  name: 'sees-early-ack',
  title: 'Proof: a worker that acks before the work, killed (-9)',
  mustFindViolation: /confirmed tasks lost/,
  async run(scene) {
    const tasks = scene.amount(5_000, 1_000);
    await declareQueue(scene);
    const crew = await scene.crew({ rabbitUrl: scene.url }, 'proofs/early-ack-process.js', 2);
    const load = scene.load({ tasks, body: () => ({ ms: 100 }), perSecond: 500 });
    const kills = 3;
    for (let kill = 0; kill < kills; kill++) {
      await letPass(500);
      await crew.killRandom();
    }
    await load.done;
    return { dose: `${tasks} tasks, ${kills} kills`, bound: { duplicates: kills * scene.capacity } };
  },
};

export const skippedConfirm: Fault = {
  name: 'sees-skipped-confirm',
  title: 'Proof: a publisher that does not wait for the confirm, broker killed (-9)',
  // Two broker starts: half a minute.
  inShort: false,
  mustFindViolation: /confirmed tasks lost/,
  async run(scene) {
    await declareQueue(scene);
    // RabbitMQ writes down only later that a quorum queue exists: one that is killed with its node within its first seconds
    // comes back empty, on 3.10 even without a leader, for good. That would be another loss than the one to be seen here.
    await scene.broker.stop();
    await scene.broker.start();
    await declareQueue(scene);
    const connection = await connect(scene.url);
    connection.on('error', () => undefined);
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    const put: Put = async (body, messageId) => {
      const content = Buffer.from(JSON.stringify(body));
      const properties = { messageId, type: 'work', deliveryMode: 2 };
      channel.publish(EXCHANGE.tasks, scene.queueName, content, properties);
      await letPass(1);
      return 'confirmed';
    };
    const load = scene.load({ tasks: Infinity, perSecond: 2_000, concurrency: 50 }, put);
    await letPass(1_500);
    await scene.broker.kill();
    await load.stop().catch(() => undefined);
    await scene.broker.start();
    await scene.crew();
    return { dose: `${scene.puts.confirmedAtMs.size} tasks, 1 kill`, bound: { duplicates: 0 } };
  },
};

export const requeueLoop: Fault = {
  name: 'sees-requeue-loop',
  title: "Proof: golevelup's own subscriber, whose handler fails",
  mustFindViolation: /did not run 3 times; the most was/,
  async run(scene) {
    const tasks = 20;
    await declareQueue(scene);
    const crew = await scene.crew({ rabbitUrl: scene.url }, 'proofs/golevelup-process.js', 1);
    await scene.load({ tasks, body: () => ({ fail: true }) }).done;
    const most = () => Math.max(0, ...scene.work.read().runs.values());
    await until('a task has run far too often', () => most() > 2 * scene.maxAttempts);
    await crew.stop();
    return { dose: `${tasks} tasks that fail`, bound: { duplicates: 0, dead: tasks, runsEach: scene.maxAttempts } };
  },
};

export const deafConsumer: Fault = {
  name: 'sees-deaf-consumer',
  title: "Proof: golevelup's own subscriber, after its queue was deleted and declared again",
  inShort: false,
  mustFindViolation: /tasks still queued at the end/,
  async run(scene) {
    const tasks = 20;
    await declareQueue(scene);
    const crew = await scene.crew({ rabbitUrl: scene.url }, 'proofs/golevelup-process.js', 1);
    await scene.load({ tasks }).done;
    await until('they are executed', () => scene.work.read().finishedAtMs.size === tasks);
    await scene.host.deleteQueue(scene.queueName);
    await declareQueue(scene);
    await scene.load({ tasks }).done;
    // For comparison: the worker of this library consumes again within 5 s.
    await letPass(scene.amount(5_000, 2_000));
    await crew.stop();
    return { dose: `${tasks} tasks before and ${tasks} after it`, bound: { duplicates: 0 } };
  },
};

async function declareQueue(scene: Scene): Promise<void> {
  const client = scene.client();
  client.start();
  await until('the queue is declared', () => client.problem === undefined);
}
