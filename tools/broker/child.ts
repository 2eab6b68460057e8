import { spawn, type SpawnOptions } from 'node:child_process';
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
