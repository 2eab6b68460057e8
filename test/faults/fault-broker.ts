import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { acquireBroker, type Broker } from '../../tools/broker';
import { run } from '../../tools/broker/child';
import { Management } from './management';
import { until } from './wait';

/** Which packages a broker is unpacked from, per version that is supported. */
export const BROKER_VERSIONS = { '4.3': 'unpacked:sid', '3.10': 'unpacked:bookworm' } as const;
export type BrokerVersion = keyof typeof BROKER_VERSIONS;

const FOR_LATER_STARTS = '[{rabbit, [{quorum_tick_interval, 500}]}].\n';

/** A real RabbitMQ that belongs to the suite, and may be stopped, killed and starved. */
export class FaultBroker {
  readonly management: Management;

  private constructor(
    readonly broker: Broker,
    /** That of the broker's own process: names its folders, ports and cookie, so rabbitmqctl finds it. */
    private readonly environment: Record<string, string>,
  ) {
    this.management = new Management(broker.managementUrl);
  }

  static async open(version: BrokerVersion, log: (line: string) => void): Promise<FaultBroker> {
    process.env['MERCURY_BROKER'] = BROKER_VERSIONS[version];
    const broker = await acquireBroker({ log });
    try {
      const opened = new FaultBroker(broker, await environmentOf(new Management(broker.managementUrl)));
      // Queues declared from now on count themselves twice a second instead of every 5 s.
      await opened.control('eval', 'application:set_env(rabbit, quorum_tick_interval, 500).');
      writeFileSync(opened.environment['RABBITMQ_ADVANCED_CONFIG_FILE'] ?? '', FOR_LATER_STARTS);
      return opened;
    } catch (error) {
      await broker.release();
      throw error;
    }
  }

  get version(): string {
    return this.broker.version;
  }

  urlOf(virtualHost: string): string {
    const url = new URL(this.broker.amqpUrl);
    url.pathname = virtualHost;
    return url.href;
  }

  /** `rabbitmqctl`, as its operator would use it. */
  control(...args: string[]): Promise<string> {
    const program = join(this.environment['ERL_LIBS'] ?? '', '../sbin/rabbitmqctl');
    return run(program, args, { env: this.environment });
  }

  /** Whether it can be used for the next fault. */
  async works(): Promise<boolean> {
    return this.management.request('GET', 'overview').then(
      () => true,
      () => false,
    );
  }
}

async function environmentOf(management: Management): Promise<Record<string, string>> {
  let processId: number | undefined;
  await until('the broker knows its process', async () => (processId = await management.processId()) !== undefined);
  const variables = readFileSync(`/proc/${processId}/environ`, 'utf8').split('\0').filter(Boolean);
  return Object.fromEntries(
    variables.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}
