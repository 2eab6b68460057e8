/** What a role tells the benchmark, and what it is told. */
export type FromRole =
  { kind: 'ready'; info: unknown } | { kind: 'result'; result: unknown } | { kind: 'failed'; message: string };

export type ToRole = 'go' | 'stop';

/** The benchmark, as seen from a role's process. */
export class Bench {
  private readonly told = new Set<ToRole>();
  private readonly waiting = new Map<ToRole, () => void>();

  constructor() {
    process.on('message', (word: ToRole) => {
      this.told.add(word);
      this.waiting.get(word)?.();
    });
    // Ended without a word: nothing of it may stay behind.
    process.on('disconnect', () => process.exit(1));
    // Signals of the terminal are for the benchmark, which then ends its roles.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
  }

  ready(info: unknown = undefined): void {
    void this.tell({ kind: 'ready', info });
  }

  async until(word: ToRole): Promise<void> {
    if (!this.told.has(word)) await new Promise<void>((resolve) => this.waiting.set(word, resolve));
  }

  /** Resolves once it is on its way: the process may end then. */
  tell(message: FromRole): Promise<void> {
    return new Promise((resolve) => process.send?.(message, undefined, undefined, () => resolve()));
  }
}

/** A role's whole life: its parameters are the program's first argument, as JSON; its result goes to the benchmark. */
export function play<Params, Result>(role: (params: Params, bench: Bench) => Promise<Result>): void {
  const bench = new Bench();
  const fail = async (error: unknown) => {
    await bench.tell({
      kind: 'failed',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    process.exit(1);
  };
  process.on('uncaughtException', (error) => void fail(error)).on('unhandledRejection', (error) => void fail(error));
  const params = JSON.parse(process.argv[2] ?? '{}') as Params;
  role(params, bench)
    .then((result) => bench.tell({ kind: 'result', result }))
    .then(() => process.exit(0), fail);
}
