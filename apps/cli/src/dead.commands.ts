import { createInterface } from 'node:readline/promises';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { Presets, SingleBar } from 'cli-progress';
import {
  DEAD_LETTER_LIMITS,
  DeadLetters,
  printable,
  timeMsOf,
  type DeadLetterFilter,
  type ReplayProgress,
} from '@mercury/messaging';
import { brokerOptions } from './broker-options';
import { EXIT, UsageError, type ExitCode } from './exit-codes';
import { jsonOf, print, tableOfLetters, textOfLetter } from './output';

interface CommonOptions {
  queue: string;
  output: 'table' | 'json';
}

interface FilterOptions extends CommonOptions {
  type?: string;
  code?: string;
  from?: number;
  to?: number;
  text?: string;
}

interface PageOptions extends CommonOptions {
  limit: number;
  cursor?: string;
}

type ListOptions = FilterOptions & PageOptions;

interface ReplayCommandOptions extends FilterOptions {
  rate: number;
  all?: boolean;
  dryRun?: boolean;
}

interface DiscardOptions extends FilterOptions {
  yes?: boolean;
  dryRun?: boolean;
}

/** Adds `dead list`, `show`, `replay` and `discard`. */
export function addDeadCommands(
  program: Command,
  findBroker: () => Promise<void>,
  signal: AbortSignal,
  end: (code: ExitCode) => void,
): void {
  /** Does a command's work with the letters of its queue. */
  const withLetters = async (queueName: string, work: (letters: DeadLetters) => Promise<ExitCode>) => {
    await findBroker();
    const letters = new DeadLetters({ ...brokerOptions(), queueName });
    // What is wrong with the broker is told by the error that the command ends with.
    letters.events.on('problem', () => undefined);
    try {
      end(await work(letters));
    } finally {
      await letters.stop();
    }
  };
  const stopping = (letters: DeadLetters) => signal.addEventListener('abort', () => void letters.stop());

  const dead = program.command('dead').description('Dead letters: list, show, replay and discard them.');

  withPage(withFilter(withCommon(dead.command('list'))))
    .description('List dead letters, the oldest first. Nothing is lost or changed.')
    .action(({ queue, output, limit, cursor, ...filter }: ListOptions) =>
      withLetters(queue, async (letters) => {
        stopping(letters);
        const page = await letters.list(filterOf(filter), { limit, ...(cursor === undefined ? {} : { cursor }) });
        if (output === 'json') print(jsonOf(page));
        else if (page.letters.length > 0) print(tableOfLetters(page.letters));
        say(`${page.letters.length} of ${page.matched} shown`, page);
        if (page.cursor !== undefined && output === 'table') say(`more: --cursor ${page.cursor}`);
        return page.matched === 0 ? EXIT.nothing : EXIT.ok;
      }),
    );

  withPage(withCommon(dead.command('show <id>')))
    .description('Show what is known of a dead letter: its attempts and its body.')
    .action((id: string, { queue, output, limit, cursor }: PageOptions) =>
      withLetters(queue, async (letters) => {
        stopping(letters);
        const page = await letters.get(id, { limit, ...(cursor === undefined ? {} : { cursor }) });
        if (output === 'json') print(jsonOf(page));
        else if (page.letters.length > 0) print(page.letters.map(textOfLetter).join('\n\n'));
        if (page.matched === 0) say(`None of the first 10,000 letters has the id ${id}`);
        if (page.matched > page.letters.length) say(`${page.letters.length} of ${page.matched} shown`, page);
        if (page.cursor !== undefined && output === 'table') say(`more: --cursor ${page.cursor}`);
        return page.matched === 0 ? EXIT.nothing : EXIT.ok;
      }),
    );

  withFilter(withCommon(dead.command('replay [ids...]')))
    .description('Put dead letters back on the queues that they came from. Ctrl-C ends it between two.')
    .option('--all', 'without ids and filter: all of them')
    .option('--rate <number>', 'tasks per second, evenly spread', number, DEAD_LETTER_LIMITS.ratePerSecond)
    .option('--dry-run', 'only tell which')
    .action((ids: string[], { queue, output, rate, all, dryRun, ...options }: ReplayCommandOptions) => {
      const filter = filterOf(options, ids);
      if (Object.keys(filter).length === 0 && !all) throw new UsageError('Which? Give ids, a filter, or --all.');
      return withLetters(queue, async (letters) => {
        const reports = letters.replay(filter, { ratePerSecond: rate, dryRun: dryRun ?? false, signal });
        const last = await shown(reports, dryRun ?? false, output);
        if (signal.aborted) return EXIT.stopped;
        return last?.matched === 0 ? EXIT.nothing : EXIT.ok;
      });
    });

  withFilter(withCommon(dead.command('discard [ids...]')))
    .description('Delete dead letters for good.')
    .option('-y, --yes', 'do not ask; needed for more than one when there is nobody to ask')
    .option('--dry-run', 'only tell which')
    .action((ids: string[], { queue, output, yes, dryRun, ...options }: DiscardOptions) => {
      const filter = filterOf(options, ids);
      if (Object.keys(filter).length === 0) throw new UsageError('Which? Give ids or a filter.');
      return withLetters(queue, async (letters) => {
        stopping(letters);
        const found = await letters.discard(filter, { dryRun: true });
        const isMeant =
          dryRun || found.matched === 0 || yes || found.matched === 1 || (await isConfirmed(found.matched));
        // Only those that were counted, whatever has died since.
        const result = dryRun || !isMeant ? found : await letters.discard({ ...filter, ids: found.ids });
        if (output === 'json') print(jsonOf(result));
        else if (dryRun && found.ids.length > 0) print(found.ids.map(printable).join('\n'));
        say(dryRun ? `${result.matched} would be discarded` : `${result.discarded} discarded`, result);
        return result.matched === 0 ? EXIT.nothing : EXIT.ok;
      });
    });
}

