import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { profilingArgs } from './profiling';
import type { FromRole, ToRole } from './roles/child';

const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 3_000;
/** Characters of what it has printed, for when it fails. */
const LAST_WORDS = 4_000;

const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** One role of a measurement, in a process of its own: so that CPU and memory are its alone, and nothing stays warm. */
export class Role {
  readonly pid: number;
  private readonly child: ChildProcess;
  private readonly ready: Promise<unknown>;
  private readonly result: Promise<unknown>;

  /** @param name a file of `roles/`. */
  constructor(
    private readonly name: string,
    params: object,
  ) {
    this.child = fork(join(__dirname, 'roles', name), [JSON.stringify(params)], {
      execArgv: profilingArgs(name),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    let lastWords = '';
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => (lastWords = (lastWords + chunk.toString()).slice(-LAST_WORDS)));
    }
    this.pid = this.child.pid ?? 0;
    alive.add(this.child);
    const { promise: ready, resolve: onReady, reject: onReadyFailed } = withResolvers();
    const { promise: result, resolve: onResult, reject: onFailed } = withResolvers();
    this.ready = ready;
    this.result = result;
    const fail = (why: string) => {
      const error = new Error(`The role "${name}" of ${JSON.stringify(params)} ${why}\n${lastWords}`);
      onReadyFailed(error);
      onFailed(error);
    };
    this.child.on('message', (message: FromRole) => {
      if (message.kind === 'ready') onReady(message.info);
      else if (message.kind === 'result') onResult(message.result);
      else fail(`failed: ${message.message}`);
    });
    this.child.once('error', (error) => fail(`did not start: ${error.message}`));
    this.child.once('exit', (code, signal) => {
      alive.delete(this.child);
      fail(`ended with ${signal ?? code}.`);
    });
    // Heard where they are waited for; a role that is stopped is not waited for.
    for (const promise of [ready, result]) promise.catch(() => undefined);
  }

  async untilReady<Info>(): Promise<Info> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), READY_TIMEOUT_MS);
    const info = await this.ready;
    clearTimeout(timer);
    return info as Info;
  }

  say(word: ToRole): void {
    this.child.send(word, () => undefined);
  }

  async untilDone<Result>(): Promise<Result> {
    const result = (await this.result) as Result;
    await this.gone();
    return result;
  }

  /** Ready, go, result. */
  static async run<Result>(name: string, params: object): Promise<Result> {
    const role = new Role(name, params);
    await role.untilReady();
    role.say('go');
    return role.untilDone<Result>();
  }

  /** For a role that runs until it is told to stop. */
  async stop(): Promise<void> {
    this.say('stop');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await this.gone();
    clearTimeout(timer);
  }

  private async gone(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    await new Promise((resolve) => this.child.once('exit', resolve));
  }
}

function withResolvers() {
  let resolve: (value: unknown) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}
