import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { WorkerClient, deadQueueOf, type WorkerOptions } from '@mercury/messaging';
import { settleAccounts, type Found, type Verdict } from './checker';
import type { Child } from './child';
import { Crew } from './crew';
import type { FaultBroker } from './fault-broker';
import type { Bound } from './fault';
import { PutLedger, WorkLedger } from './ledger';
import { Load, putWith, type LoadOptions, type Put } from './load';
import { Proxy } from './proxy';
import { VirtualHost } from './virtual-host';
import { letPass, until } from './wait';

const CAPACITY = 20;
const SETTLE_TIMEOUT_MS = 120_000;
/** Empty for so long although tasks are missing: they are nowhere. */
const EMPTY_TIMEOUT_MS = 4_000;

export interface SceneOptions {
  name: string;
  broker: FaultBroker;
  folder: string;
  short: boolean;
  log: (line: string) => void;
}

/** What one fault works with: a virtual host and ledgers of its own, and everything that has to be cleaned up after it. */
export class Scene {
  readonly queueName = 'work';
  readonly retryDelaysMs: readonly number[] = [500, 1_000];
  readonly capacity = CAPACITY;
  readonly maxAttempts = 3;
  readonly puts = new PutLedger();
  readonly work: WorkLedger;
  readonly crews: Crew[] = [];
  /** Programs beside the workers, such as the applications. */
  readonly others: Child[] = [];
  /** Dead letters that were taken out of the dead queue meanwhile. */
  readonly takenDead: Found[] = [];
  /** What this process itself did not catch. */
  readonly unhandled: string[] = [];
  private readonly cleanups: (() => unknown)[] = [];
  private readonly loads: Load[] = [];

  private constructor(
    private readonly options: SceneOptions,
    readonly host: VirtualHost,
  ) {
    mkdirSync(options.folder, { recursive: true });
    this.work = new WorkLedger(options.folder);
  }

  static async open(options: SceneOptions): Promise<Scene> {
    return new Scene(options, await VirtualHost.create(options.broker, options.name));
  }

  get broker(): FaultBroker {
    return this.options.broker;
  }

  get folder(): string {
    return this.options.folder;
  }

  /** Of the first node. */
  get url(): string {
    return this.urls[0] ?? '';
  }

  /** Of all nodes. */
  get urls(): readonly string[] {
    return this.host.urls;
  }

  /** Undone in the reverse order when the fault is over, however it ends. */
  defer(cleanup: () => unknown): void {
    this.cleanups.push(cleanup);
  }

  log(line: string): void {
    this.options.log(`  ${line}`);
  }

  /** The dose of this run. */
  amount(full: number, short: number): number {
    return this.options.short ? short : full;
  }

  /** Workers of a fault: four in the full run. */
  async crew(
    options: Partial<WorkerOptions> & Record<string, unknown> = {},
    program?: string,
    count = this.amount(4, 2),
  ): Promise<Crew> {
    const { urls: rabbitUrl, queueName, retryDelaysMs, capacity, maxAttempts } = this;
    const all = { rabbitUrl, queueName, retryDelaysMs, capacity, maxAttempts, ...options };
    const crew = new Crew(this.folder, this.work, all, program, `${program ? 'other' : 'worker'}${this.crews.length}`);
    this.crews.push(crew);
    await crew.hire(count);
    return crew;
  }

  client(rabbitUrl: string | readonly string[] = this.urls): WorkerClient {
    const { queueName, retryDelaysMs } = this;
    const client = new WorkerClient({ rabbitUrl, queueName, retryDelaysMs });
    client.events.on('problem', ({ code, message }) =>
      appendFileSync(join(this.folder, 'client.log'), `${new Date().toISOString()} ${code} ${message}\n`),
    );
    this.defer(() => client.stop());
    return client;
  }

  load(options: LoadOptions, put?: Put): Load {
    const load = new Load(`t${this.loads.length}`, this.puts, put ?? putWith(this.client()), options);
    this.loads.push(load);
    return load;
  }

  async proxy(): Promise<{ proxy: Proxy; url: string }> {
    const url = new URL(this.url);
    const proxy = await Proxy.open(Number(url.port));
    this.defer(() => proxy.close());
    url.port = String(proxy.port);
    return { proxy, url: url.href };
  }

  /** How long from `sinceMs` until puts were confirmed and tasks executed again, in milliseconds. */
  async recoveredAfterMs(sinceMs: number, timeoutMs = 60_000): Promise<number> {
    let doneAtMs: number | undefined;
    await until(
      'a task is put and executed again',
      () => (doneAtMs = this.workedAgainAtMs(sinceMs)) !== undefined,
      timeoutMs,
    );
    // The worker may have written it down before its confirm was heard here.
    return Math.max(0, (doneAtMs ?? 0) - sinceMs);
  }