/** Shows a replay as it goes. Resolves to the last report. */
async function shown(
  reports: AsyncIterable<ReplayProgress>,
  isDry: boolean,
  output: CommonOptions['output'],
): Promise<ReplayProgress | undefined> {
  const bar = new SingleBar(
    { stream: process.stderr, format: 'Replaying {bar} {value}/{total}, {eta_formatted} left', hideCursor: true },
    Presets.shades_classic,
  );
  let first: ReplayProgress | undefined;
  let last: ReplayProgress | undefined;
  try {
    for await (const report of reports) {
      first ??= report;
      last = report;
      if (report === first && !isDry) bar.start(report.matched, 0);
      else bar.update(report.replayed);
    }
  } finally {
    bar.stop();
    if (first && last) {
      const { id: _id, ...sums } = last;
      if (output === 'json') print(jsonOf(isDry ? first : sums));
      else if (isDry && first.matched > 0) print(first.ids?.map(printable).join('\n') ?? '');
      say(isDry ? `${first.matched} would be replayed` : `${last.replayed} of ${last.matched} replayed`, last);
    }
  }
  return last;
}

async function isConfirmed(count: number): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError(`${count} letters would be discarded for good: confirm with --yes.`);
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`Discard ${count} letters for good? [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

function withCommon(command: Command): Command {
  return command
    .option('-q, --queue <name>', 'the work queue', process.env['QUEUE_NAME'] || 'tasks')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'));
}

function withPage(command: Command): Command {
  return command
    .option('-n, --limit <count>', `at most so many, up to ${DEAD_LETTER_LIMITS.largestPage}`, number, 50)
    .option('--cursor <cursor>', 'go on after the page before');
}

function withFilter(command: Command): Command {
  return command
    .option('--type <type>', 'tasks of this type')
    .option('--code <code>', 'with this error code')
    .option('--from <time>', 'dead at this time or later: ISO 8601 with its time zone, or ms since 1970', time)
    .option('--to <time>', 'dead before this time', time)
    .option('--text <text>', 'whose body contains this text; capitals matter');
}

function filterOf({ type, code, from, to, text }: Omit<FilterOptions, keyof CommonOptions>, ids: string[] = []) {
  const filter: DeadLetterFilter = {
    ...(ids.length > 0 ? { ids } : {}),
    ...(type === undefined ? {} : { type }),
    ...(code === undefined ? {} : { code }),
    ...(from === undefined ? {} : { fromMs: from }),
    ...(to === undefined ? {} : { toMs: to }),
    ...(text === undefined ? {} : { text }),
  };
  return filter;
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0)) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

function time(text: string): number {
  const timeMs = timeMsOf(text);
  if (timeMs === undefined) throw new InvalidArgumentError('Write 2026-11-23T10:00:00Z, or milliseconds since 1970.');
  return timeMs;
}

/** For people, beside what is printed for programs. */
function say(text: string, sight?: { held: number; truncated: boolean }): void {
  const seen = sight?.truncated ? `; looked at the first ${sight.held} letters, there are more` : '';
  process.stderr.write(`${printable(text)}${seen}.\n`);
}
