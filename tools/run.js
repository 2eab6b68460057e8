// @ts-check
'use strict';
// Ended before it began is a clean end, too: in force until the command listens for signals itself.
const endNow = () => process.exit(0);
process.on('SIGINT', endNow).on('SIGTERM', endNow);

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
      if (args.length > 0) await findBroker();
      return load('dist/tools/example.js', args);
    case 'start': {
      const app = args[0] ?? '';
      if (!APPS.includes(app)) throw new Error(`There is no application "${app}": ${APPS.join(', ')}.`);
      await prepare({ build: 'if stale' });
      await findBroker();
      return load(`dist/apps/${app}/src/main.js`, []);
    }
    default:
      throw new Error(`There is no command "${command}".`);
  }
}

/** RABBITMQ_URL if set; else the development broker of this checkout, which ends with the last command that uses it. */
async function findBroker() {
  if (process.env['RABBITMQ_URL']) return;
  const { acquireBroker } = require(path.join(root, 'dist/tools/broker'));
  const broker = await acquireBroker({ shared: true, log: (/** @type {string} */ line) => console.error(line) });
  process.env['RABBITMQ_URL'] = broker.amqpUrl;
  process.env['RABBITMQ_MANAGER_URL'] ??= broker.managementUrl;
  console.error(`Using RabbitMQ ${broker.version} (${broker.from}) at ${broker.amqpUrl}`);
}

/**
 * @param {string} program
 * @param {string[]} args
 */
function load(program, args) {
  const file = path.join(root, program);
  process.argv = [process.execPath, file, ...args];
  require(file);
  process.off('SIGINT', endNow).off('SIGTERM', endNow);
}

main().catch((error) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
