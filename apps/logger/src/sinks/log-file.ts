import { closeSync, constants, fstatSync, mkdirSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** Never waits: a pipe that nobody reads is refused, and one that is full says so. */
const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;

/** Opens a file for appending, and makes its folder. @throws what the system says. */
export function openForAppending(path: string): number {
  makeFolder(dirname(path));
  const fd = openSync(path, APPEND);
  if (endsWithinLine(path, fd)) writeSync(fd, '\n');
  return fd;
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

export function isDeleted(fd: number): boolean {
  return fstatSync(fd).nlink === 0;
}

/** A pipe or a device cannot. */
export function canBeSynchronised(fd: number): boolean {
  return fstatSync(fd).isFile();
}

/** As after a full disk and a crash: the first event would be the end of a broken line. Not known where it may not be read. */
function endsWithinLine(path: string, fd: number): boolean {
  const { size } = fstatSync(fd);
  if (size === 0 || !canBeSynchronised(fd)) return false;
  let reading: number | undefined;
  try {
    reading = openSync(path, constants.O_RDONLY);
    const last = Buffer.alloc(1);
    return readSync(reading, last, 0, 1, size - 1) === 1 && last.toString() !== '\n';
  } catch {
    return false;
  } finally {
    if (reading !== undefined) closeSync(reading);
  }
}

/** One by one: in /proc the recursive way of Node.js never ends. Somebody else may make the same one. */
function makeFolder(folder: string): void {
  if (isFolder(folder)) return;
  if (dirname(folder) !== folder) makeFolder(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    if (!isFolder(folder)) throw error;
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
