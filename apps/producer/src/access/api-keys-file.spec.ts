import { createHash } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { ApiKeysFile } from './api-keys-file';

const folder = mkdtempSync(join(tmpdir(), 'mercury-keys-file-'));
const path = join(folder, 'keys');
const lineOf = (name: string, key: string) => `${name}:${createHash('sha256').update(key).digest('hex')}\n`;

let file: ApiKeysFile;
let told: jest.SpiedFunction<Logger['error']>;

beforeEach(() => {
  jest.spyOn(Logger.prototype, 'log').mockImplementation();
  told = jest.spyOn(Logger.prototype, 'error').mockImplementation();
  writeFileSync(path, lineOf('shop', 'old'));
});
afterEach(() => {
  file.close();
  jest.restoreAllMocks();
});
afterAll(() => rmSync(folder, { recursive: true }));

async function until(holds: () => boolean): Promise<void> {
  for (const deadlineMs = performance.now() + 10_000; !holds(); await pause(5)) {
    if (performance.now() > deadlineMs) throw new Error('Not within 10 s.');
  }
}

describe('a file of API keys', () => {
  it('is read again when it has changed, also when another takes its place', async () => {
    file = new ApiKeysFile(path, 10);
    writeFileSync(path, lineOf('shop', 'new') + lineOf('blog', 'third'));
    await until(() => file.nameOf('new') === 'shop');
    expect(file.nameOf('old')).toBeUndefined();
    writeFileSync(`${path}.next`, lineOf('shop', 'newer'));
    renameSync(`${path}.next`, path);
    await until(() => file.nameOf('newer') === 'shop');
    expect(file.nameOf('third')).toBeUndefined();
  });

  it('is read again at once on SIGHUP, which does not end the process', async () => {
    file = new ApiKeysFile(path, 3_600_000);
    writeFileSync(path, lineOf('shop', 'new'));
    process.emit('SIGHUP');
    await until(() => file.nameOf('new') === 'shop');
  });

  it.each([
    ['is wrong', () => writeFileSync(path, 'shop:hush\n'), 'line 1 is not name:sha256'],
    ['is empty', () => writeFileSync(path, ''), 'holds no key'],
    ['is gone', () => rmSync(path), 'cannot be read'],
  ])(
    'that %s leaves the keys as they were, and is told of once, until it is mended',
    async (_what, change, problem) => {
      file = new ApiKeysFile(path, 10);
      change();
      await until(() => file.isStale);
      expect(file.nameOf('old')).toBe('shop');
      // Five more looks.
      await pause(50);
      expect(told.mock.calls).toEqual([[expect.stringContaining(problem)]]);
      expect(JSON.stringify(told.mock.calls)).not.toContain('hush');
      writeFileSync(path, lineOf('shop', 'old') + lineOf('blog', 'mended'));
      await until(() => !file.isStale);
      expect([file.nameOf('mended'), file.nameOf('old')]).toEqual(['blog', 'shop']);
    },
  );

  it('is not looked at any more once it is closed', () => {
    const before = process.listenerCount('SIGHUP');
    file = new ApiKeysFile(path, 3_600_000);
    expect(process.listenerCount('SIGHUP')).toBe(before + 1);
    file.close();
    expect(process.listenerCount('SIGHUP')).toBe(before);
  });
});
