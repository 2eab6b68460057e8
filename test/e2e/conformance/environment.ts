import { readFileSync } from 'node:fs';
import { Connection, type Connections } from '@mercury/messaging';
import { MemoryBroker } from '@mercury/messaging/testing';
import { acquireBroker, type Broker } from '../../../tools/broker';
import { BROKER_VERSIONS } from '../../../tools/broker/find-broker';
import { Proxy } from '../../faults/proxy';
import { rabbitUrl } from '../../support/rabbit';
import { until } from '../../support/until';

/** The connections of one program. */
export interface Program {
  readonly connections: Connections;
  /** Loses them, without a word to the broker. They come back by themselves. */
  cut(): void;
  close(): Promise<void>;
}

/** Something that Mercury can work on: a real broker, or what stands for one in tests. */
export interface Environment {
  readonly name: string;
  open(): Promise<void>;
  close(): Promise<void>;
  connect(): Promise<Program>;
  /** By the clock that tasks go by. */
  nowMs(): number;
  /** Resolves once it holds, however much of that time it takes. Fails at a deadline. */
  until(what: string, holds: () => boolean | Promise<boolean>): Promise<void>;
}

const STEP_MS = 20;
const LONGEST_WAIT_MS = 15_000;

class Memory implements Environment {
  readonly name = 'in memory';
  private broker = new MemoryBroker();

  async open(): Promise<void> {}

  async close(): Promise<void> {}

  async connect(): Promise<Program> {
    const connections = this.broker.connect();
    return { connections, cut: () => connections.cut(), close: () => connections.close() };
  }

  nowMs(): number {
    return this.broker.clock.nowMs();
  }

  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    // What waits by the time of the process, such as a worker for its next try, has to get some of it.
    await until(
      what,
      async () => {
        if (await holds()) return true;
        await this.broker.advance(STEP_MS, { whileBusy: true });
        return false;
      },
      LONGEST_WAIT_MS,
    );
  }
}

class Real implements Environment {
  private broker: Broker | undefined;
  private proxies: Proxy[] = [];
  private url = '';

  /** @param from where its programs come from; undefined for the broker of this run. */
  constructor(
    readonly name: string,
    private readonly from?: string,
  ) {}

  async open(): Promise<void> {
    if (this.from !== undefined) {
      this.broker = await acquireBroker({ from: this.from, log: (line) => process.stderr.write(`${line}\n`) });
    }
    this.url = this.broker?.amqpUrl ?? rabbitUrl();
  }

  async close(): Promise<void> {
    await this.broker?.release();
  }

  async connect(): Promise<Program> {
    const proxy = await Proxy.open(Number(new URL(this.url).port || 5672));
    this.proxies.push(proxy);
    const url = new URL(this.url);
    url.host = `127.0.0.1:${proxy.port}`;
    const [publishing, consuming] = ['publishing', 'consuming'].map((use) =>
      Connection.open({ urls: [url.href] }, use),
    );
    return {
      connections: { publishing: publishing!, consuming: consuming! },
      cut: () => void proxy.resetAll(),
      close: async () => {
        await Promise.all([publishing!.close(), consuming!.close()]);
        await proxy.close();
      },
    };
  }

  nowMs(): number {
    return Date.now();
  }

  until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    return until(what, holds, LONGEST_WAIT_MS);
  }
}

/** Debian's packages have the oldest and the newest version that Mercury supports; elsewhere it is the broker of this run. */
export function environments(): Environment[] {
  const isDebian = /^ID=debian$/m.test(readOrNothing('/etc/os-release'));
  const versions = Object.entries(BROKER_VERSIONS).map(([version, from]) => new Real(`on RabbitMQ ${version}`, from));
  return [new Memory(), ...(isDebian ? versions : [new Real('on the RabbitMQ of this run')])];
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
