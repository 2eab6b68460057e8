import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { findBroker } from './find-broker';

const quiet = () => undefined;

let folder: string;
let path: string | undefined;
let wanted: string | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mercury-find-'));
  path = process.env['PATH'];
  wanted = process.env['MERCURY_BROKER'];
});

afterEach(async () => {
  process.env['PATH'] = path ?? '';
  if (wanted === undefined) delete process.env['MERCURY_BROKER'];
  else process.env['MERCURY_BROKER'] = wanted;
  await rm(folder, { recursive: true });
});

describe('findBroker', () => {
  it('takes a RabbitMQ that is on the path', async () => {
    await writeFile(join(folder, 'rabbitmq-server'), '');
    process.env['PATH'] = [folder, path].join(delimiter);
    process.env['MERCURY_BROKER'] = 'host';
    const source = await findBroker(quiet);
    if (source.kind !== 'folder') throw new Error('No folder.');
    // A usual place of an installation comes before the path.
    expect(existsSync(join(source.folder, 'rabbitmq-server'))).toBe(true);
    expect(source).toMatchObject({ description: `installed in ${source.folder}`, erlangFolder: undefined });
  });

  it('tries no way but the one that is asked for, and names those that help', async () => {
    process.env['MERCURY_BROKER'] = 'moon';
    const error: unknown = await findBroker(quiet).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'ToolError', code: 'NO_BROKER' });
    const { message } = error as Error;
    for (const way of ['RABBITMQ_URL', 'install RabbitMQ', 'apt', 'Docker']) expect(message).toContain(way);
    expect(message).toMatch(/What was tried:$/);
  });
});
