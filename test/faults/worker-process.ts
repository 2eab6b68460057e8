import { setTimeout as pause } from 'node:timers/promises';
import { Worker, type Task, type WorkerOptions } from '@mercury/messaging';
import { standStillWhenTold, useLedger, untilTold, type WorkBody } from './work';

/** One worker of the system under test, as a process: `worker-process.js <ledger file> <options as JSON>`. */
class LedgerWorker extends Worker {
  constructor(
    options: WorkerOptions,
    private readonly ledger: ReturnType<typeof useLedger>,
  ) {
    super(options);
    this.events.on('ready', () => ledger.write('ready', '-'));
    this.events.on('problem', (problem) => ledger.write('problem', problem.code, 1, problem.message));
  }

  override async handler(task: Task): Promise<void> {
    const body: WorkBody = task.body;
    this.ledger.write('started', task.id, task.attempt);
    if (body.kill) process.kill(process.pid, 'SIGKILL');
    if (body.ms) await pause(body.ms);
    if (body.fail) throw new Error('It was told to fail.');
    this.ledger.write('finished', task.id, task.attempt);
  }
}

/** Writes down what its readiness would say, whenever that changes. */
function reportStatus(worker: Worker, ledger: ReturnType<typeof useLedger>): void {
  let last = '';
  setInterval(() => {
    const now = worker.problem?.message ?? 'ready';
    if (now !== last) ledger.write('status', '-', 1, now);
    last = now;
  }, 500).unref();
}

async function main([file = '', options = '{}']: string[]): Promise<void> {
  const ledger = useLedger(file);
  const { standstillMs, ...workerOptions } = JSON.parse(options) as WorkerOptions & { standstillMs?: number };
  if (standstillMs) standStillWhenTold(standstillMs);
  const worker = new LedgerWorker(workerOptions, ledger);
  worker.start().catch(() => undefined);
  reportStatus(worker, ledger);
  await untilTold();
  await worker.stop();
  // No process.exit: that nothing is left open is part of the promise.
  const late = setTimeout(() => {
    ledger.write('left-open', '-', 1, process.getActiveResourcesInfo().join(','));
    process.exit(71);
  }, 2_000);
  late.unref();
  if (process.connected) process.disconnect();
}

void main(process.argv.slice(2));
