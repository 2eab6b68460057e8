// @ts-check
'use strict';
const { spawn } = require('node:child_process');
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

/** Plain JavaScript without dependencies: this runs before anything is installed or built. */

const root = path.resolve(__dirname, '..');
const lockFolder = path.join(root, '.cache', 'prepare.lock');
const bench = path.join(root, 'bench');
const buildStamp = path.join(root, 'dist', '.built-from');
/** A wait this short is not worth a word. */
const PATIENCE_MS = 2_000;
const SOURCES = [
  'apps',
  'libs',
  'examples',
  'tools',
  'test/faults',
  'test/packages',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'nest-cli.json',
];

/**
 * Makes the checkout ready: dependencies installed and, if asked for, everything built. Does only what is missing or
 * stale, says what it does, and lets one process at a time do it.
 * @param {{ build: 'no' | 'if stale' | 'always', bench?: boolean }} wanted `bench`: the benchmark, too.
 */
async function prepare({ build, bench: withBench = false }) {
  checkNode();
  await locked(async () => {
    await install(root, 'Installing dependencies (npm ci) ...');
    const fingerprint = build === 'no' ? '' : fingerprintOfSources();
    if (build === 'always' || (build === 'if stale' && read(buildStamp) !== fingerprint)) {
      say('Building everything into dist ...');
      await runNpm(['run', '--silent', 'build:all']);
      removeOrphans(path.join(root, 'dist'));
      fs.writeFileSync(buildStamp, fingerprint);
    }
    if (!withBench) return;
    await install(bench, 'Installing what only the benchmark needs (npm ci in bench) ...');
    say('Compiling the benchmark ...');
    await runNpm(['run', '--silent', 'build'], bench);
  });
}

/**
 * @param {string} folder
 * @param {string} what
 */
async function install(folder, what) {
  if (!isInstallStale(folder)) return;
  say(what);
  await runNpm(['ci', '--no-audit', '--no-fund', '--loglevel=error'], folder);
}

/**
 * What was compiled from a source that is gone must not go on running.
 * @param {string} folder
 */
function removeOrphans(folder) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) {
      removeOrphans(file);
      if (fs.readdirSync(file).length === 0) fs.rmdirSync(file);
    } else {
      const source = path
        .join(root, path.relative(path.join(root, 'dist'), file))
        .replace(/\.(js(\.map)?|d\.ts)$/, '.ts');
      if (source.endsWith('.ts') && !fs.existsSync(source)) fs.rmSync(file);
    }
  }
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  say(`Mercury needs Node 20.19 or newer; this is ${process.versions.node}.`);
  process.exit(1);
}

/** @param {string} folder */
function isInstallStale(folder) {
  // npm writes this file last, so it also tells of an interrupted installation.
  const installed = modifiedMs(path.join(folder, 'node_modules', '.package-lock.json'));
  return installed === 0 || installed < modifiedMs(path.join(folder, 'package-lock.json'));
}

/** Names, sizes and times of all sources: equal means that dist was built from just these. */
function fingerprintOfSources() {
  const hash = createHash('sha256');
  /** @param {string} file */
  const visit = (file) => {
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    if (!stat) return;
    if (stat.isDirectory()) {
      for (const name of fs.readdirSync(file).sort()) visit(path.join(file, name));
    } else {
      hash.update(`${path.relative(root, file)} ${stat.size} ${stat.mtimeMs}\n`);
    }
  };
  for (const source of SOURCES) visit(path.join(root, source));
  return hash.digest('hex');
}

/** @param {() => Promise<void>} work */
async function locked(work) {
  fs.mkdirSync(path.dirname(lockFolder), { recursive: true });
  const startedAtMs = Date.now();
  let told = false;
  while (!takeLock()) {
    if (!told && Date.now() - startedAtMs > PATIENCE_MS) {
      say('Another command is preparing this checkout; waiting for it ...');
      told = true;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const release = () => fs.rmSync(lockFolder, { recursive: true, force: true });
  process.once('exit', release);
  try {
    await work();
  } finally {
    process.removeListener('exit', release);
    release();
  }
}

function takeLock() {
  try {
    fs.mkdirSync(lockFolder);
    fs.writeFileSync(path.join(lockFolder, 'pid'), String(process.pid));
    return true;
  } catch {
    const owner = Number(read(path.join(lockFolder, 'pid')));
    // Without a pid it was made this moment, or its maker died in between: then it is old.
    const abandoned = owner ? !isAlive(owner) : Date.now() - modifiedMs(lockFolder) > 5_000;
    if (abandoned) fs.rmSync(lockFolder, { recursive: true, force: true });
    return false;
  }
}

/**
 * @param {string[]} args
 * @param {string} folder
 */
function runNpm(args, folder = root) {
  return /** @type {Promise<void>} */ (
    new Promise((resolve) => {
      // Its output goes to stderr: stdout belongs to the command that this prepares.
      const child = spawn('npm', args, { cwd: folder, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
      let stopped = false;
      /** @param {NodeJS.Signals} signal */
      const stop = (signal) => {
        if (!stopped) say(`Stopping npm ${args[0]}; this may take a moment ...`);
        stopped = true;
        child.kill(signal);
      };
      process.on('SIGINT', stop).on('SIGTERM', stop);
      child.once('close', (code) => {
        process.removeListener('SIGINT', stop).removeListener('SIGTERM', stop);
        if (stopped) process.exit(0);
        if (code === 0) return resolve();
        say(`npm ${args[0]} failed.`);
        process.exit(1);
      });
    })
  );
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

/** @param {string} file */
const read = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined);

/** @param {string} file */
const modifiedMs = (file) => fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** @param {string} line */
const say = (line) => process.stderr.write(`${line}\n`);

module.exports = { prepare, root };
