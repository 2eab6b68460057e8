import { setTimeout as pause } from 'node:timers/promises';
import { Logger, type EventBusOptions } from '@mercury/messaging';
import { useLedger, untilTold } from './work';

/** A logger that does not come back from its first event for `stuckMs`. Tells at its end what it missed. */
class StuckLogger extends Logger {
  heard = 0;
  missed = 0;
  private next = 0;
  private stuckMs: number;

  constructor({ stuckMs, ...options }: EventBusOptions & { stuckMs: number }) {
    super(options);
    this.stuckMs = stuckMs;
  }

  override async handleInfo(data: { number?: number }): Promise<void> {
    const number = data.number ?? 0;
    this.heard += 1;
    this.missed += Math.max(0, number - this.next);
    this.next = number + 1;
    const { stuckMs } = this;
    this.stuckMs = 0;
    if (stuckMs > 0) await pause(stuckMs);
  }
}

async function main([file = '', options = '{}']: string[]): Promise<void> {
  const ledger = useLedger(file);
  const { stuckMs, rabbitUrl, name } = JSON.parse(options) as EventBusOptions & { stuckMs: number };
  const logger = new StuckLogger({ stuckMs, name, ...(rabbitUrl ? { rabbitUrl } : {}) });
  logger.events.on('problem', ({ code, message }) => ledger.write('problem', code, 1, message));
  await logger.start();
  ledger.write('ready', '-');
  await untilTold();
  await logger.stop();
  ledger.write('status', '-', 1, `${logger.heard} heard, ${logger.missed} missed`);
  if (process.connected) process.disconnect();
}

void main(process.argv.slice(2));
