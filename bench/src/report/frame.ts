import { existsSync, readFileSync } from 'node:fs';
import type { Runtime } from 'node:inspector';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { basename, dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ANONYMOUS = '(anonymous)';

/** Where code comes from. */
export interface Origin {
  name: string;
  colour: string;
  places: RegExp;
}

/** What V8 and Node have built in, and their own work, such as garbage collection. */
export const NATIVE: Origin = { name: 'native code, GC', colour: '#cbd5e1', places: /^/ };

/** A place belongs to the first that fits. */
export const ORIGINS: readonly Origin[] = [
  { name: 'Mercury', colour: '#fdba74', places: /^(libs|apps)\// },
  { name: 'amqplib', colour: '#fde047', places: /^node_modules\/amqplib\// },
  {
    name: 'Nest, Fastify, class-validator',
    colour: '#d8b4fe',
    places: /^node_modules\/(@nestjs|@?fastify|class-validator|class-transformer)\//,
  },
  { name: 'other packages', colour: '#93c5fd', places: /^(?!node:|bench\/)./ },
  { name: 'Node', colour: '#86efac', places: /^node:/ },
  { name: 'the benchmark', colour: '#e7e5e4', places: /^bench\// },
  NATIVE,
];

/** A function, named so that a reader finds it. */
export interface Frame {
  name: string;
  /** `libs/messaging/src/tasks/codec.ts:12`, `node_modules/…`, `node:…`; empty for native code. */
  place: string;
  origin: Origin;
}

interface Position {
  file: string;
  /** From 0, as V8 counts. */
  line: number;
}

/** Names functions by their sources where the project has been compiled, and never by where on this machine it lies. */
export class FrameReader {
  private readonly maps = new Map<string, SourceMap | undefined>();

  constructor(private readonly projectRoot: string) {}

  read({ functionName, url, lineNumber, columnNumber }: Runtime.CallFrame): Frame {
    const name = functionName || ANONYMOUS;
    // Ajv and others compile functions while they run; what V8 has built in has no line.
    if (url === '') return frameOf(name, lineNumber < 0 ? '' : 'generated code');
    if (url.startsWith('node:')) return frameOf(name, url, lineNumber);
    if (!url.startsWith('file:') && !url.startsWith('/')) return frameOf(name, '');
    const file = url.startsWith('file:') ? fileURLToPath(url) : url;
    const packageAt = file.lastIndexOf('/node_modules/');
    if (packageAt >= 0) return frameOf(name, file.slice(packageAt + 1), lineNumber);
    const source = this.sourceOf({ file, line: lineNumber }, columnNumber);
    const path = relative(this.projectRoot, source.file);
    return frameOf(name, path.startsWith('..') ? basename(path) : path, source.line);
  }

  private sourceOf(position: Position, column: number): Position {
    const entry = this.mapOf(position.file)?.findEntry(position.line, column);
    if (!entry || !('originalSource' in entry)) return position;
    return { file: resolve(dirname(position.file), entry.originalSource), line: entry.originalLine };
  }

  private mapOf(file: string): SourceMap | undefined {
    if (!this.maps.has(file)) this.maps.set(file, readMap(`${file}.map`));
    return this.maps.get(file);
  }
}

function frameOf(name: string, path: string, line?: number): Frame {
  const origin = ORIGINS.find(({ places }) => places.test(path)) ?? NATIVE;
  return { name, place: line === undefined ? path : `${path}:${line + 1}`, origin };
}

function readMap(file: string): SourceMap | undefined {
  return existsSync(file) ? new SourceMap(JSON.parse(readFileSync(file, 'utf8')) as SourceMapPayload) : undefined;
}
