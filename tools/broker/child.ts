import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { ToolError } from './project';

/** Runs a program to its end. Resolves to what it printed on stdout. @throws ToolError `COMMAND_FAILED`, with its last words. */
export function run(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', (cause) => reject(new ToolError('COMMAND_FAILED', `${command} could not be run.`, { cause })));
    child.once('close', (code, signal) => {
      if (code === 0) return resolve(stdout);
      const lastWords = (stderr || stdout).trim().split('\n').slice(-8).join('\n');
      reject(new ToolError('COMMAND_FAILED', `${command} ${args[0] ?? ''} ended with ${code ?? signal}: ${lastWords}`));
    });
  });
}

/** Runs a program as soon as this process is gone, even by SIGKILL, unless what it returns was killed before. */
export function lastWill(command: string, ...args: readonly string[]): ChildProcess {
  // The pipe ends with this process. A session of its own: what ends our process group does not end it.
  const script = 'read -r _; exec "$@"';
  const stdio: SpawnOptions['stdio'] = ['pipe', 'ignore', 'ignore'];
  const will = spawn('/bin/sh', ['-c', script, 'sh', command, ...args], { stdio, detached: true });
  return will.on('error', () => undefined);
}

/** Lets no child outlive this process. */
export function tie(child: ChildProcess): void {
  if (child.pid === undefined) return;
  const will = lastWill('/bin/sh', '-c', `kill -9 ${child.pid}`);
  child.once('exit', () => will.kill('SIGKILL'));
}

export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
}