  /** Waits until all confirmed tasks have come to an end, or none of the missing can be found in any queue. */
  async settled(timeoutMs = SETTLE_TIMEOUT_MS): Promise<void> {
    const startedAtMs = performance.now();
    let emptySinceMs: number | undefined;
    // Without workers nothing comes to an end any more.
    while (this.crews.some(({ members }) => members.length > 0)) {
      if (performance.now() - startedAtMs > timeoutMs) {
        this.log(`not settled within ${timeoutMs / 1000} s: ${this.missing()} confirmed tasks have not succeeded`);
        return;
      }
      const empty = (await this.waiting().catch(() => Infinity)) === 0;
      emptySinceMs = empty ? (emptySinceMs ?? performance.now()) : undefined;
      const emptyForMs = emptySinceMs === undefined ? 0 : performance.now() - emptySinceMs;
      const dead = empty ? ((await this.host.depths()).get(this.deadQueue) ?? 0) + this.takenDead.length : 0;
      const allEnded = this.missing() <= dead;
      if (emptyForMs > EMPTY_TIMEOUT_MS || (allEnded && emptyForMs > 600)) return;
      await letPass(200);
    }
  }

  /** How many tasks are in the work queue, its retry levels and whatever else belongs to it. */
  async waiting(): Promise<number> {
    const depths = await this.host.depths();
    return this.workQueuesOf(depths).reduce((sum, queue) => sum + (depths.get(queue) ?? Infinity), 0);
  }

  /** One that still runs belongs to a fault that broke off: its confirms would not be settled any more. */
  async stopLoads(): Promise<void> {
    for (const load of this.loads) await load.stop().catch(() => undefined);
  }

  /** Stops the workers, reads what is left in the queues, and settles the accounts. */
  async check(bound: Bound): Promise<Verdict> {
    for (const crew of this.crews) await crew.stop();
    const queued = await this.host.take(...this.workQueuesOf(await this.host.depths()));
    const dead = [...this.takenDead, ...(await this.host.take(this.deadQueue))];
    const verdict = settleAccounts({ puts: this.puts, work: this.work.read(), dead, queued }, bound);
    verdict.violations.push(...this.broken());
    return verdict;
  }

  async close(): Promise<void> {
    await this.stopLoads();
    for (const child of [...this.crews.flatMap((crew) => crew.all), ...this.others]) {
      if (child.running) await child.kill();
    }
    for (const cleanup of this.cleanups.reverse()) {
      // One that fails must not keep the others from theirs.
      await Promise.resolve()
        .then(cleanup)
        .catch((error: unknown) => this.log(`cleaning up: ${String(error)}`));
    }
    this.work.close();
    await this.host.delete().catch(() => undefined);
  }

  get deadQueue(): string {
    return deadQueueOf(this.queueName);
  }

  /** The work queue and all that belongs to it, such as its retry levels; where a task is still queued. */
  private workQueuesOf(depths: ReadonlyMap<string, unknown>): string[] {
    const isOurs = (queue: string) => queue === this.queueName || queue.startsWith(`${this.queueName}.`);
    return [...depths.keys()].filter((queue) => isOurs(queue) && queue !== this.deadQueue);
  }

  private missing(): number {
    const { finishedAtMs } = this.work.read();
    let missing = 0;
    for (const id of this.puts.confirmedAtMs.keys()) if (!finishedAtMs.has(id)) missing += 1;
    return missing;
  }

  /** When a put had been confirmed and a task executed again: what was queued before goes first. */
  private workedAgainAtMs(sinceMs: number): number | undefined {
    const firstAfter = (timesMs: Iterable<number>) => {
      let first = Infinity;
      for (const atMs of timesMs) if (atMs > sinceMs && atMs < first) first = atMs;
      return first;
    };
    const { finishedAtMs } = this.work.read();
    const bothMs = Math.max(firstAfter(this.puts.confirmedAtMs.values()), firstAfter(finishedAtMs.values()));
    return Number.isFinite(bothMs) ? bothMs : undefined;
  }

  private broken(): string[] {
    const children = [...this.crews.flatMap((crew) => crew.all), ...this.others];
    const ends = children.map(({ unexpected }) => unexpected).filter((text) => text !== undefined);
    const remarks = this.work.remarks
      .filter(({ word }) => word === 'unhandled' || word === 'left-open')
      .map(({ process, word, id, text }) => `${process}: ${word} ${id} ${text.slice(0, 300)}`);
    return [...ends, ...remarks, ...this.unhandled.map((text) => `the suite's own client: ${text}`)];
  }
}
