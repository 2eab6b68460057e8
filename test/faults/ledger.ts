import { closeSync, openSync, readSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** How a publish ended, as its caller was told. `refused`: it is certain that it was not stored. */
export type PutResult = 'confirmed' | 'unknown' | 'refused';

/** What the producing side was told, per task id. Every put has an id of its own. */
export class PutLedger {
  /** With when the confirm came, in the order of the confirms. */
  readonly confirmedAtMs = new Map<string, number>();
  readonly unknown = new Set<string>();
  readonly refused = new Set<string>();

  write(id: string, result: PutResult): void {
    if (result === 'confirmed') this.confirmedAtMs.set(id, Date.now());
    else this[result].add(id);
  }
}

export type WorkWord = 'ready' | 'started' | 'finished' | 'problem' | 'status' | 'unhandled' | 'left-open';

/**
 * The worker's side, one file per process. Each line is written at once and synchronously: a kill -9 after it loses
 * none, because the file belongs to the kernel by then.
 */
export class WorkWriter {
  private readonly file: number;

  constructor(path: string) {
    this.file = openSync(path, 'a');
  }

  write(word: WorkWord, id: string, attempt = 1, text = ''): void {
    writeSync(this.file, `${word} ${Date.now()} ${id} ${attempt} ${text.replaceAll('\n', ' | ')}\n`);
  }
}

export interface WorkLine {
  word: WorkWord;
  atMs: number;
  id: string;
  attempt: number;
  text: string;
  /** The file it stands in, which is named after its process. */
  process: string;
}

/** All worker files of a folder, read on where the last reading ended. */
export class WorkLedger {
  /** How often each attempt of each task began. */
  readonly starts = new Map<string, number>();
  /** Over all attempts, per task id. */
  readonly runs = new Map<string, number>();
  readonly finishedAtMs = new Map<string, number>();
  /** Everything that is not about a task. */
  readonly remarks: WorkLine[] = [];
  private readonly files = new Map<string, { descriptor: number; offset: number; rest: string }>();

  constructor(private readonly folder: string) {}

  read(): this {
    for (const name of readdirSync(this.folder)) {
      if (!name.endsWith('.ledger')) continue;
      const file = this.files.get(name) ?? { descriptor: openSync(join(this.folder, name), 'r'), offset: 0, rest: '' };
      this.files.set(name, file);
      const buffer = Buffer.alloc(1_048_576);
      for (let length = -1; length !== 0;) {
        length = readSync(file.descriptor, buffer, 0, buffer.length, file.offset);
        file.offset += length;
        const lines = (file.rest + buffer.toString('latin1', 0, length)).split('\n');
        file.rest = lines.pop() ?? '';
        for (const line of lines) this.take(line, name);
      }
    }
    return this;
  }

  close(): void {
    for (const { descriptor } of this.files.values()) closeSync(descriptor);
    this.files.clear();
  }

  private take(line: string, process: string): void {
    const [word = '', at = '', id = '', attempt = '', ...rest] = line.split(' ');
    if (word === 'started') {
      const key = `${id} ${attempt}`;
      this.starts.set(key, (this.starts.get(key) ?? 0) + 1);
      this.runs.set(id, (this.runs.get(id) ?? 0) + 1);
    } else if (word === 'finished') {
      this.finishedAtMs.set(id, Number(at));
    } else {
      const text = rest.join(' ');
      this.remarks.push({ word: word as WorkWord, atMs: Number(at), id, attempt: Number(attempt), text, process });
    }
  }
}
