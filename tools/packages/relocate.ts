import { chmod, copyFile, cp, open, readdir, realpath, rename, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { ToolError } from '../broker/project';

const LOADER = /^ld-linux.*\.so\.\d+$/;

/** Flat, as files: links of the packages would point to where they are not. */
export async function collectLibraries(unpacked: string, target: string): Promise<string> {
  let loader: string | undefined;
  for (const parent of ['usr/lib', 'lib', 'lib64', 'usr/lib64']) {
    const folder = join(unpacked, parent);
    if (!existsSync(folder)) continue;
    for (const name of await readdir(folder)) {
      const sub = /-linux-gnu/.test(name) ? join(folder, name) : undefined;
      for (const [at, file] of sub
        ? (await readdir(sub)).map((each) => [sub, each] as const)
        : [[folder, name] as const]) {
        if (!/\.so(\.\d+)*$/.test(file) || existsSync(join(target, file))) continue;
        const source = await realpath(join(at, file)).catch(() => undefined);
        if (!source?.startsWith(await realpath(unpacked))) continue;
        await copyFile(source, join(target, file));
        if (LOADER.test(file)) loader = file;
      }
      if (sub && existsSync(join(sub, 'ossl-modules'))) {
        await cp(join(sub, 'ossl-modules'), join(target, 'ossl-modules'), { recursive: true });
      }
    }
  }
  if (!loader) throw new ToolError('UNPACK_FAILED', 'the packages hold no C library for this machine');
  await chmod(join(target, loader), 0o755);
  return loader;
}

export async function wrapPrograms(folder: string, home: string, loader: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await wrapPrograms(path, home, loader);
    else if (entry.isFile() && !/\.(so|beam)$/.test(entry.name) && (await isProgram(path)))
      await wrap(path, home, loader);
  }
}

async function isProgram(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    const executable = ((await file.stat()).mode & 0o111) !== 0;
    return executable && buffer.toString('latin1') === '\x7fELF';
  } finally {
    await file.close();
  }
}

/** The link in libexec gives the process its own name, so that ps says beam.smp and not ld-linux. */
async function wrap(path: string, home: string, loader: string): Promise<void> {
  const name = basename(path);
  const up = relative(dirname(path), home);
  await rename(path, `${path}.bin`);
  await symlink(join('../lib', loader), join(home, 'libexec', name)).catch(() => undefined);
  await writeFile(
    path,
    [
      '#!/bin/sh',
      'SELF=$(readlink -f "$0"); D=${SELF%/*}; R=$D/' + up,
      `exec "$R/libexec/${name}" --argv0 "$0" --library-path "$R/lib" "$D/${name}.bin" "$@"`,
      '',
    ].join('\n'),
    { mode: 0o755 },
  );
}
