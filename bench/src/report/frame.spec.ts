import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FrameReader } from './frame';

const at = (url: string, functionName = 'f', lineNumber = 11) => ({
  ...{ functionName, url, lineNumber },
  ...{ columnNumber: 0, scriptId: '1' },
});

describe('the name of a function in a profile', () => {
  const reader = new FrameReader('/home/me/mercury');

  it.each([
    [
      'Mercury',
      'file:///home/me/mercury/libs/messaging/src/tasks/codec.ts',
      'libs/messaging/src/tasks/codec.ts:12',
      'Mercury',
    ],
    ['an application', 'file:///home/me/mercury/apps/producer/src/main.ts', 'apps/producer/src/main.ts:12', 'Mercury'],
    ['the benchmark', 'file:///home/me/mercury/bench/src/body.ts', 'bench/src/body.ts:12', 'the benchmark'],
    [
      'amqplib',
      'file:///home/me/mercury/node_modules/amqplib/lib/frame.js',
      'node_modules/amqplib/lib/frame.js:12',
      'amqplib',
    ],
    [
      'a framework',
      'file:///home/me/mercury/node_modules/@nestjs/core/a.js',
      'node_modules/@nestjs/core/a.js:12',
      'Nest, Fastify, class-validator',
    ],
    [
      "the benchmark's packages",
      'file:///home/me/mercury/bench/node_modules/bullmq/a.js',
      'node_modules/bullmq/a.js:12',
      'other packages',
    ],
    [
      'a package within a package',
      '/home/me/mercury/node_modules/a/node_modules/amqplib/b.js',
      'node_modules/amqplib/b.js:12',
      'amqplib',
    ],
    ['Node', 'node:internal/streams/readable', 'node:internal/streams/readable:12', 'Node'],
    ['a file outside of the project', 'file:///home/me/other/secret.js', 'secret.js:12', 'other packages'],
    ['WebAssembly', 'wasm://wasm/0009ddfa', '', 'native code, GC'],
    ['a function that was compiled at run time', '', 'generated code', 'other packages'],
  ])('of %s tells its place, and never that of the project', (_what, url, place, origin) => {
    expect(reader.read(at(url))).toMatchObject({ name: 'f', place, origin: { name: origin } });
  });

  it('of what V8 has built in has no place', () => {
    const frame = reader.read(at('', '(garbage collector)', -1));
    expect(frame).toMatchObject({ name: '(garbage collector)', place: '', origin: { name: 'native code, GC' } });
  });

  it('that has none says so', () => {
    expect(reader.read(at('node:net', ''))).toMatchObject({ name: '(anonymous)', place: 'node:net:12' });
  });
});

describe('the place of a function that was compiled', () => {
  const project = mkdtempSync(join(tmpdir(), 'frame-'));
  afterAll(() => rmSync(project, { recursive: true }));

  it('is that in its source', () => {
    const compiled = join(project, 'codec.js');
    // Line 1 and line 2 of codec.js are line 3 and line 5 of libs/codec.ts.
    const map = { version: 3, sources: ['libs/codec.ts'], names: [], mappings: 'AAEA;AAEA' };
    writeFileSync(`${compiled}.map`, JSON.stringify(map));
    expect(new FrameReader(project).read(at(`file://${compiled}`, 'encode', 1))).toMatchObject({
      name: 'encode',
      place: 'libs/codec.ts:5',
      origin: { name: 'Mercury' },
    });
  });
});
