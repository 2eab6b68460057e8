import { randomBytes } from 'node:crypto';
import type { Found } from './checker';
import type { FaultBroker } from './fault-broker';
import { takeAll } from './remains';
import { until } from './wait';

/** A part of the broker for one fault alone, as its operator sees it. */
export class VirtualHost {
  private constructor(
    private readonly broker: FaultBroker,
    private readonly name: string,
  ) {}

  static async create(broker: FaultBroker, prefix: string): Promise<VirtualHost> {
    const name = `${prefix}-${randomBytes(3).toString('hex')}`;
    await broker.management.createVirtualHost(name);
    return new VirtualHost(broker, name);
  }

  /** One per node. */
  get urls(): readonly string[] {
    return this.broker.urlsOf(this.name);
  }

  /** The nodes that hold a quorum queue and are up, its leader first; undefined while it has none. */
  membersOf(queue: string): Promise<string[] | undefined> {
    return this.broker.management.membersOf(this.name, queue);
  }

  /** Messages per queue; undefined where the broker has not counted yet. */
  depths(): Promise<Map<string, number | undefined>> {
    return this.broker.management.depths(this.name);
  }

  /** How many messages a queue holds, also those that a passive declare does not show. */
  async depth(queue: string): Promise<number> {
    let messages: number | undefined;
    const isCounted = async () => (messages = (await this.depths()).get(queue)) !== undefined;
    await until(`the broker has counted ${queue}`, isCounted, 15_000, 100);
    return messages ?? 0;
  }

  /** The deepest of the queues whose names the broker chose: those of loggers. */
  async deepestUnnamed(): Promise<number> {
    const unnamed = [...(await this.depths())].filter(([queue]) => queue.startsWith('amq.gen'));
    return Math.max(0, ...unnamed.map(([, messages]) => messages ?? 0));
  }

  /** Limits a queue by a policy, without touching what it was declared with. Resolves once it is in force. */
  async limit(queue: string, mostMessages: number): Promise<void> {
    const definition = { 'max-length': mostMessages, overflow: 'reject-publish' };
    const policy = { pattern: `^${queue.replaceAll('.', '\\.')}$`, definition, 'apply-to': 'queues' };
    await this.broker.management.request('PUT', `policies/${this.name}/limit`, policy);
    await until('the policy is in force', async () => {
      const found = await this.broker.management.request('GET', `queues/${this.name}/${queue}`);
      return (found as { policy?: string }).policy === 'limit';
    });
  }

  async deleteQueue(queue: string): Promise<void> {
    await this.broker.management.request('DELETE', `queues/${this.name}/${queue}`);
  }

  /** Takes everything out of those of the queues that exist. */
  async take(...queues: readonly string[]): Promise<Found[]> {
    const existing = await this.depths();
    const wanted = queues.filter((queue) => existing.has(queue));
    return takeAll(this.urls[0] ?? '', wanted);
  }

  async delete(): Promise<void> {
    await this.broker.management.deleteVirtualHost(this.name);
  }
}
