import { closeSync, constants, existsSync, fstatSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Never waits: a pipe that nobody reads is refused, and one that is full says so. */
const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;

/** Opens a file for appending, and makes its folder. @throws what the system says. */
export function openForAppending(path: string): number {
  makeFolder(dirname(path));
  return openSync(path, APPEND);
}

/** Why it cannot be opened; undefined when it can. */
export function openProblem(path: string): string | undefined {
  try {
    closeSync(openForAppending(path));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Whether that is still the file of this name: it may have been renamed or deleted. */
export function isStillAt(path: string, fd: number): boolean {
  const there = statSync(path, { throwIfNoEntry: false });
  const open = fstatSync(fd);
  return there?.ino === open.ino && there.dev === open.dev;
}

/** One by one: in /proc the recursive way of Node.js never ends. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  mkdirSync(folder);
}
