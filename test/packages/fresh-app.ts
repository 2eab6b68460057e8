import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../../tools/broker/project';
import type { Compiler, Row } from './rows';

const PNPM = 'pnpm@10';
const STEP_TIMEOUT_MS = 240_000;

/** An application in an empty folder outside of the repository, as a team would begin one. */
export class FreshApp {
  private readonly folder = mkdtempSync(join(tmpdir(), 'mercury-package-'));

  /** @param tarball what is installed. */
  constructor(
    private readonly row: Row,
    private readonly tarball: string,
    private readonly rabbitUrl: string,
  ) {}

  /** Resolves to what is wrong; empty when all is well. */
  async try(): Promise<string[]> {
    try {
      await this.install();
      const wrong = [...this.strangers(), ...(await this.compile())];
      return wrong.length > 0 ? wrong : await this.run();
    } catch (error) {
      return [error instanceof Error ? error.message : String(error)];
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async install(): Promise<void> {
    const { fixture, type, manager } = this.row;
    if (fixture === 'README')
      writeFileSync(join(this.folder, 'app.js'), firstProgramOf('libs/messaging/README.md', this.rabbitUrl));
    else cpSync(join(projectRoot, 'test/packages/fixtures', fixture), this.folder, { recursive: true });
    const dependencies = { '@mercury/messaging': `file:${this.tarball}`, ...this.row.dependencies };
    this.write('package.json', {
      private: true,
      name: 'fresh',
      version: '1.0.0',
      ...(type ? { type } : {}),
      dependencies,
    });
    if (manager === 'npm')
      return void (await this.step('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error']));
    // Strict: a package sees what its own manifest names, and nothing else; of Nest 12 the types need one that its manifest forgets.
    writeFileSync(join(this.folder, '.npmrc'), 'hoist-pattern[]=@standard-schema/*\nshamefully-hoist=false\n');
    const overrides = Object.entries(this.row.overrides ?? {}).map(([name, version]) => `  ${name}: '${version}'\n`);
    if (overrides.length > 0)
      writeFileSync(join(this.folder, 'pnpm-workspace.yaml'), `overrides:\n${overrides.join('')}`);
    await this.step('npx', ['--yes', PNPM, 'install', '--silent', '--ignore-scripts']);
  }

  private strangers(): string[] {
    const { without = [] } = this.row;
    const installed = readdirSync(join(this.folder, 'node_modules'), { recursive: true, encoding: 'utf8' });
    const names = installed.filter((path) => existsSync(join(this.folder, 'node_modules', path, 'package.json')));
    return without
      .filter((prefix) => names.some((name) => name.startsWith(prefix) || name.includes(`node_modules/${prefix}`)))
      .map((prefix) => `${prefix} was installed`);
  }

  private async compile(): Promise<string[]> {
    const found: string[] = [];
    for (const compiler of this.row.compilers ?? []) {
      const { typescript, module, moduleResolution } = compiler;
      this.write('tsconfig.json', this.compilerOptions(compiler));
      const output = await this.step('node', [`node_modules/${typescript}/bin/tsc`, '-p', '.'], true);
      if (output !== '') found.push(`${typescript}, ${module}, ${moduleResolution}: ${output.slice(0, 1_000)}`);
    }
    return found;
  }

  private compilerOptions({ module, moduleResolution }: Compiler): object {
    const shared = { strict: true, skipLibCheck: false, experimentalDecorators: true, emitDecoratorMetadata: true };
    const target = { target: 'es2022', esModuleInterop: true, types: ['node'], noEmitOnError: true };
    return { compilerOptions: { ...shared, ...target, module, moduleResolution }, include: ['*.ts'] };
  }

  private async run(): Promise<string[]> {
    const [program = '', ...args] = this.row.run;
    const last = this.row.runsOn ? this.row.prints.map(String).at(-1) : undefined;
    const lines = (await this.step(program, args, last !== undefined, last)).split('\n');
    let from = 0;
    for (const wanted of this.row.prints) {
      const fits = (line: string) => (typeof wanted === 'string' ? line.startsWith(wanted) : wanted.test(line));
      const at = lines.findIndex((line, index) => index >= from && fits(line));
      if (at < 0) return [`it did not print "${String(wanted)}", but: ${lines.join(' | ').slice(0, 1_000)}`];
      from = at + 1;
    }
    return [];
  }

  /**
   * Resolves to what the program printed.
   * @param mayFail what it prints is the answer.
   * @param last the program is ended when it has printed that.
   */
  private step(command: string, args: readonly string[], mayFail = false, last?: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const env = { ...process.env, RABBITMQ_URL: this.rabbitUrl, CI: 'true', NODE_OPTIONS: '', INIT_CWD: '' };
      const child = spawn(command, args, { cwd: this.folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (chunk) => {
          output += String(chunk);
          if (last !== undefined && output.includes(last)) child.kill();
        });
      }
      const timer = setTimeout(() => child.kill('SIGKILL'), STEP_TIMEOUT_MS);
      child.once('error', reject);
      child.once('close', (code) => {
        clearTimeout(timer);
        const said = output.trim();
        if (code === 0 || (mayFail && (code !== null || last !== undefined))) resolve(said);
        else reject(new Error(`${command} ${args.join(' ')} ended with ${code}: ${said.slice(-1_500)}`));
      });
    });
  }

  private write(name: string, content: object): void {
    writeFileSync(join(this.folder, name), JSON.stringify(content, null, 2));
  }
}

function firstProgramOf(readme: string, rabbitUrl: string): string {
  const [, program = ''] = /```js\n([\s\S]*?)```/.exec(readFileSync(join(projectRoot, readme), 'utf8')) ?? [];
  return program.replace('amqp://localhost', rabbitUrl);
}
