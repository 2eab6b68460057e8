import { mkdir, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { collectLibraries, wrapPrograms } from '../packages/relocate';
import { run } from './child';
import { ToolError } from './project';

/**
 * Turns unpacked packages into a folder that runs wherever it is put: Erlang, RabbitMQ, and the C libraries that they
 * were built with. Each program is started through the folder's own loader. LD_LIBRARY_PATH would not do: programs of
 * the machine that the broker starts (sh, df) must keep the machine's libraries.
 * @returns the versions, for people.
 */
export async function makeRelocatable(unpacked: string, home: string): Promise<string> {
  await mkdir(join(home, 'lib'), { recursive: true });
  await mkdir(join(home, 'libexec'));
  await rename(join(unpacked, 'usr/lib/erlang'), join(home, 'erlang'));
  const rabbitParent = join(unpacked, 'usr/lib/rabbitmq/lib');
  const rabbit = (await readdir(rabbitParent)).find((name) => name.startsWith('rabbitmq_server-'));
  if (!rabbit) throw new ToolError('UNPACK_FAILED', 'the packages hold no RabbitMQ');
  await rename(join(rabbitParent, rabbit), join(home, 'rabbitmq'));
  const loader = await collectLibraries(unpacked, join(home, 'lib'));

  const erts = (await readdir(join(home, 'erlang'))).find((name) => name.startsWith('erts-'));
  if (!erts) throw new ToolError('UNPACK_FAILED', 'the packages hold no Erlang runtime');
  // Only links to the programs in erts-*/bin, and scripts with Debian's paths in them.
  for (const unused of ['man', 'misc', 'usr']) await rm(join(home, 'erlang', unused), { recursive: true, force: true });
  await linkPrograms(home, erts);
  await wrapPrograms(join(home, 'erlang'), home, loader);
  for (const folder of [join(home, 'erlang/bin'), join(home, 'erlang', erts, 'bin')])
    await writeErl(folder, home, erts);
  return check(home, rabbit.replace('rabbitmq_server-', ''));
}

/** Debian links erlang/bin/epmd and the like to erts-*; a link of ours stays valid wherever the folder goes. */
async function linkPrograms(home: string, erts: string): Promise<void> {
  const bin = join(home, 'erlang/bin');
  for (const name of await readdir(bin)) {
    if (!existsSync(join(home, 'erlang', erts, 'bin', name))) continue;
    await rm(join(bin, name));
    await symlink(join('..', erts, 'bin', name), join(bin, name));
  }
}

/** Debian's own says /usr/lib/erlang. The copy in erts-* is used too: by clusters, for a helper VM. */
async function writeErl(folder: string, home: string, erts: string): Promise<void> {
  const up = relative(folder, join(home, 'erlang'));
  await rm(join(folder, 'erl'), { force: true });
  await writeFile(
    join(folder, 'erl'),
    [
      '#!/bin/sh',
      `ROOTDIR=$(cd "\${0%/*}/${up}" && pwd); BINDIR=$ROOTDIR/${erts}/bin; EMU=beam; PROGNAME=erl`,
      'OPENSSL_MODULES=$ROOTDIR/../lib/ossl-modules; export ROOTDIR BINDIR EMU PROGNAME OPENSSL_MODULES',
      'exec "$BINDIR/erlexec" ${1+"$@"}',
      '',
    ].join('\n'),
    { mode: 0o755 },
  );
}

/** That it runs at all, with its cryptography, before it is put in its place. */
async function check(home: string, rabbitVersion: string): Promise<string> {
  const erl = join(home, 'erlang/bin/erl');
  const program = 'ok = crypto:start(), io:format("~s", [erlang:system_info(otp_release)]), halt().';
  const otp = await run(erl, ['-noshell', '-eval', program]);
  const script = await readFile(erl, 'utf8');
  if (script.includes('/usr/lib/erlang')) throw new ToolError('UNPACK_FAILED', 'a path of the packages was left');
  return `RabbitMQ ${rabbitVersion}, Erlang/OTP ${otp.trim()}`;
}
