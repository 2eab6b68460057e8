import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from './child';
import { makeRelocatable } from './relocate-broker';

const ELF = '\x7fELF, as far as anybody looks';
const ERTS = 'usr/lib/erlang/erts-13.1';
/** Stands for the Erlang VM: it says which release it is and where it was told to look. */
const ERLEXEC = '#!/bin/sh\nprintf " 25 "\necho "$ROOTDIR $BINDIR $OPENSSL_MODULES" > "$ROOTDIR/told"\n';

let folder: string;
let unpacked: string;
let home: string;

async function file(path: string, text: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(join(unpacked, path)), { recursive: true });
  await writeFile(join(unpacked, path), text);
  await chmod(join(unpacked, path), mode);
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mercury-relocate-'));
  unpacked = join(folder, 'unpacked');
  home = join(folder, 'home');
  await file(`${ERTS}/bin/erlexec`, ERLEXEC, 0o755);
  await file(`${ERTS}/bin/epmd`, ELF, 0o755);
  await file(`${ERTS}/bin/erl`, 'ROOTDIR=/usr/lib/erlang', 0o755);
  await file('usr/lib/erlang/bin/erl', 'ROOTDIR=/usr/lib/erlang', 0o755);
  await symlink('/usr/lib/erlang/erts-13.1/bin/epmd', join(unpacked, 'usr/lib/erlang/bin/epmd'));
  await file('usr/lib/erlang/lib/crypto/priv/lib/crypto.so', ELF, 0o755);
  await file('usr/lib/erlang/lib/os_mon/priv/bin/memsup', ELF, 0o755);
  await file('usr/lib/erlang/lib/os_mon/README', ELF);
  await file('usr/lib/erlang/man/man1/erl.1', 'unused');
  await file('usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8/sbin/rabbitmq-server', '#!/bin/sh', 0o755);
  await file('usr/lib/x86_64-linux-gnu/libcrypto.so.3', 'crypto');
  await file('usr/lib/x86_64-linux-gnu/libz.so.1.2.13', 'zlib');
  await symlink('libz.so.1.2.13', join(unpacked, 'usr/lib/x86_64-linux-gnu/libz.so.1'));
  await symlink('/etc/passwd', join(unpacked, 'usr/lib/x86_64-linux-gnu/libelsewhere.so.1'));
  await file('usr/lib/x86_64-linux-gnu/ossl-modules/legacy.so', 'legacy');
  await file('lib64/ld-linux-x86-64.so.2', 'loader');
});

afterEach(() => rm(folder, { recursive: true }));

const text = (path: string) => readFile(join(home, path), 'utf8');

describe('makeRelocatable', () => {
  it('says which versions it found, once Erlang has run', async () => {
    await expect(makeRelocatable(unpacked, home)).resolves.toBe('RabbitMQ 3.10.8, Erlang/OTP 25');
    await expect(text('rabbitmq/sbin/rabbitmq-server')).resolves.toBe('#!/bin/sh');
  });

  it('lays the libraries flat, as files, and takes none from outside of the packages', async () => {
    await makeRelocatable(unpacked, home);
    const libraries = await readdir(join(home, 'lib'), { withFileTypes: true });
    expect(libraries.map(({ name }) => name).sort()).toEqual([
      'ld-linux-x86-64.so.2',
      'libcrypto.so.3',
      'libz.so.1',
      'libz.so.1.2.13',
      'ossl-modules',
    ]);
    expect(libraries.filter((library) => library.isSymbolicLink())).toEqual([]);
    expect(await text('lib/libz.so.1')).toBe('zlib');
    expect((await lstat(join(home, 'lib/ld-linux-x86-64.so.2'))).mode & 0o111).toBe(0o111);
  });

  it('starts each program through its own loader, and leaves libraries and data alone', async () => {
    await makeRelocatable(unpacked, home);
    for (const path of ['erlang/erts-13.1/bin/epmd', 'erlang/lib/os_mon/priv/bin/memsup']) {
      expect(await text(`${path}.bin`)).toBe(ELF);
      const wrapper = await text(path);
      const up = path
        .split('/')
        .slice(1)
        .map(() => '..')
        .join('/');
      expect(wrapper).toContain(`R=$D/${up}\n`);
      expect(wrapper).toContain('--library-path "$R/lib"');
    }
    expect(await readlink(join(home, 'libexec/epmd'))).toBe('../lib/ld-linux-x86-64.so.2');
    expect(await text('erlang/lib/crypto/priv/lib/crypto.so')).toBe(ELF);
    expect(await text('erlang/lib/os_mon/README')).toBe(ELF);
    expect(await text('erlang/erts-13.1/bin/erlexec')).toBe(ERLEXEC);
  });

  it('runs wherever it is put', async () => {
    await makeRelocatable(unpacked, home);
    const moved = join(folder, 'somewhere else');
    await rename(home, moved);
    for (const erl of ['erlang/bin/erl', 'erlang/erts-13.1/bin/erl']) {
      await rm(join(moved, 'erlang/told'), { force: true });
      await run(join(moved, erl), []);
      const root = join(moved, 'erlang');
      const told = await readFile(join(root, 'told'), 'utf8');
      expect(told).toBe(`${root} ${root}/erts-13.1/bin ${root}/../lib/ossl-modules\n`);
    }
    expect(await readlink(join(moved, 'erlang/bin/epmd'))).toBe('../erts-13.1/bin/epmd');
  });

  it('throws away what only links to Debian’s places', async () => {
    await makeRelocatable(unpacked, home);
    expect(await readdir(join(home, 'erlang'))).not.toContain('man');
  });

  it.each([
    ['RabbitMQ', 'usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8', 'no RabbitMQ'],
    ['the C library', 'lib64', 'no C library'],
    ['the Erlang runtime', ERTS, 'no Erlang runtime'],
  ])('refuses packages without %s', async (_what, missing, message) => {
    await rm(join(unpacked, missing), { recursive: true });
    const failure = { code: 'UNPACK_FAILED', message: expect.stringContaining(message) as string };
    await expect(makeRelocatable(unpacked, home)).rejects.toMatchObject(failure);
  });

  it('refuses an Erlang that does not run', async () => {
    await file(`${ERTS}/bin/erlexec`, '#!/bin/sh\necho "no crypto" >&2; exit 1\n', 0o755);
    await expect(makeRelocatable(unpacked, home)).rejects.toThrow('no crypto');
  });
});
