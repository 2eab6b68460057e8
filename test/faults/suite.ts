import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FolderSource } from '../../tools/broker/broker-node';
import { killAllChildren } from './child';
import { FaultBroker } from './fault-broker';
import type { Fault, Outcome } from './fault';
import { Scene } from './scene';
import type { Row } from './table';

/** Runs faults one after another on one broker, which is replaced when a fault has left it unusable. */
export class Suite {
  private broker: FaultBroker | undefined;
  private lastVersion = '';
  private scene: Scene | undefined;
  private readonly folder = mkdtempSync(join(tmpdir(), 'mercury-faults-'));
  private keepFolder = false;
  private readonly onUnhandled = (error: unknown) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (this.scene) this.scene.unhandled.push(text);
    else console.error(text);
  };

  constructor(
    private readonly source: FolderSource,
    private readonly short: boolean,
    private readonly log: (line: string) => void,
  ) {
    process.on('unhandledRejection', this.onUnhandled).on('uncaughtException', this.onUnhandled);
  }

  get brokerVersion(): string {
    return this.lastVersion;
  }

  async run(fault: Fault): Promise<Row> {
    const startedAtMs = performance.now();
    const { name, title, mustFindViolation } = fault;
    const row: Row = { name, title, outcome: undefined, verdict: undefined, tookMs: 0, reasons: [], seen: undefined };
    const violations: string[] = [];
    try {
      const scene = await this.openScene(name, fault.nodes ?? 1);
      const outcome = await fault.run(scene).catch((error: unknown): Outcome => {
        violations.push(error instanceof Error ? error.message : String(error));
        return { dose: '-', bound: { duplicates: Infinity } };
      });
      await scene.stopLoads();
      await scene.settled();
      row.outcome = outcome;
      row.verdict = await scene.check(outcome.bound);
      violations.push(...(outcome.violations ?? []), ...row.verdict.violations);
    } catch (error) {
      violations.push(error instanceof Error ? error.message : String(error));
    } finally {
      await this.closeScene().catch((error: unknown) => violations.push(`cleaning up: ${String(error)}`));
    }
    row.tookMs = performance.now() - startedAtMs;
    row.seen = mustFindViolation && violations.find((violation) => mustFindViolation.test(violation));
    if (!mustFindViolation) row.reasons = violations;
    else if (!row.seen) row.reasons = [`the checker did not see it; it saw: ${violations.join('; ') || 'nothing'}`];
    if (row.reasons.length > 0) this.keepFolder = true;
    return row;
  }

  /** Ends everything that was started, also in the middle of a fault. */
  async close(): Promise<void> {
    killAllChildren();
    await this.broker?.close();
    this.broker = undefined;
    if (this.keepFolder) this.log(`Ledgers and logs of what failed: ${this.folder}`);
    else this.removeFolder();
  }

  removeFolder(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async openScene(name: string, nodes: number): Promise<Scene> {
    if (this.broker && (this.broker.names.length !== nodes || !(await this.broker.isWhole()))) {
      await this.broker.close();
      this.broker = undefined;
    }
    this.broker ??= await FaultBroker.open(this.source, nodes);
    this.lastVersion = this.broker.version;
    const { broker, short, log } = this;
    this.scene = await Scene.open({ name, broker, short, log, folder: join(this.folder, name) });
    return this.scene;
  }

  private async closeScene(): Promise<void> {
    const { scene } = this;
    try {
      await scene?.close();
    } finally {
      this.scene = undefined;
    }
  }
}
