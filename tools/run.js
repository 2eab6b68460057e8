// @ts-check
'use strict';
// Ended before it began is a clean end, too: as long as the command does not listen for signals itself.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    if (process.listenerCount(signal) === 1) process.exit(0);
  });
}

const path = require('node:path');
const { prepare, root } = require('./prepare');

/**
 * What the npm scripts call: node tools/run.js <command> [arguments]. Prepares the checkout, sees to a broker where the
 * command needs one, and then becomes the command: in this process, so that a signal to npm reaches it directly.
 */
const APPS = ['producer', 'consumer', 'logger'];

async function main() {
  const [command = '', ...args] = process.argv.slice(2);
  process.chdir(root);
  switch (command) {
    case 'build':
      return prepare({ build: 'always' });
    case 'check':
      await prepare({ build: 'if stale' });
      return load('dist/tools/check.js', args);
    case 'broker':
      await prepare({ build: 'if stale' });
      return load('dist/tools/broker/main.js', args);
    case 'demo':
      await prepare({ build: 'if stale' });
      return load('dist/tools/demo/main.js', args);
    case 'example':
      await prepare({ build: 'if stale' });
      return load('dist/tools/example.js', args);
    case 'mercury':
      await prepare({ build: 'if stale' });
      return load('dist/tools/mercury.js', args);
    case 'package':
      await prepare({ build: 'if stale' });
      return load('dist/tools/package.js', args);
    case 'test-package':
      await prepare({ build: 'if stale' });
      return load('dist/test/packages/main.js', args);
    case 'faults':
      await prepare({ build: 'if stale' });
      return load('dist/test/faults/main.js', args);
    case 'bench':
      await prepare({ build: 'if stale', bench: true });
      return load('bench/dist/main.js', args);
    case 'start': {
      const app = args[0] ?? '';
      if (!APPS.includes(app)) throw new Error(`There is no application "${app}": ${APPS.join(', ')}.`);
      await prepare({ build: 'if stale' });
      await require(path.join(root, 'dist/tools/use-broker')).useBroker();
      return load(`dist/apps/${app}/src/main.js`, []);
    }
    default:
      throw new Error(`There is no command "${command}".`);
  }
}

/**
 * @param {string} program
 * @param {string[]} args
 */
function load(program, args) {
  const file = path.join(root, program);
  process.argv = [process.execPath, file, ...args];
  require(file);
}

main().catch((error) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
