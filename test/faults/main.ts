import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ToolError } from '../../tools/broker/project';
import { BROKER_VERSIONS, type BrokerVersion } from '../../tools/broker/find-broker';
import { findFaultBroker } from './fault-broker';
import { FAULTS } from './faults';
import type { Fault } from './fault';
import { Suite } from './suite';
import { jsonOf, lineOf, markdownOf, type Row } from './table';

/**
 * `npm run test:faults`: hurts the system in one way after another, on brokers of its own, and settles the accounts of
 * each. Options: --only NAME (a prefix; repeatable), --broker 3.10|4.3 (default: the one of this machine), --short (the
 * part of it in `npm test`), --list, --markdown FILE, --json FILE.
 * Exit code 3: this machine cannot run it.
 */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      broker: { type: 'string' },
      short: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      markdown: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const version = values.broker;
  if (version !== undefined && !isVersion(version))
    throw new Error(`--broker is one of ${Object.keys(BROKER_VERSIONS).join(', ')}.`);
  const faults = select(values.only, values.short);
  if (values.list) {
    for (const { name, title } of faults) console.log(`${name.padEnd(22)} ${title}`);
    return 0;
  }
  const suite = new Suite(await findFaultBroker(version, console.log), values.short, console.log);
  endOnSignal(suite);
  const rows: Row[] = [];
  try {
    for (const fault of faults) {
      console.log(`\n${fault.name}: ${fault.title}`);
      if (fault.nodes && version === '3.10') {
        console.log('left out: clusters are tested from RabbitMQ 4 on');
        continue;
      }
      const row = await suite.run(fault);
      rows.push(row);
      console.log(lineOf(row));
    }
    const heading = `RabbitMQ ${suite.brokerVersion}, ${values.short ? 'short' : 'full'} doses.`;
    if (values.markdown) writeFileSync(values.markdown, markdownOf(rows, heading));
    if (values.json) writeFileSync(values.json, jsonOf(rows, heading));
    return report(rows, heading);
  } finally {
    await suite.close();
  }
}

function isVersion(version: string): version is BrokerVersion {
  return version in BROKER_VERSIONS;
}

/** What is named is run, also when the short selection leaves it out. */
function select(only: readonly string[] | undefined, short: boolean): readonly Fault[] {
  if (!only) return FAULTS.filter(({ inShort }) => !short || (inShort ?? true));
  const unknown = only.filter((prefix) => !FAULTS.some(({ name }) => name.startsWith(prefix)));
  if (unknown.length > 0) throw new Error(`There is no fault "${unknown.join('", "')}"; --list shows them.`);
  return FAULTS.filter(({ name }) => only.some((prefix) => name.startsWith(prefix)));
}

function endOnSignal(suite: Suite): void {
  let ending = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (ending) return;
      ending = true;
      void suite.close().finally(() => {
        suite.removeFolder();
        process.exit(1);
      });
    });
  }
}

function report(rows: readonly Row[], heading: string): number {
  const failed = rows.filter(({ reasons }) => reasons.length > 0).length;
  console.log(`\n${heading}`);
  for (const row of rows) console.log(lineOf(row));
  console.log(`${rows.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(error instanceof ToolError && ['NO_BROKER', 'NOT_HERE'].includes(error.code) ? 3 : 1);
  },
);
