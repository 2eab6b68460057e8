import { acquireBroker, type Broker } from '../../tools/broker';

declare global {
  // Jest's setup and teardown share nothing else.
  var mercuryTestBroker: Broker | undefined;
}

/** One private broker for the whole e2e run; each test uses queues of its own. RABBITMQ_URL, if set, is used instead. */
export default async function startBroker(): Promise<void> {
  if (process.env['RABBITMQ_URL']) return;
  const broker = await acquireBroker({ log: (line) => process.stderr.write(`${line}\n`) });
  globalThis.mercuryTestBroker = broker;
  process.env['RABBITMQ_URL'] = broker.amqpUrl;
  process.env['RABBITMQ_MANAGER_URL'] = broker.managementUrl;
}
