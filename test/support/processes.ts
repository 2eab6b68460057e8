import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { projectRoot } from '../../tools/broker/project';

const LINE_TIMEOUT_MS = 20_000;
const TEST_TIMEOUT_MS = 60_000;
const BUILD_TIMEOUT_MS = 180_000;

/** A command of this project as a process of its own, and what it prints, line by line. */
export class ProjectProcess {
  readonly stdout: string[] = [];
  /** Of stdout and stderr, as they arrived. */
  readonly lines: string[] = [];
  /** Its exit code, or the signal that killed it. Everything that it printed is known by then. */
  readonly exit: Promise<number | NodeJS.Signals>;
  private ended: number | NodeJS.Signals | undefined;
  private readonly child: ChildProcess;
  /** Called at each line and at the end. */
  private readonly watchers = new Set<() => void>();

  constructor(
    private readonly args: readonly string[],
    env: Readonly<Record<string, string>>,
  ) {
    const child = spawn(process.execPath, [join(projectRoot, 'tools/run.js'), ...args], {
      cwd: projectRoot,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    createInterface({ input: child.stdout }).on('line', (line) => this.hear(line, this.stdout));
    createInterface({ input: child.stderr }).on('line', (line) => this.hear(line));
    this.exit = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve((this.ended = signal ?? code ?? 0)));
    });
    this.exit.then(
      () => this.watchers.forEach((check) => check()),
      () => undefined,
    );
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** The first line that contains the text or matches, printed already or to come. */
  async until(wanted: string | RegExp, timeoutMs = LINE_TIMEOUT_MS): Promise<string> {
    const [line = ''] = await this.untilLines(wanted, 1, timeoutMs);
    return line;
  }

  /** The first `count` such lines. Fails at the deadline, or as soon as the process has ended without them. */
  untilLines(wanted: string | RegExp, count: number, timeoutMs = LINE_TIMEOUT_MS): Promise<string[]> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        this.watchers.delete(check);
      };
      const fail = (why: string) => {
        stop();
        reject(new Error(`${why}: ${count} × ${String(wanted)}\n${this.describe()}`));
      };
      const check = () => {
        const found = this.lines.filter((line) =>
          typeof wanted === 'string' ? line.includes(wanted) : wanted.test(line),
        );
        if (found.length >= count) {
          stop();
          resolve(found.slice(0, count));
        } else if (this.ended !== undefined) {
          fail(`It ended (${this.ended}) without`);
        }
      };
      const timer = setTimeout(() => fail(`Not within ${timeoutMs} ms`), timeoutMs);
      this.watchers.add(check);
      check();
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  describe(): string {
    return `node tools/run.js ${this.args.join(' ')} printed:\n${this.lines.map((line) => `  ${line}`).join('\n')}`;
  }

  private hear(line: string, stream: string[] = []): void {
    stream.push(line);
    this.lines.push(line);
    for (const check of this.watchers) check();
  }
}

/**
 * The processes of one test file: built before its first test, and killed after each test, however that ended.
 * Make one at the top of the file.
 */
export class Processes {
  /** Added to the environment of the processes started from now on. */
  readonly env: Record<string, string> = {};
  private readonly started = new Set<ProjectProcess>();

  constructor() {
    jest.setTimeout(TEST_TIMEOUT_MS);
    // The list of examples is the command that does nothing but build: no process of a test has to wait for that.
    beforeAll(async () => void (await this.run('example')), BUILD_TIMEOUT_MS);
    afterEach(() => this.killAll());
    afterAll(() => this.killAll());
  }

  /** Starts `node tools/run.js <args>`. */
  start(...args: string[]): ProjectProcess {
    const started = new ProjectProcess(args, this.env);
    this.started.add(started);
    return started;
  }

  /** Runs it to its end, and fails unless it ends with exit code 0. */
  async run(...args: string[]): Promise<ProjectProcess> {
    const started = this.start(...args);
    const code = await started.exit;
    if (code !== 0) throw new Error(`Exit code ${code}: ${started.describe()}`);
    return started;
  }

  private async killAll(): Promise<void> {
    const started = [...this.started];
    this.started.clear();
    for (const each of started) each.signal('SIGKILL');
    await Promise.all(started.map((each) => each.exit));
  }
}
