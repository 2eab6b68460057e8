import { acquireBroker, type Broker } from '../../../tools/broker';
import { Processes, type ProjectProcess } from '../../support/processes';

const BROKER_TIMEOUT_MS = 120_000;
const DOWN = 'BROKER_UNREACHABLE';

const processes = new Processes();
/** One of its own: these tests take it away from everybody who uses it. */
let broker: Broker | undefined;

// New for each test: so is the queue.
beforeEach(async () => {
  broker = await acquireBroker();
  processes.env['RABBITMQ_URL'] = broker.amqpUrl;
}, BROKER_TIMEOUT_MS);

afterEach(() => broker?.release(), BROKER_TIMEOUT_MS);

it(
  'has every confirmed task after a restart of the broker',
  async () => {
    const sender = await processes.run('example', '08-durability', 'send', '5');
    expect(sender.stdout).toEqual([...numbered('Confirmed', 5), 'All 5 tasks are confirmed']);
    await broker?.stop();
    await broker?.start();
    const receiver = await stays();
    await receiver.until('Received 5');
    expect(receiver.stdout.slice(1)).toEqual(numbered('Received', 5));
  },
  BROKER_TIMEOUT_MS,
);

it(
  'has every confirmed task after the broker was killed, in the middle of sending and of receiving',
  async () => {
    const receiver = await stays();
    const sender = processes.start('example', '08-durability', 'send', '40', '50');
    await Promise.all([sender.until('Confirmed 10'), receiver.until('Received 10')]);
    await broker?.kill();
    // Down for longer than a put waits: the sender has to put that task again.
    await Promise.all([sender.until('with the same id'), receiver.until(DOWN)]);
    await broker?.start();

    expect(await sender.exit).toBe(0);
    expect(confirmedBy(sender)).toEqual(numbered('Confirmed', 40));
    await Promise.all(numbered('Received', 40).map((line) => receiver.until(new RegExp(`^${line}( again)?$`))));
    receiver.signal('SIGTERM');
    expect(await receiver.exit).toBe(0);
  },
  BROKER_TIMEOUT_MS,
);

async function stays(): Promise<ProjectProcess> {
  const receiver = processes.start('example', '08-durability', 'receive');
  await receiver.until('Waiting for tasks');
  return receiver;
}

const numbered = (word: string, count: number) => Array.from({ length: count }, (_, index) => `${word} ${index + 1}`);

const confirmedBy = (sender: ProjectProcess) => sender.stdout.filter((line) => line.startsWith('Confirmed'));
